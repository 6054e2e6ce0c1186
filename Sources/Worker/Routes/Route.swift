import Model
import WebSocketProtocol

/// One entry of `routes`.
final class Route: Sendable {
    let settings: RouteConfiguration

    init(_ settings: RouteConfiguration) {
        self.settings = settings
    }

    /// Its name in logs and metrics.
    var path: String { settings.path }

    /// Whether a path (percent-encoded, without query) is the route's or lies below it.
    func covers(_ path: Substring) -> Bool {
        let own = settings.path.utf8
        guard own.count > 1 else { return path.utf8.first == UInt8(ascii: "/") }
        guard path.utf8.starts(with: own) else { return false }
        let next = path.utf8.dropFirst(own.count).first
        return next == nil || next == UInt8(ascii: "/") && !Self.leadsUp(path)
    }

    /// Whether a segment is `..`, in whatever way an upstream may come to read it: it could lead out of the route.
    private static func leadsUp(_ path: Substring) -> Bool {
        guard path.utf8.contains(UInt8(ascii: ".")) || path.utf8.contains(UInt8(ascii: "%")) else { return false }
        var plain = path.lowercased()
        for (code, character) in [("%2e", "."), ("%2f", "/"), ("%5c", "/"), ("\\", "/")] {
            plain = plain.split(separator: code, omittingEmptySubsequences: false).joined(separator: character)
        }
        // What follows a semicolon is a parameter of the segment for some (RFC 3986 section 3.3).
        return plain.split(separator: "/").contains { $0.prefix { $0 != ";" } == ".." }
    }

    /// The target that the upstream sees.
    ///
    /// - Parameter target: begins with a path that the route covers.
    func upstreamTarget(_ target: Substring) -> String {
        guard settings.stripPrefix, settings.path.utf8.count > 1 else { return String(target) }
        let rest = target.utf8.dropFirst(settings.path.utf8.count)
        return (rest.first == UInt8(ascii: "/") ? "" : "/") + String(decoding: rest, as: UTF8.self)
    }
}

/// Which route answers a request, if any does.
struct RouteMap: Sendable {
    /// The longest path first.
    let routes: [Route]
    private let prefix: String
    private let endpoints: Set<String>

    /// Without any.
    init() {
        (routes, prefix, endpoints) = ([], "", [])
    }

    init(_ configuration: WsdConfiguration) {
        let sorted = configuration.routes.sorted { $0.path.utf8.count > $1.path.utf8.count }
        routes = sorted.map { Route($0) }
        prefix = configuration.http.prefix
        var endpoints = Set(configuration.websocket.paths)
        endpoints.formUnion(LiveFeed.allCases.map(\.rawValue))
        self.endpoints = endpoints
    }

    var isEmpty: Bool { routes.isEmpty }

    /// The route of a plain request; `nil`: wsd answers it.
    ///
    /// - Parameter path: percent-encoded, without query.
    func route(_ path: Substring) -> Route? {
        guard !routes.isEmpty, !path.utf8.starts(with: prefix.utf8), path != "/healthz", path != "/readyz" else {
            return nil
        }
        return routes.first { $0.covers(path) }
    }

    /// The route of a request that asks for another protocol (RFC 9110 section 7.8), such as a WebSocket.
    ///
    /// `nil`: it does not ask in earnest, or wsd accepts WebSockets there. HTTP/2 over cleartext TCP is not asked for in
    /// earnest (RFC 9113 section 3.1); the field is dropped with the others that are for one connection.
    func upgrade(_ head: RequestHead) -> Route? {
        guard !routes.isEmpty, head.minorVersion == 1, head.count("upgrade") > 0, !head.contains("h2c", in: "upgrade"),
            head.contains("upgrade", in: "connection"), !Self.hasBody(head), !isOwnEndpoint(head.path),
            head.method != "CONNECT"
        else { return nil }
        return route(head.path)
    }

    /// Whether a request that looks like a handshake, but is none, is the upstream's matter.
    func answers(_ head: RequestHead) -> Bool { !isOwnEndpoint(head.path) && route(head.path) != nil }

    /// Whether WebSockets on this path are wsd's.
    func isOwnEndpoint(_ path: Substring) -> Bool { endpoints.contains(String(path)) }

    private static func hasBody(_ head: RequestHead) -> Bool {
        head.count("transfer-encoding") > 0 || head.count("content-length") > 1
            || head.first("content-length") ?? "0" != "0"
    }
}
