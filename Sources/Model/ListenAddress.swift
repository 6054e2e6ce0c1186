/// Where the service listens: an address and TCP port, or a Unix socket.
///
/// Text forms: `8080`, `:8080` (all addresses, IPv6 and IPv4), `127.0.0.1:8080`, `localhost:8080`, `[::1]:8080`, `unix:/run/app.sock`.
package enum ListenAddress: Hashable, Sendable, Codable, CustomStringConvertible {
    /// `host` `nil` or `*` stands for all addresses; port 0 lets the kernel choose.
    case tcp(host: String?, port: UInt16)
    case unix(path: String)

    /// Reads a text form; `nil` when it is none.
    package init?(_ text: String) {
        if text.hasPrefix("unix:") {
            let path = String(text.dropFirst(5))
            // sun_path holds 108 bytes with its terminator (unix(7)).
            guard path.hasPrefix("/"), path.utf8.count < 108 else { return nil }
            self = .unix(path: path)
            return
        }
        guard let colon = text.lastIndex(of: ":") else {
            guard let port = UInt16(text) else { return nil }
            self = .tcp(host: nil, port: port)
            return
        }
        guard let port = UInt16(text[text.index(after: colon)...]) else { return nil }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = String(host.dropFirst().dropLast())
            guard host.contains(":") else { return nil }
        } else if host.contains(":") {
            return nil
        }
        self = .tcp(host: host.isEmpty || host == "*" ? nil : host, port: port)
    }

    package var description: String {
        switch self {
        case .tcp(let host?, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .tcp(nil, let port): ":\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }
}
