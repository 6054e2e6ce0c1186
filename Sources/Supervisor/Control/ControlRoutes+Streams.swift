import HTTPTypes
import Hummingbird
import HummingbirdCore
import LinuxSystem
import Model
import NIOCore
import Wire

extension ControlRoutes {
    /// Seconds between two objects of a stream of figures.
    static let followRange = 1...60

    /// `GET /v1/stats`: one object, or one each interval until the caller hangs up.
    @Sendable func stats(_ request: Request, _ context: ControlContext) async throws -> Response {
        let query = try QueryParameters(request.uri, names: ["watch", "follow"])
        var interval = try query.seconds("follow", in: Self.followRange)
        if try query.flag("watch") {
            guard interval == nil else { throw ControlFailure.badRequest("Give either “watch” or “follow”.") }
            interval = 1
        }
        guard let interval else { return ControlJSON.response(try await driver.run { $0.sample() }) }
        let channel = context.channel
        return ControlJSON.stream { [driver] lines in
            while channel.isActive {
                try await lines.write(try await driver.run { $0.sample() })
                try await lines.flush()
                for _ in 0..<interval {
                    guard channel.isActive, try await driver.wait({ $0.nextSecond() }) else { return }
                }
            }
        }
    }

    /// `GET /v1/trace`: what happens to somebody, until the caller hangs up, or the client is gone that is followed alone.
    @Sendable func trace(_ request: Request, _ context: ControlContext) async throws -> Response {
        let query = try QueryParameters(request.uri, names: ["client", "room", "user", "payloads"])
        let filter = TraceFilter(
            client: query.text("client"), room: query.text("room"), user: query.text("user"),
            payloads: try query.flag("payloads"))
        try Self.check(filter, context.access)
        let (id, answers) = try await driver.run { try $0.beginTrace(filter) }
        // However the answer ends, and also if it never begins.
        context.channel.closeFuture.whenComplete { [driver] _ in driver.execute { $0.endTrace(id) } }
        let start = await Self.start(answers)
        if let client = filter.client, start.clients == 0, start.problems.isEmpty {
            try await driver.run { $0.endTrace(id) }
            throw ControlFailure.notFound("There is no client \(client). `wsctl clients` lists them.")
        }
        let channel = context.channel
        return ControlJSON.stream { [driver] lines in
            for notice in start.notices { try await lines.write(TraceLine.notice(notice)) }
            try await lines.flush()
            do {
                while channel.isActive, let page = try await driver.run({ $0.takeTrace(id) }) {
                    for line in page { try await lines.write(line) }
                    try await lines.flush()
                    guard try await driver.wait({ $0.nextTraceLine(id) }) else { break }
                }
                if let last = try await driver.run({ $0.traceEnding(id) }) {
                    try await lines.write(TraceLine.notice(last))
                    try await lines.flush()
                }
            } catch {
                driver.execute { $0.endTrace(id) }
                throw error
            }
            driver.execute { $0.endTrace(id) }
        }
    }

    private static func check(_ filter: TraceFilter, _ access: ControlAccess) throws(ControlFailure) {
        guard !filter.isEmpty else {
            throw .badRequest("Say whom to follow: “client”, “room” or “user”. Several must all fit.")
        }
        if let client = filter.client, ClientID(client) == nil {
            throw .notFound("“\(client)” is no client's id. `wsctl clients` lists them.")
        }
        // RoomsConfiguration.maxNameLength cannot be set higher.
        guard (filter.room ?? "").utf8.count <= 1024, (filter.user ?? "").utf8.count <= UserName.maxLength else {
            throw .badRequest("A room's name has up to 1024 bytes, a user's up to \(UserName.maxLength).")
        }
        guard access == .full || !filter.payloads else {
            throw .forbidden(
                "You may see what happens, but not what is said: that takes root, the user wsd runs as, or a member of control.group."
            )
        }
    }

    private struct TraceStart {
        var clients = 0
        var workers = 0
        var problems: [String] = []

        var notices: [TraceNotice] {
            let time = Clocks.wallSeconds()
            let first =
                "Following on \(workers) \(workers == 1 ? "worker" : "workers"); "
                + "\(clients) \(clients == 1 ? "client fits" : "clients fit") now."
            return [TraceNotice(time: time, notice: first)] + problems.map { TraceNotice(time: time, notice: $0) }
        }
    }

    private static func start(_ answers: AsyncStream<ChildAnswer>) async -> TraceStart {
        var start = TraceStart()
        for await answer in answers {
            switch answer {
            case .page(.count(let count), _):
                start.clients &+= count
                start.workers += 1
            case .page(let other, let name): start.problems.append(problem(with: other, of: name, "events"))
            case .silent(let name): start.problems.append(silence(of: name, "events"))
            case .overflow: start.problems.append("There were too many answers.")
            }
        }
        return start
    }
}
