import HTTPTypes
import Hummingbird
import Model
import NIOCore
import WebAssets
import WebSocketProtocol

/// Which path is answered by what: wsd's own routes first, then the static folder, then what explains itself.
struct WorkerSite: Sendable {
    private let configuration: WsdConfiguration
    private let routes: RouterResponder<WorkerRequestContext>
    private let ownPaths: Set<String>
    private let folder: StaticFolder?
    private let backend: BackendAPI
    private let dashboard: DashboardAPI?
    /// `/`, where nothing else is there.
    private let home: SiteFile?

    init(configuration: WsdConfiguration, hooks: WorkerHTTPHooks, trustedProxies: TrustedProxies) {
        self.configuration = configuration
        backend = BackendAPI(configuration, ask: hooks.backend)
        dashboard = hooks.dashboard.map { DashboardAPI(configuration, calls: $0) }
        folder = configuration.http.staticFolder.map { StaticFolder(root: $0) }
        var table = RouteTable()
        table.addProbes(hooks)
        table.addSettings(configuration, trustedProxies)
        if configuration.http.metrics { table.addMetrics(configuration.http.prefix, hooks) }
        let prefix = configuration.http.prefix
        table.addClientLibrary(prefix)
        if dashboard != nil { table.addDashboard(prefix) }
        if configuration.testPageEnabled {
            table.addPages(prefix)
            table.addProbe(
                prefix,
                Probe(
                    configuration: configuration, hooks: hooks, proxies: trustedProxies,
                    origins: OriginRule(configuration)))
            home = .page(.test, base: String(prefix.dropFirst()))
        } else {
            home = nil
        }
        ownPaths = table.paths
        routes = table.router.buildResponder()
    }

    func respond(to request: Request, context: WorkerRequestContext) async throws -> Response {
        let path = String(request.head.path?.prefix { $0 != "?" && $0 != "#" } ?? "/")
        let isRead = request.method == .get || request.method == .head
        var response: Response
        if ownPaths.contains(path) {
            response = isRead ? try await routes.respond(to: request, context: context) : .methodNotAllowed
        } else if path.hasPrefix(backend.prefix) {
            response = await backend.respond(to: request, path: path)
        } else if let dashboard, path.hasPrefix(dashboard.prefix) {
            response = await dashboard.respond(to: request, path: path)
        } else {
            response = try await rest(of: request, path: path, isRead: isRead)
        }
        response.headers[.xContentTypeOptions] = "nosniff"
        // A test page of another origin finds out what it has reached.
        if home != nil, path == "/healthz" || [.notFound, .upgradeRequired].contains(response.status) {
            response.headers[.accessControlAllowOrigin] = "*"
        }
        return response
    }

    /// Everything that is not a route.
    private func rest(of request: Request, path: String, isRead: Bool) async throws -> Response {
        let isEndpoint = isWebSocketEndpoint(path)
        guard isRead else { return isEndpoint ? .methodNotAllowed : notFound(request) }
        let query = request.uri.query
        if !path.hasPrefix(configuration.http.prefix),
            let response = try await folder?.respond(to: request, path: path, query: query)
        {
            return response
        }
        if path == "/", let home { return home.response(to: request) }
        if isEndpoint { return .upgradeRequired }
        if configuration.http.singlePage, acceptsHTML(request), !path.hasPrefix(configuration.http.prefix),
            let response = try await folder?.page("index.html", for: request)
        {
            return response
        }
        return notFound(request)
    }

    private func isWebSocketEndpoint(_ path: String) -> Bool {
        configuration.websocket.paths.contains(path)
            || configuration.echoEnabled && path == configuration.http.prefix + "echo"
    }

    private func acceptsHTML(_ request: Request) -> Bool {
        request.headers[.accept]?.lowercased().contains("text/html") ?? false
    }

    private func notFound(_ request: Request) -> Response {
        guard request.headers[.accept]?.lowercased().contains("application/json") ?? false else {
            return .sentence(.notFound, "Nothing is served under this path.")
        }
        let text = "{\"code\":\"notFound\",\"error\":\"Nothing is served under this path.\"}\n"
        var response = Response.document(text, type: "application/json")
        response.status = .notFound
        return response
    }
}

extension Response {
    static var methodNotAllowed: Response {
        .sentence(.methodNotAllowed, "Only GET and HEAD are understood here.", fields: [.allow: "GET, HEAD"])
    }

    /// For a plain request where only a WebSocket is spoken.
    static var upgradeRequired: Response {
        .sentence(
            .upgradeRequired,
            "This path speaks WebSocket: connect with `new WebSocket(\"ws://…\")`, or let the proxy pass the upgrade on.",
            fields: [.upgrade: "websocket", .connection: "Upgrade"]
        )
    }
}
