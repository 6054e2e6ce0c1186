import HTTPTypes
import Hummingbird
import Model
import NIOCore

/// wsd's own routes, with the paths they answer.
struct RouteTable {
    let router = Router(context: WorkerRequestContext.self, options: .autoGenerateHeadEndpoints)
    private(set) var paths: Set<String> = []

    /// `/healthz`: the process answers. `/readyz`: it may be sent new clients.
    mutating func addProbes(_ hooks: WorkerHTTPHooks) {
        add("/healthz") { _, _ in .sentence(.ok, "ok") }
        add("/readyz") { _, _ in
            guard let reason = hooks.notReadyReason() else { return .sentence(.ok, "ready") }
            return .sentence(.serviceUnavailable, reason, fields: [.retryAfter: "1"])
        }
    }

    /// `config.json` and `config.js`: where a page connects to.
    mutating func addSettings(_ configuration: WsdConfiguration, _ trusted: TrustedProxies) {
        // Nothing in them is secret, and a page of another origin may want to know.
        let fields: HTTPFields = [.accessControlAllowOrigin: "*"]
        for (name, type) in [("config.json", "application/json"), ("config.js", "text/javascript; charset=utf-8")] {
            add(configuration.http.prefix + name) { request, context in
                let isTrusted = trusted.contains(context.peer)
                let settings = ClientSettings(
                    configuration,
                    host: request.head.authority,
                    forwardedProto: isTrusted ? request.headers[.xForwardedProto] : nil,
                    forwardedHost: isTrusted ? request.headers[.xForwardedHost] : nil,
                    isSecure: request.head.scheme == "https"
                )
                guard let settings else { return .sentence(.badRequest, "The Host field is not a host.") }
                return .document(name == "config.js" ? settings.script : settings.json, type: type, fields: fields)
            }
        }
    }

    mutating func addMetrics(_ prefix: String, _ hooks: WorkerHTTPHooks) {
        add(prefix + "metrics") { _, _ in
            .document(hooks.metrics(), type: "text/plain; version=0.0.4; charset=utf-8")
        }
    }

    mutating func addProbe(_ prefix: String, _ probe: Probe) {
        add(prefix + "probe") { request, context in probe.response(to: request, context) }
    }

    mutating func add(
        _ path: String,
        _ respond: @escaping @Sendable (Request, WorkerRequestContext) async throws -> Response
    ) {
        paths.insert(path)
        router.get(RouterPath(path), use: respond)
    }
}
