/// Where to connect: the parts of a `ws:` URL (RFC 6455 section 3).
struct ServerAddress: Sendable, Hashable {
    var host: String
    var port: Int
    /// Path and query.
    var target: String
    /// Value of the `Host` field.
    var hostField: String

    init(_ url: String) throws(WsdClientError) {
        guard url.hasPrefix("ws://"), !url.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7F }) else {
            throw .invalidURL(url)
        }
        let rest = url.dropFirst(5)
        let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        let tail = rest.dropFirst(authority.count).prefix { $0 != "#" }
        var name = authority
        var portText: Substring?
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]") else { throw .invalidURL(url) }
            name = authority[authority.index(after: authority.startIndex)..<end]
            let behind = authority[authority.index(after: end)...]
            guard behind.isEmpty || behind.hasPrefix(":") else { throw .invalidURL(url) }
            portText = behind.isEmpty ? nil : behind.dropFirst()
        } else if let colon = authority.firstIndex(of: ":") {
            name = authority[..<colon]
            portText = authority[authority.index(after: colon)...]
        }
        guard !name.isEmpty, let number = portText.map({ UInt16($0) }) ?? 80 else { throw .invalidURL(url) }
        host = String(name)
        port = Int(number)
        hostField = String(authority)
        target = tail.isEmpty ? "/ws" : tail.hasPrefix("/") ? String(tail) : "/" + tail
    }
}
