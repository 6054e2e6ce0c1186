import HTTPTypes
import Hummingbird
import HummingbirdCore
import Model
import NIOCore
import Wire

extension ControlRoutes {
    @Sendable func reload(_ request: Request, _ context: ControlContext) async throws -> Response {
        _ = try QueryParameters(request.uri, names: [])
        return try await perform(.reload)
    }

    @Sendable func restart(_ request: Request, _ context: ControlContext) async throws -> Response {
        let query = try QueryParameters(request.uri, names: ["worker", "now"])
        let worker = try query.integer("worker", in: 1...Int(UInt16.max))
        return try await perform(.restart(slot: worker.map(SlotID.worker), immediately: try query.flag("now")))
    }

    @Sendable func scale(_ request: Request, _ context: ControlContext) async throws -> Response {
        _ = try QueryParameters(request.uri, names: [])
        let body = try await context.body(of: request, as: ScaleBody.self, example: #"{"workers":4}"#)
        return try await perform(.scale(body.workers))
    }

    @Sendable func stop(_ request: Request, _ context: ControlContext) async throws -> Response {
        _ = try QueryParameters(request.uri, names: [])
        return try await perform(.stop(reason: "asked for on the control socket"))
    }

    @Sendable func kick(_ request: Request, _ context: ControlContext) async throws -> Response {
        _ = try QueryParameters(request.uri, names: [])
        let example = #"{"client":"…","reason":"…"}"#
        let body = try await context.body(of: request, as: KickBody.self, example: example)
        // A close frame's reason has at most 123 bytes (RFC 6455 section 5.5).
        guard (body.reason ?? "").utf8.count <= 123 else {
            throw ControlFailure.badRequest("The reason may have 123 bytes at most.")
        }
        let query = ChildQuery.kick(
            client: body.client, code: .policyViolation, reason: body.reason ?? "Disconnected by the operator")
        let (count, problems) = try await total(query, role: .worker)
        guard count > 0 else {
            if let problem = problems.first { throw ControlFailure.unavailable(problem) }
            throw ControlFailure.notFound("There is no client \(body.client). `wsctl clients` lists them.")
        }
        return ControlJSON.response(CountAnswer(count: count))
    }

    @Sendable func publish(_ request: Request, _ context: ControlContext) async throws -> Response {
        _ = try QueryParameters(request.uri, names: [])
        let example = #"{"room":"…","data":"{\"any\":\"JSON text\"}"}"#
        let body = try await context.body(of: request, as: PublishBody.self, example: example)
        guard !body.room.isEmpty else { throw ControlFailure.badRequest("The room must have a name.") }
        guard ControlJSON.isJSON(body.data) else {
            throw ControlFailure.badRequest("“data” must be JSON text; a word in it needs its quotes.")
        }
        let (count, problems) = try await total(.publish(room: body.room, data: body.data), role: .hub)
        if let problem = problems.first { throw ControlFailure.unavailable(problem) }
        return ControlJSON.response(CountAnswer(count: count))
    }

    /// Starts an operation and answers with its progress. It goes on when nobody listens any more.
    private func perform(_ request: OperationRequest) async throws -> Response {
        let progress = try await driver.run { driver in
            if case .stop = request {} else { try driver.checkIsOurs() }
            return try driver.begin(request)
        }
        return ControlJSON.stream { lines in
            for await step in progress {
                try await lines.write(step)
                try await lines.flush()
            }
        }
    }

    /// Sums the counts that the children of a role answer with.
    private func total(_ query: ChildQuery, role: ChildRole) async throws -> (count: Int, problems: [String]) {
        var count = 0
        var problems: [String] = []
        var answered = false
        for await answer in try await driver.run({ try $0.ask(query, role: role) }) {
            answered = true
            switch answer {
            case .page(.count(let number), _): count &+= number
            case .page(.refused(let reason), _): problems.append(reason)
            case .page(_, let name): problems.append("\(name) gave another answer than asked for.")
            case .silent(let name): problems.append("\(name) did not answer in time.")
            case .overflow: problems.append("There were too many answers.")
            }
        }
        if !answered { problems.append("No \(role.rawValue) is running that could answer. See `wsctl status`.") }
        return (count, problems)
    }
}
