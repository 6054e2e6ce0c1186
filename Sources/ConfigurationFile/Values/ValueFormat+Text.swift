import Glibc
import Model

extension ValueFormat<String> {
    /// A file-system path, made absolute.
    ///
    /// - Parameter maxBytes: Longest absolute path, bytes of UTF-8.
    static func path(maxBytes: Int = 1024) -> Self {
        ValueFormat(
            allowed: "a path (a relative one starts at the folder of wsd.yaml)",
            parse: { (text, context) throws(InvalidValue) in
                guard !text.isEmpty, !text.utf8.contains(0) else { throw InvalidValue() }
                var text = text
                while text.hasPrefix("./") { text.removeFirst(2) }
                guard text.hasPrefix("/") || !context.folder.isEmpty else {
                    throw InvalidValue(hint: "the working folder is gone; name an absolute path")
                }
                let absolute =
                    text.hasPrefix("/") ? text : context.folder + (context.folder.hasSuffix("/") ? "" : "/") + text
                guard absolute.utf8.count <= maxBytes else {
                    throw InvalidValue(hint: "\(absolute.utf8.count) bytes are too many, \(maxBytes) the limit")
                }
                return absolute
            },
            text: { $0 }
        )
    }

    /// The path of a file that is read, or `credential:NAME`.
    static func file() -> Self {
        let path = path()
        return ValueFormat(
            allowed: path.allowed + " or credential:NAME (LoadCredential= of the systemd unit)",
            parse: { (text, context) throws(InvalidValue) in
                guard Credential.isNamed(by: text) else { return try path.parse(text, context) }
                return try Credential.path(text, in: context.credentials)
            },
            text: path.text
        )
    }

    /// A group of the system, by name or number (the name's letters: useradd(8)).
    static let group = ValueFormat(
        allowed: "the name or number of a group",
        parse: { (text, _) throws(InvalidValue) in
            let allowed = text.utf8.allSatisfy { $0.isLetterOrDigit || "_-.".utf8.contains($0) }
            guard allowed, !text.isEmpty, text.utf8.count <= 32, !text.hasPrefix("-") else { throw InvalidValue() }
            return text
        },
        text: { $0 }
    )

    /// A path of a URL that WebSocket upgrades are accepted on.
    static let urlPath = ValueFormat(
        allowed: "paths that begin with /, without query, each once",
        parse: { (text, _) throws(InvalidValue) in
            guard text.isURLPath else { throw InvalidValue(hint: slashHint(text)) }
            return text
        },
        text: { $0 }
    )

    /// A path that begins and ends with `/` and names at least one folder.
    static let urlPrefix = ValueFormat(
        allowed: "a path that begins and ends with /, such as /wsd/",
        parse: { (text, _) throws(InvalidValue) in
            guard text.isURLPath, text.hasSuffix("/"), text.utf8.count > 2, !text.contains("//") else {
                throw InvalidValue()
            }
            return text
        },
        text: { $0 }
    )

    private static func slashHint(_ text: String) -> String? {
        "/\(text)".isURLPath && !text.hasPrefix("/") ? "did you mean /\(text)?" : nil
    }

    /// Scheme, host, optional port and path of what a page connects to; a slash at the end is dropped.
    static let webSocketURL = ValueFormat(
        allowed: "an address such as wss://chat.example.org, without query",
        parse: { (text, _) throws(InvalidValue) in
            for (wrong, right) in [("https://", "wss://"), ("http://", "ws://")] where text.hasPrefix(wrong) {
                throw InvalidValue(hint: "did you mean \(right)\(text.dropFirst(wrong.count))?")
            }
            guard let scheme = ["wss://", "ws://"].first(where: text.hasPrefix) else { throw InvalidValue() }
            let parts = text.dropFirst(scheme.count).split(
                separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
            guard let authority = parts.first, text.utf8.count <= 1024, isAuthority(authority) else {
                throw InvalidValue()
            }
            var path = parts.count == 2 ? "/\(parts[1])" : ""
            while path.hasSuffix("/") { path.removeLast() }
            guard path.isEmpty || path.isURLPath else { throw InvalidValue() }
            return "\(scheme)\(authority)\(path)"
        },
        text: { $0 }
    )

    static func isAuthority(_ text: Substring) -> Bool {
        if let address = ListenAddress("\(text):1"), case .tcp(let host?, _) = address {
            return NetworkText.isHost(host)
        }
        if let address = ListenAddress(String(text)), case .tcp(let host?, 1...) = address {
            return NetworkText.isHost(host)
        }
        return false
    }

    /// An address or a network in CIDR form; canonical only in that the bits behind the prefix are 0.
    static let network = ValueFormat(
        allowed: "addresses or networks such as 127.0.0.1 or 10.0.0.0/8",
        parse: { (text, _) throws(InvalidValue) in
            let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
            guard let bytes = parts.first.flatMap({ NetworkText.address(String($0)) }) else { throw InvalidValue() }
            guard parts.count == 2 else { return text }
            guard parts[1].isDecimal, let bits = Int(parts[1]), bits <= bytes.count * 8 else {
                throw InvalidValue(hint: "the prefix length is 0 to \(bytes.count * 8)")
            }
            let network = NetworkText.masked(bytes, bits: bits)
            guard network == bytes else {
                throw InvalidValue(hint: "did you mean \(NetworkText.text(network))/\(bits)?")
            }
            return text
        },
        text: { $0 }
    )
}

extension ValueFormat<ListenAddress> {
    static let listen = ValueFormat(
        allowed: "addresses such as 8080, \":8080\", 127.0.0.1:8080, \"[::1]:8080\" or unix:/run/app.sock",
        parse: { (text, _) throws(InvalidValue) in
            guard let address = ListenAddress(text) else {
                if text.hasPrefix("/") { throw InvalidValue(hint: "did you mean unix:\(text)?") }
                if NetworkText.isHost(text) { throw InvalidValue(hint: "it needs a port: \(text):8080") }
                throw InvalidValue()
            }
            if case .tcp(let host?, _) = address, !NetworkText.isHost(host) { throw InvalidValue() }
            return address
        },
        text: \.description
    )
}

extension String {
    /// Whether it can stand in a request line as the path: RFC 3986's `path-absolute`, at most 1024 bytes, no dot segments.
    var isURLPath: Bool {
        let punctuation = "-._~%!$&'()*+,;=:@/".utf8
        guard hasPrefix("/"), utf8.count <= 1024, utf8.allSatisfy({ $0.isLetterOrDigit || punctuation.contains($0) })
        else {
            return false
        }
        return !split(separator: "/").contains { $0 == "." || $0 == ".." }
    }
}

extension UInt8 {
    var isLetterOrDigit: Bool {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"): true
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        default: false
        }
    }
}

/// Texts of hosts and addresses.
enum NetworkText {
    /// A host name's letters, an IPv4 address, or an IPv6 address with an optional zone; at most 253 bytes (RFC 1035).
    static func isHost(_ text: String) -> Bool {
        guard !text.isEmpty, text.utf8.count <= 253 else { return false }
        if text.contains(":") {
            let parts = text.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
            guard address(String(parts[0])) != nil else { return false }
            return parts.count == 1 || (!parts[1].isEmpty && parts[1].utf8.allSatisfy(\.isLetterOrDigit))
        }
        // Digits and dots alone can only be meant as an IPv4 address.
        if text.utf8.allSatisfy({ $0 == UInt8(ascii: ".") || !($0.isLetterOrDigit) || $0 <= UInt8(ascii: "9") }) {
            return address(text) != nil
        }
        return text.utf8.allSatisfy { $0.isLetterOrDigit || "-._".utf8.contains($0) } && !text.hasPrefix("-")
    }

    /// Bytes of an address in network order: 4 or 16; `nil` when it is none (inet_pton(3)).
    static func address(_ text: String) -> [UInt8]? {
        guard !text.utf8.contains(0) else { return nil }
        for (family, count) in [(AF_INET, 4), (AF_INET6, 16)] {
            var bytes = [UInt8](repeating: 0, count: count)
            if inet_pton(family, text, &bytes) == 1 { return bytes }
        }
        return nil
    }

    static func masked(_ bytes: [UInt8], bits: Int) -> [UInt8] {
        bytes.enumerated().map { index, byte in
            let kept = min(8, max(0, bits - index * 8))
            return byte & UInt8(truncatingIfNeeded: 0xFF00 >> kept)
        }
    }

    static func text(_ bytes: [UInt8]) -> String {
        var buffer = [CChar](repeating: 0, count: 64)
        guard inet_ntop(bytes.count == 4 ? AF_INET : AF_INET6, bytes, &buffer, socklen_t(buffer.count)) != nil else {
            return ""
        }
        return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
