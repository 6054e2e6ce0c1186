import Model

/// What `config.json` and `config.js` tell a page: where to connect, and the limits in force.
struct ClientSettings: Equatable, Sendable {
    var connectionString: String
    var prefix: String
    var maxMessageSize: Int
    var pingInterval: Duration

    /// - Parameters:
    ///   - host: `Host` of the request.
    ///   - forwardedProto, forwardedHost: `X-Forwarded-*`, only if the peer is trusted.
    ///   - isSecure: the request came over TLS; what `forwardedProto` says is stronger.
    /// - Returns: `nil` when no name in the request is a host.
    init?(
        _ configuration: WsdConfiguration, host: String?, forwardedProto: String?, forwardedHost: String?,
        isSecure: Bool = false
    ) {
        let path = Self.path(configuration.websocket.paths)
        if let base = configuration.http.publicURL {
            connectionString = Self.webSocketBase(base) + path
        } else {
            let names = [Self.firstElement(forwardedHost), host].compactMap { $0 }
            guard let name = names.first(where: Self.isHost) else { return nil }
            let proto = Self.firstElement(forwardedProto)?.lowercased() ?? (isSecure ? "https" : "http")
            connectionString = (proto == "https" || proto == "wss" ? "wss://" : "ws://") + name + path
        }
        prefix = configuration.http.prefix
        maxMessageSize = configuration.websocket.maxMessageSize
        pingInterval = configuration.websocket.pingInterval
    }

    var json: String {
        let fields = [
            "\"connectionString\":\(Self.quoted(connectionString))", "\"prefix\":\(Self.quoted(prefix))",
            "\"maxMessageSize\":\(maxMessageSize)", "\"pingIntervalMs\":\(pingInterval.milliseconds)",
        ]
        return "{" + fields.joined(separator: ",") + "}"
    }

    var script: String { "window.wsConfig = \(json);\n" }

    /// The path pages are told: `/ws` where it is one, else the first that is not `/`.
    static func path(_ paths: [String]) -> String {
        if paths.contains("/ws") { return "/ws" }
        return paths.first { $0 != "/" } ?? "/"
    }

    /// The base with a WebSocket scheme and without a slash at its end.
    private static func webSocketBase(_ base: String) -> String {
        var text = base[...]
        while text.hasSuffix("/") { text = text.dropLast() }
        if text.hasPrefix("https://") { return "wss://" + text.dropFirst(8) }
        if text.hasPrefix("http://") { return "ws://" + text.dropFirst(7) }
        return String(text)
    }

    private static func firstElement(_ list: String?) -> String? {
        guard var first = list?.split(separator: ",").first else { return nil }
        first = first.drop { $0 == " " || $0 == "\t" }
        while first.last == " " || first.last == "\t" { first = first.dropLast() }
        return String(first)
    }

    /// Letters, digits and what else a host, a port and an IPv6 address are written with: nothing that means anything in
    /// JSON, a script or a page.
    static func isHost(_ text: String) -> Bool {
        let allowed = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"),
                UInt8(ascii: ":"), UInt8(ascii: "["), UInt8(ascii: "]"):
                true
            default: false
            }
        }
        return allowed && !text.isEmpty && text.utf8.count <= 260
    }

    /// A JSON string that is also safe inside a script.
    private static func quoted(_ text: String) -> String {
        var out = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": out += "\\" + String(scalar)
            case "<", ">", "&", "\u{2028}", "\u{2029}", "\u{0}"..."\u{1F}", "\u{7F}":
                let digits = String(scalar.value, radix: 16)
                out += "\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out + "\""
    }
}
