import Model

/// What a person sees once the service is ready.
struct Banner {
    var version: String
    var mode: RunMode
    var addresses: [ListenAddress]
    /// TCP addresses speak TLS.
    var isSecure = false
    /// Where browsers are sent on to https.
    var redirects: [ListenAddress] = []
    /// `nil`: it keeps programs alone.
    var workers: Int?
    var controlSocket: String
    /// How `wsctl` finds this service: empty where it looks by itself.
    var socketFlag: String
    var configurationFile: String?
    /// The page to open; `nil`: no page of wsd's own is on.
    var page: String?

    /// The last line is the address to open.
    func text(coloured: Bool) -> String {
        func strong(_ text: String) -> String { coloured ? "\u{1b}[1m\(text)\u{1b}[0m" : text }
        let workers = workers.map { "\($0) \($0 == 1 ? "worker" : "workers")" } ?? "programs only, no workers"
        var lines = [
            "",
            "  \(strong("wsd \(version)")) is ready: \(workers), \(mode == .dev ? "development" : "production") mode",
            "  configuration   \(configurationFile.map(LogText.escaped) ?? "defaults (no wsd.yaml found)")",
            "  control socket  \(LogText.escaped(controlSocket))",
            "  next            wsctl status\(socketFlag)  ·  wsctl logs -f\(socketFlag)  ·  Ctrl-C stops",
        ]
        for (name, addresses) in [("listening on  ", addresses), ("redirects from", redirects)] where !addresses.isEmpty
        {
            lines.insert("  \(name)  \(addresses.map(Self.listening).joined(separator: ", "))", at: lines.count - 1)
        }
        if let first = addresses.first.map({ Self.url($0, isSecure: isSecure) }) {
            lines.append("")
            lines.append("  \(strong(page.map { first + $0 } ?? first))")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    var fields: [String: String] {
        var fields = [
            "version": version, "mode": mode.rawValue, "workers": String(workers ?? 0), "control.socket": controlSocket,
            "listen": addresses.map { Self.url($0, isSecure: isSecure) }.joined(separator: " "),
        ]
        fields["configuration.file"] = configurationFile
        return fields
    }

    /// As a client on this machine would write it.
    static func url(_ address: ListenAddress, isSecure: Bool = false) -> String {
        let scheme = isSecure ? "https" : "http"
        return switch address {
        case .unix: address.description
        case .tcp(nil, let port), .tcp("0.0.0.0"?, let port), .tcp("::"?, let port): "\(scheme)://localhost:\(port)"
        case .tcp: "\(scheme)://\(address)"
        }
    }

    private static func listening(_ address: ListenAddress) -> String {
        if case .tcp(nil, let port) = address { return "all addresses, port \(port)" }
        return address.description
    }
}
