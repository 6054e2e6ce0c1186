import Model
import NIOCore
import WebSocketProtocol

/// Which pages may connect (`limits.origins`).
struct OriginRule: Sendable {
    private let patterns: [OriginPattern]
    private let proxies: TrustedProxies

    init(_ configuration: WsdConfiguration) {
        patterns = configuration.allowedOrigins
        proxies = TrustedProxies(configuration.http.trustedProxies)
    }

    /// Clients that send no Origin are no pages.
    func allows(_ head: RequestHead, peer: SocketAddress?, isSecure: Bool = false) -> Bool {
        guard let origin = head.first("origin") else { return true }
        guard head.count("origin") == 1 else { return patterns.contains(.any) }
        return allows(
            origin, host: head.first("host"), forwardedHost: head.first("x-forwarded-host"), peer: peer,
            isSecure: isSecure)
    }

    /// - Parameters:
    ///   - host, forwardedHost: the fields as sent.
    ///   - peer: whose word on the forwarded host may be believed.
    ///   - isSecure: the client speaks TLS with this process: a page of the same host that came without, which anybody on
    ///     its way may have written, is none of the same host's.
    func allows(
        _ origin: String, host: String?, forwardedHost: String?, peer: SocketAddress?, isSecure: Bool = false
    ) -> Bool {
        let isTrue = !isSecure || origin.lowercased().hasPrefix("https://")
        let host = proxies.contains(peer) ? forwardedHost.map(Self.first) ?? host : host
        return patterns.contains { ($0 != .sameHost || isTrue) && $0.allows(origin, host: host) }
    }

    /// What the client asked for, where several proxies each added theirs.
    private static func first(_ list: String) -> String {
        String(list.prefix { $0 != "," }.filter { $0 != " " && $0 != "\t" })
    }
}
