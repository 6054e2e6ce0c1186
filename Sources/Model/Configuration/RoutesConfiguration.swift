/// A path prefix whose requests another server answers.
package struct RouteConfiguration: Equatable, Sendable, Codable {
    /// Covers itself and what lies below it; begins with `/` and ends with one only where it is `/` alone.
    package var path = "/"
    package var upstream = UpstreamAddress.tcp(host: "127.0.0.1", port: 3000, tls: false)
    /// The upstream sees the target without ``path``.
    package var stripPrefix = false
    package var host = RouteHost.keep
    /// Until a connection to the upstream stands, TLS included; 50 ms…5 min.
    package var connectTimeout = Duration.seconds(5)
    /// From the end of the request to the head of the answer; 50 ms…1 day.
    package var timeout = Duration.seconds(60)
    /// Silence of the upstream within a body, or of both ends of a tunnel; 0 or 1 s…1 day; 0: without end.
    package var idleTimeout = Duration.seconds(3600)
    /// How long a request waits while the upstream refuses connections; 0…5 min.
    package var hold = Duration.seconds(10)
    /// Bytes of a request's body; 0 or 1 KiB…1 TiB; 0: any.
    package var maxBody = 0

    package init() {}
}

/// The `Host` that the upstream sees.
package enum RouteHost: String, Sendable, Codable, CaseIterable {
    /// The client's.
    case keep
    /// The upstream's own name.
    case upstream
}

/// Where an upstream listens: `http://127.0.0.1:3000`, `https://app.example.org`, `unix:/run/app.sock`.
package enum UpstreamAddress: Hashable, Sendable, Codable, CustomStringConvertible {
    case tcp(host: String, port: UInt16, tls: Bool)
    case unix(path: String)

    /// Reads a text form; `nil` when it is none. Whether a host can be one is the configuration's matter.
    package init?(_ text: String) {
        if text.hasPrefix("unix:") {
            guard case .unix(let path)? = ListenAddress(text) else { return nil }
            self = .unix(path: path)
            return
        }
        guard let scheme = ["http://", "https://"].first(where: text.hasPrefix) else { return nil }
        var authority = text.dropFirst(scheme.count)
        if authority.hasSuffix("/") { authority = authority.dropLast() }
        let tls = scheme == "https://"
        let whole = ListenAddress(String(authority)) ?? ListenAddress("\(authority):\(tls ? 443 : 80)")
        guard !authority.isEmpty, !authority.contains(where: "/?#@".contains), case .tcp(let host?, let port)? = whole,
            port > 0
        else { return nil }
        self = .tcp(host: host, port: port, tls: tls)
    }

    package var description: String {
        switch self {
        case .tcp(_, _, let tls): "\(tls ? "https" : "http")://\(authority)"
        case .unix(let path): "unix:\(path)"
        }
    }

    /// What stands in the field `Host` (RFC 9110 section 7.2).
    package var authority: String {
        guard case .tcp(let host, let port, let tls) = self else { return "localhost" }
        let name = host.contains(":") ? "[\(host)]" : host
        return port == (tls ? 443 : 80) ? name : "\(name):\(port)"
    }
}
