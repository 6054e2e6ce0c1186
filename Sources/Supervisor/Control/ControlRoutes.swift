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
    static let methods = [programMethods, eventMethods, flushMethods, upgradeMethods].reduce(serviceMethods) {
        $0.merging($1) { own, _ in own }
    }

    private static let serviceMethods: [String: [HTTPRequest.Method]] = [
        "/v1/status": [.get], "/v1/version": [.get], "/v1/workers": [.get], "/v1/clients": [.get], "/v1/rooms": [.get],
        "/v1/stats": [.get], "/v1/logs": [.get], "/v1/config": [.get], "/v1/trace": [.get],
        "/metrics": [.get],
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
            Route(method: .get, path: "/v1/trace", handle: trace),
            Route(method: .get, path: "/metrics", handle: metrics),
            Route(method: .post, path: "/v1/reload", handle: reload),
            Route(method: .post, path: "/v1/restart", handle: restart),
            Route(method: .post, path: "/v1/scale", handle: scale),
            Route(method: .post, path: "/v1/stop", handle: stop),
            Route(method: .post, path: "/v1/kick", handle: kick),
            Route(method: .post, path: "/v1/publish", handle: publish),
        ] + programRoutes + eventRoutes + [flushRoute, upgradeRoute]
    }

    // MARK: - Looking

    @Sendable private func status(_ request: Request, _ context: ControlContext) async throws -> Response {
        _ = try QueryParameters(request.uri, names: [])
        return ControlJSON.response(try await driver.run { $0.status() })
    }

    @Sendable private func version(_ request: Request, _ context: ControlContext) async throws -> Response {
        _ = try QueryParameters(request.uri, names: [])
        return ControlJSON.response(
            try await driver.run { driver in
                VersionAnswer(
                    version: WsdVersion.current, pid: driver.pid, program: driver.setup.program,
                    takeovers: driver.setup.takeovers)
            })
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
            status: .ok, headers: [.contentType: MetricsPage.contentType],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }
}
