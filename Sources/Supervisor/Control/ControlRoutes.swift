import HTTPTypes
import Hummingbird
import HummingbirdCore
import Model
import NIOCore
import Wire

/// The control API's calls, one function each.
struct ControlRoutes: Sendable {
    typealias Handler = @Sendable (Request, ControlContext) async throws -> Response

    struct Route: Sendable {
        var method: HTTPRequest.Method
        var path: String
        var handle: Handler
    }

    /// Methods of every path, for 404 and 405.
    static let methods: [String: [HTTPRequest.Method]] = [
        "/v1/status": [.get], "/v1/version": [.get], "/v1/workers": [.get], "/v1/clients": [.get], "/v1/rooms": [.get],
        "/v1/stats": [.get], "/v1/logs": [.get], "/v1/config": [.get], "/metrics": [.get],
        "/v1/reload": [.post], "/v1/restart": [.post], "/v1/scale": [.post], "/v1/stop": [.post],
        "/v1/kick": [.post], "/v1/publish": [.post],
    ]

    let driver: EventLoopConfined<FleetDriver>

    var all: [Route] {
        [
            Route(method: .get, path: "/v1/status", handle: status),
            Route(method: .get, path: "/v1/version", handle: version),
            Route(method: .get, path: "/v1/workers", handle: workers),
            Route(method: .get, path: "/v1/clients", handle: clients),
            Route(method: .get, path: "/v1/rooms", handle: rooms),
            Route(method: .get, path: "/v1/stats", handle: stats),
            Route(method: .get, path: "/v1/logs", handle: logs),
            Route(method: .get, path: "/v1/config", handle: configuration),
            Route(method: .get, path: "/metrics", handle: metrics),
            Route(method: .post, path: "/v1/reload", handle: reload),
            Route(method: .post, path: "/v1/restart", handle: restart),
            Route(method: .post, path: "/v1/scale", handle: scale),
            Route(method: .post, path: "/v1/stop", handle: stop),
            Route(method: .post, path: "/v1/kick", handle: kick),
            Route(method: .post, path: "/v1/publish", handle: publish),
        ]
    }

    // MARK: - Looking

    @Sendable private func status(_ request: Request, _ context: ControlContext) async throws -> Response {
        _ = try QueryParameters(request.uri, names: [])
        return ControlJSON.response(try await driver.run { $0.status() })
    }

    @Sendable private func version(_ request: Request, _ context: ControlContext) async throws -> Response {
        _ = try QueryParameters(request.uri, names: [])
        return ControlJSON.response(VersionAnswer(version: WsdVersion.current, pid: try await driver.run { $0.pid }))
    }

    @Sendable private func workers(_ request: Request, _ context: ControlContext) async throws -> Response {
        _ = try QueryParameters(request.uri, names: [])
        return ControlJSON.response(try await driver.run { $0.status().processes })
    }

    @Sendable private func configuration(_ request: Request, _ context: ControlContext) async throws -> Response {
        _ = try QueryParameters(request.uri, names: [])
        return ControlJSON.response(try await driver.run { $0.configurationEntries() })
    }

    @Sendable private func metrics(_ request: Request, _ context: ControlContext) async throws -> Response {
        _ = try QueryParameters(request.uri, names: [])
        let text = try await driver.run { PrometheusText.render($0.status(), workersInState: $0.workersInState()) }
        return Response(
            status: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }

    @Sendable private func stats(_ request: Request, _ context: ControlContext) async throws -> Response {
        let query = try QueryParameters(request.uri, names: ["watch"])
        guard try query.flag("watch") else { return ControlJSON.response(try await driver.run { $0.sample() }) }
        let channel = context.channel
        return ControlJSON.stream { [driver] lines in
            while channel.isActive {
                try await lines.write(try await driver.run { $0.sample() })
                try await lines.flush()
                guard try await driver.wait({ $0.nextSecond() }) else { return }
            }
        }
    }

    @Sendable private func clients(_ request: Request, _ context: ControlContext) async throws -> Response {
        let query = try QueryParameters(request.uri, names: ["id", "room", "user", "address"])
        let filter = ClientFilter(
            id: query.text("id"), room: query.text("room"), user: query.text("user"), address: query.text("address"))
        let answers = try await driver.run { try $0.ask(.clients(filter), role: .worker) }
        return ControlJSON.stream { lines in
            for await answer in answers {
                switch answer {
                case .page(.clients(let clients), _):
                    for client in clients { try await lines.write(client) }
                    try await lines.flush()
                case .page(let other, let name):
                    try await lines.write(StreamProblem(problem: Self.problem(with: other, of: name, "clients")))
                case .silent(let name):
                    try await lines.write(StreamProblem(problem: Self.silence(of: name, "clients")))
                case .overflow:
                    try await lines.write(
                        StreamProblem(problem: "Some clients are missing: the list was read too slowly."))
                }
            }
        }
    }

    @Sendable private func rooms(_ request: Request, _ context: ControlContext) async throws -> Response {
        let query = try QueryParameters(request.uri, names: ["prefix"])
        let prefix = query.text("prefix")
        let answers = try await driver.run { try $0.ask(.rooms(prefix: prefix), role: .worker) }
        return ControlJSON.stream { lines in
            var members: [String: Int] = [:]
            var problems: [StreamProblem] = []
            for await answer in answers {
                switch answer {
                case .page(.rooms(let rooms), _):
                    for room in rooms { members[room.room, default: 0] &+= room.members }
                case .page(let other, let name):
                    problems.append(StreamProblem(problem: Self.problem(with: other, of: name, "rooms")))
                case .silent(let name):
                    problems.append(StreamProblem(problem: Self.silence(of: name, "rooms")))
                case .overflow:
                    problems.append(StreamProblem(problem: "Some rooms are missing: there were too many at once."))
                }
            }
            for (room, count) in members.sorted(by: { $0.key < $1.key }) {
                try await lines.write(RoomInfo(room: room, members: count))
            }
            for problem in problems { try await lines.write(problem) }
        }
    }

    private static func silence(of name: String, _ what: String) -> String {
        "\(name.prefix(1).uppercased())\(name.dropFirst()) did not answer within \(ChildQueries.deadline.inSeconds) s: its \(what) are missing."
    }

    private static func problem(with reply: ChildReply, of name: String, _ what: String) -> String {
        guard case .refused(let reason) = reply else {
            return "\(name) gave another answer than asked for: its \(what) are missing."
        }
        return "\(name) could not answer (\(reason)): its \(what) are missing."
    }
}
