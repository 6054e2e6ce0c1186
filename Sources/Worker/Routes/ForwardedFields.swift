import Model
import NIOCore
import NIOHTTP1

/// What a gateway changes in the heads that pass it (RFC 9110 section 7.6).
enum ForwardedFields {
    /// Fields that are for one connection alone (RFC 9110 section 7.6.1); so are those that `Connection` names.
    private static let hopByHop: Set<String> = [
        "connection", "proxy-connection", "keep-alive", "te", "transfer-encoding", "upgrade",
        // No field of anybody's; CGI makes the variable HTTP_PROXY of it, which programs take for their proxy.
        "proxy",
    ]
    /// What no client can take away by naming it in `Connection`.
    private static let kept: Set<String> = ["host", "content-length"]
    /// Besides `X-Forwarded-…`, what tells of clients before the peer, and is believed of trusted ones alone.
    private static let origin: Set<String> = ["forwarded", "x-real-ip"]
    /// What must not stand in trailers (RFC 9110 section 6.5.1).
    private static let noTrailers: Set<String> = [
        "content-length", "host", "trailer", "authorization", "cookie", "set-cookie", "content-encoding",
        "content-type",
        "content-range", "cache-control", "expect", "range", "www-authenticate",
    ]

    /// The head that the upstream gets.
    ///
    /// - Parameter isSwitch: it asks for another protocol; `Upgrade` stays.
    static func request(
        _ head: HTTPRequestHead, route: Route, peer: ForwardedPeer, isSwitch: Bool = false
    ) -> HTTPRequestHead {
        let (authority, target) = split(head.uri)
        var fields = endToEnd(head.headers)
        let host = authority.map(String.init) ?? head.headers.first(name: "host")
        switch route.settings.host {
        case .keep: fields.replaceOrAdd(name: "Host", value: host ?? route.settings.upstream.authority)
        case .upstream: fields.replaceOrAdd(name: "Host", value: route.settings.upstream.authority)
        }
        setOrigin(&fields, head, host, peer)
        fields.add(name: "Via", value: "1.\(head.version.minor) wsd")
        setFraming(&fields, head)
        if isSwitch {
            fields.add(name: "Connection", value: "Upgrade")
            for value in head.headers["upgrade"] { fields.add(name: "Upgrade", value: value) }
        }
        return HTTPRequestHead(
            version: .http1_1, method: head.method, uri: route.upstreamTarget(target), headers: fields)
    }

    /// The fields that the client gets. Framing is the connection's matter.
    static func response(_ head: HTTPResponseHead) -> HTTPHeaders {
        var fields = endToEnd(head.headers)
        // RFC 9112 section 6.3: where both stand, the length counts for nothing.
        if head.headers.contains(name: "transfer-encoding") { fields.remove(name: "content-length") }
        return fields
    }

    /// Whether nothing but `chunked` was done to the body on its way.
    static func isUnderstood(_ head: HTTPResponseHead) -> Bool {
        let codings = head.headers[canonicalForm: "transfer-encoding"]
        return codings.isEmpty || codings.count == 1 && codings[0].lowercased() == "chunked"
    }

    static func trailers(_ trailers: HTTPHeaders?) -> HTTPHeaders? {
        guard let trailers else { return nil }
        let allowed = trailers.filter {
            let name = $0.name.lowercased()
            return !hopByHop.contains(name) && !noTrailers.contains(name) && !tellsOrigin(name)
        }
        return allowed.isEmpty ? nil : HTTPHeaders(allowed)
    }

    /// How often the request has passed a wsd before.
    static func hops(_ fields: HTTPHeaders) -> Int {
        fields[canonicalForm: "via"].count { $0.lowercased().hasSuffix(" wsd") }
    }

    /// Whether the upstream, which may make addresses of it, can be told where the client wanted to go.
    ///
    /// - Parameter hosts: all fields `Host`. HTTP/1.0 needs none.
    static func isHostSound(_ hosts: [String], target: String) -> Bool {
        hosts.count <= 1
            && ([split(target).authority.map(String.init)] + hosts).compactMap(\.self).allSatisfy(ClientSettings.isHost)
    }

    /// Authority (of an absolute target alone, RFC 9112 section 3.2.2) and the rest of a target.
    static func split(_ target: String) -> (authority: Substring?, target: Substring) {
        guard target.utf8.first != UInt8(ascii: "/"), let mark = target.range(ofScheme: "://") else {
            return (nil, target[...])
        }
        let rest = target[mark.upperBound...]
        guard let end = rest.firstIndex(where: { $0 == "/" || $0 == "?" }) else { return (rest, "/") }
        return (rest[..<end], rest[end] == "?" ? "/" + rest[end...] : rest[end...])
    }

    private static func endToEnd(_ fields: HTTPHeaders) -> HTTPHeaders {
        let named = Set(fields[canonicalForm: "connection"].map { $0.lowercased() }).subtracting(kept)
        var result = HTTPHeaders()
        result.reserveCapacity(fields.count + 6)
        for (name, value) in fields {
            let lowered = name.lowercased()
            if !hopByHop.contains(lowered), !named.contains(lowered) { result.add(name: name, value: value) }
        }
        return result
    }

    private static func setOrigin(
        _ fields: inout HTTPHeaders, _ head: HTTPRequestHead, _ host: String?, _ peer: ForwardedPeer
    ) {
        let chain = peer.isTrusted ? head.headers["x-forwarded-for"] : []
        let isNamed = Set(head.headers[canonicalForm: "connection"].map { $0.lowercased() })
        func told(_ name: String) -> String? {
            peer.isTrusted && !isNamed.contains(name) ? head.headers.first(name: name) : nil
        }
        let proto = told("x-forwarded-proto") ?? (peer.isSecure ? "https" : "http")
        let name = told("x-forwarded-host") ?? host
        let port = told("x-forwarded-port") ?? peer.port.map(String.init)
        for field in fields.map(\.name) where tellsOrigin(field) && (!peer.isTrusted || field.contains("_")) {
            fields.remove(name: field)
        }
        let addresses = chain + [peer.address].compactMap { $0 }
        let list = addresses.joined(separator: ", ")
        set(&fields, "X-Forwarded-For", list.isEmpty ? nil : list)
        set(&fields, "X-Forwarded-Proto", proto)
        set(&fields, "X-Forwarded-Host", name)
        set(&fields, "X-Forwarded-Port", port)
    }

    /// Underscores count as hyphens: for many applications (CGI, WSGI, Rack, PHP) they are the same.
    private static func tellsOrigin(_ field: String) -> Bool {
        let name = String(
            decoding: field.lowercased().utf8.map { $0 == UInt8(ascii: "_") ? UInt8(ascii: "-") : $0 }, as: UTF8.self)
        return origin.contains(name) || name.hasPrefix("x-forwarded-")
    }

    private static func set(_ fields: inout HTTPHeaders, _ name: String, _ value: String?) {
        guard let value else { return fields.remove(name: name) }
        fields.replaceOrAdd(name: name, value: value)
    }

    /// One of the two ways, never both (RFC 9112 section 6.1).
    private static func setFraming(_ fields: inout HTTPHeaders, _ head: HTTPRequestHead) {
        if head.headers.contains(name: "transfer-encoding") {
            fields.remove(name: "content-length")
            fields.add(name: "Transfer-Encoding", value: "chunked")
        } else if !fields.contains(name: "content-length"), [.POST, .PUT, .PATCH].contains(head.method) {
            fields.add(name: "Content-Length", value: "0")
        }
    }
}

extension String {
    /// Where the scheme of an absolute target ends.
    fileprivate func range(ofScheme mark: StaticString) -> Range<Index>? {
        guard let colon = utf8.firstIndex(of: UInt8(ascii: ":")), self[colon...].utf8.starts(with: "://".utf8) else {
            return nil
        }
        return colon..<utf8.index(colon, offsetBy: 3)
    }
}

extension HTTPResponseHead {
    /// Says how the body ends, in one way alone (RFC 9112 section 6.3).
    mutating func frame(for method: HTTPMethod) {
        guard status.mayHaveResponseBody else {
            headers.remove(name: "content-length")
            headers.remove(name: "transfer-encoding")
            return
        }
        guard !headers.contains(name: "content-length"), method != .HEAD, version.minor >= 1 else {
            headers.remove(name: "transfer-encoding")
            return
        }
        headers.replaceOrAdd(name: "Transfer-Encoding", value: "chunked")
    }
}

extension HTTPResponseEncoder.Configuration {
    /// ``HTTPResponseHead/frame(for:)`` is called for every answer: the encoder does not know what was asked, and would give
    /// an answer to HEAD a body.
    static var framedByHandler: Self {
        var configuration = Self()
        configuration.automaticallySetFramingHeaders = false
        return configuration
    }
}
