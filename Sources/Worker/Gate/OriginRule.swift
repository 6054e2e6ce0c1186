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
    func allows(_ head: RequestHead, peer: SocketAddress?) -> Bool {
        guard let origin = head.first("origin") else { return true }
        guard head.count("origin") == 1 else { return patterns.contains(.any) }
        return allows(origin, host: head.first("host"), forwardedHost: head.first("x-forwarded-host"), peer: peer)
    }

    /// - Parameters:
    ///   - host, forwardedHost: the fields as sent.
    ///   - peer: whose word on the forwarded host may be believed.
    func allows(_ origin: String, host: String?, forwardedHost: String?, peer: SocketAddress?) -> Bool {
        let host = proxies.contains(peer) ? forwardedHost.map(Self.first) ?? host : host
        return patterns.contains { $0.allows(origin, host: host) }
    }

    /// What the client asked for, where several proxies each added theirs.
    private static func first(_ list: String) -> String {
        String(list.prefix { $0 != "," }.filter { $0 != " " && $0 != "\t" })
    }
}
