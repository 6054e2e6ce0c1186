import Model
import WebSocketProtocol
import Wire

/// What a handshake says of who the client is. Holds secrets: never to be logged.
struct HandshakeCredentials: Sendable {
    /// From `Authorization: Bearer`, else the query parameter, else the cookie (`auth.*` names them).
    var token: String?
    var origin: String?
    var userAgent: String?
    var query: String?
    var cookie: String?
    var authorization: String?
    /// Shown at the TLS handshake, and found good.
    var certificate: ClientCertificate?

    init() {}

    /// - Parameter keepsFields: there is a connect webhook, which is told the fields.
    init(_ head: RequestHead, auth: AuthConfiguration, keepsFields: Bool) {
        origin = head.first("origin")
        token = Self.token(head, auth)
        guard keepsFields else { return }
        userAgent = head.first("user-agent")
        query = head.query.map(String.init)
        // A token that is checked here is nobody else's business.
        if auth.isConfigured, let name = auth.queryParameter {
            query = query.flatMap { QueryText.removing(name, from: $0) }
        }
        cookie = head.joinedCookies
        authorization = head.first("authorization")
    }

    private static func token(_ head: RequestHead, _ auth: AuthConfiguration) -> String? {
        if let token = head.first("authorization").flatMap(bearer) { return token }
        if let name = auth.queryParameter, let query = head.query, let token = QueryText.value(of: name, in: query) {
            return token
        }
        guard let name = auth.cookie, let cookies = head.joinedCookies else { return nil }
        return cookieValue(of: name, in: cookies)
    }

    /// The token of `Bearer <token>` (RFC 6750 section 2.1).
    static func bearer(_ field: String) -> String? {
        let parts = field.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: true)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
        let token = parts[1].drop { $0 == " " }
        return token.isEmpty ? nil : String(token)
    }

    /// The value of the first cookie of that name (RFC 6265 section 5.4).
    static func cookieValue(of name: String, in field: String) -> String? {
        for pair in field.utf8.split(separator: UInt8(ascii: ";")) {
            let trimmed = pair.drop { $0 == 0x20 || $0 == 0x09 }
            guard let equals = trimmed.firstIndex(of: UInt8(ascii: "=")),
                trimmed[..<equals].elementsEqual(name.utf8)
            else { continue }
            var value = Substring(trimmed[trimmed.index(after: equals)...])
            if value.count >= 2, value.hasPrefix("\""), value.hasSuffix("\"") { value = value.dropFirst().dropLast() }
            return value.isEmpty ? nil : String(value)
        }
        return nil
    }
}

extension RequestHead {
    /// All cookies; several fields count as one (RFC 9113 section 8.2.3).
    fileprivate var joinedCookies: String? {
        guard count("cookie") > 1 else { return first("cookie") }
        return fields.filter { $0.name.lowercased() == "cookie" }.map(\.value).joined(separator: "; ")
    }
}

/// Query strings (application/x-www-form-urlencoded).
enum QueryText {
    /// The first parameter of that name, decoded; `nil`: there is none, it is empty, or it is no UTF-8.
    static func value(of name: String, in query: some StringProtocol) -> String? {
        for pair in query.utf8.split(separator: UInt8(ascii: "&")) {
            let parts = pair.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, let key = decoded(parts[0]), key.utf8.elementsEqual(name.utf8) else { continue }
            return decoded(parts[1]).flatMap { $0.isEmpty ? nil : $0 }
        }
        return nil
    }

    /// The query without the parameters of that name; `nil` where nothing is left.
    static func removing(_ name: String, from query: String) -> String? {
        let kept = query.utf8.split(separator: UInt8(ascii: "&")).filter { pair in
            let key = pair.prefix { $0 != UInt8(ascii: "=") }
            return decoded(key).map { !$0.utf8.elementsEqual(name.utf8) } ?? true
        }
        return kept.isEmpty ? nil : kept.map { String(Substring($0)) }.joined(separator: "&")
    }

    private static func decoded(_ text: some Collection<UInt8>) -> String? {
        PercentEncoding.decode(text, plusIsSpace: true)
    }
}
