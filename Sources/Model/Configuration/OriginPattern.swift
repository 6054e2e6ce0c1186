/// One entry of `limits.origins`: which pages may connect.
package enum OriginPattern: Hashable, Sendable, CustomStringConvertible {
    /// `*`: every page.
    case any
    /// `same-host`: pages of the very host and port that they connect to.
    case sameHost
    /// `https://app.example.org`, with its port where that is not the scheme's own; lower case.
    case exact(String)
    /// `https://*.example.org`: every name below that one, at any depth, but not that one. Lower case; `suffix` begins with a
    /// dot and ends with the port, if there is one.
    case subdomains(scheme: String, suffix: String)

    /// Reads a text form; `nil` when it is none. An origin is scheme, host and port as a browser writes them (RFC 6454 section
    /// 6.1): no path, no default port.
    package init?(_ text: String) {
        switch text {
        case "*": self = .any
        case "same-host": self = .sameHost
        default:
            let text = text.lowercased()
            guard let parts = Parts(text), !["ws", "wss"].contains(parts.scheme) else { return nil }
            if parts.host.hasPrefix("*.") {
                guard Self.isName(parts.host.dropFirst(2)) else { return nil }
                self = .subdomains(scheme: parts.scheme, suffix: parts.host.dropFirst() + parts.portText)
            } else {
                guard Self.isName(parts.host) || parts.host.hasPrefix("[") else { return nil }
                self = .exact(text)
            }
        }
    }

    package var description: String {
        switch self {
        case .any: "*"
        case .sameHost: "same-host"
        case .exact(let origin): origin
        case .subdomains(let scheme, let suffix): "\(scheme)://*\(suffix)"
        }
    }

    /// Whether a page may connect.
    ///
    /// - Parameters:
    ///   - origin: The `Origin` header.
    ///   - host: Host and port that the page connected to: the `Host` header, or what a trusted proxy says of it.
    package func allows(_ origin: String, host: String?) -> Bool {
        let origin = origin.lowercased()
        switch self {
        case .any: return true
        case .exact(let allowed): return origin == allowed
        case .sameHost:
            guard let parts = Parts(origin), let host else { return false }
            return Parts("\(parts.scheme)://\(host.lowercased())", allowsDefaultPort: true)?.authority
                == parts.authority
        case .subdomains(let scheme, let suffix):
            guard let parts = Parts(origin), parts.scheme == scheme, parts.authority.hasSuffix(suffix) else {
                return false
            }
            return Self.isName(parts.host) && parts.authority.utf8.count > suffix.utf8.count
        }
    }

    /// A host name or IPv4 address, without checking what the labels mean.
    private static func isName(_ text: some StringProtocol) -> Bool {
        guard !text.isEmpty, text.utf8.count <= 253, text.first != ".", !text.contains("..") else { return false }
        return text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
            case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"): true
            default: false
            }
        }
    }

    /// Scheme, host and port of a lower-case origin.
    private struct Parts {
        var scheme: String
        var host: String
        /// `:8443`, or empty.
        var portText: String

        var authority: String { host + portText }

        init?(_ origin: String, allowsDefaultPort: Bool = false) {
            guard origin.utf8.count <= 1024, let mark = origin.utf8.firstIndex(of: UInt8(ascii: ":")) else {
                return nil
            }
            scheme = String(origin[..<mark])
            guard origin[mark...].hasPrefix("://"), let first = scheme.utf8.first, Self.isLetter(first) else {
                return nil
            }
            // RFC 3986 section 3.1.
            guard scheme.utf8.allSatisfy({ Self.isLetter($0) || Self.isDigit($0) || "+-.".utf8.contains($0) }) else {
                return nil
            }
            let authority = origin[mark...].dropFirst(3)
            var port: Substring?
            if authority.hasPrefix("[") {
                guard let end = authority.utf8.firstIndex(of: UInt8(ascii: "]")) else { return nil }
                let after = authority[authority.utf8.index(after: end)...]
                guard after.isEmpty || after.hasPrefix(":") else { return nil }
                host = String(authority[...end])
                let address = host.dropFirst().dropLast().utf8
                guard
                    address.contains(UInt8(ascii: ":")),
                    address.allSatisfy({
                        Self.isDigit($0) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
                            || ":.".utf8.contains($0)
                    })
                else { return nil }
                port = after.isEmpty ? nil : after.dropFirst()
            } else if let colon = authority.utf8.firstIndex(of: UInt8(ascii: ":")) {
                host = String(authority[..<colon])
                port = authority[authority.utf8.index(after: colon)...]
            } else {
                host = String(authority)
            }
            guard !host.isEmpty else { return nil }
            portText = ""
            guard let port else { return }
            guard port.utf8.allSatisfy(Self.isDigit), let number = UInt16(port), number > 0 else { return nil }
            let isDefault =
                (number == 443 && scheme == "https")
                || (number == 80 && scheme == "http")
            guard !isDefault || allowsDefaultPort else { return nil }
            portText = isDefault ? "" : ":\(number)"
        }

        private static func isLetter(_ byte: UInt8) -> Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) }
        private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
    }
}
