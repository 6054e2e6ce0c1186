import Authentication
import Model
import WebSocketProtocol

/// A handshake on the path of a ``LiveFeed`` that may be accepted.
struct LiveRequest: Sendable {
    var feed: LiveFeed
    /// The call of the control API that brings what is asked for.
    var call: String
    /// Name of the API key; never the key.
    var keyName: String
}

/// Who may follow the service live: whoever has an API key that allows `observe`.
struct LiveAccess: Sendable {
    /// The query parameter that stands in for `Authorization`, which pages cannot set.
    static let keyParameter = "token"

    private let keys: APIKeyring
    private let isOpen: Bool

    init(_ keys: [APIKey]) {
        self.keys = APIKeyring(keys)
        isOpen = keys.contains { $0.allow.contains(.observe) }
    }

    /// - Returns: with the reason of a refusal.
    func decide(_ feed: LiveFeed, _ head: RequestHead, _ offer: HandshakeOffer) -> (UpgradeDecision, RefusalReason?) {
        guard isOpen else { return (.refuse(.liveIsOff), .path) }
        guard let secret = Self.secret(head) else { return (.refuse(.liveNeedsKey), .token) }
        guard let key = keys.authenticate(secret) else { return (.refuse(.liveKeyUnknown), .token) }
        guard key.allow.contains(.observe) else { return (.refuse(.keyMayNotObserve(key)), .token) }
        switch feed.call(head.query) {
        case .success(let call): return (.live(offer, LiveRequest(feed: feed, call: call, keyName: key.name)), nil)
        case .failure(let refusal): return (.refuse(refusal), .handshake)
        }
    }

    private static func secret(_ head: RequestHead) -> String? {
        if let key = head.first("authorization").flatMap(HandshakeCredentials.bearer) { return key }
        return head.query.flatMap { QueryText.value(of: keyParameter, in: $0) }
    }
}

extension HTTPRefusal {
    static let liveIsOff = HTTPRefusal(
        status: 404,
        sentence: "Nothing can be followed live here: no API key allows observe. To make one: wsctl key new NAME.")

    static let liveNeedsKey = HTTPRefusal(
        status: 401,
        sentence: "Send an API key that allows observe: Authorization: Bearer KEY, or the query parameter token=KEY.",
        fields: [HTTPField("WWW-Authenticate", "Bearer")])

    /// RFC 6750 section 3.1; the key itself is in none of it.
    static let liveKeyUnknown = HTTPRefusal(
        status: 401,
        sentence: "The API key is not known: its hash stands in no entry of api.keys. Compare it with wsctl key hash.",
        fields: [HTTPField("WWW-Authenticate", "Bearer error=\"invalid_token\"")])

    static func keyMayNotObserve(_ key: APIKey) -> HTTPRefusal {
        HTTPRefusal(
            status: 403, sentence: "The key \(key.name) may not observe; add observe to its allow in api.keys.",
            fields: [HTTPField("WWW-Authenticate", "Bearer error=\"insufficient_scope\"")])
    }

    static let tooManyLive = HTTPRefusal(
        status: 503,
        sentence:
            "\(LiveConnections.maximum) live connections are the most that a worker has; close one and try again.",
        fields: [HTTPField("Retry-After", "5")])

    static let liveEnds = HTTPRefusal(
        status: 503, sentence: "The worker is being stopped; connect again.", fields: [HTTPField("Retry-After", "1")])

    static let liveUnavailable = HTTPRefusal(
        status: 503, sentence: "The supervisor cannot be asked at the moment; try again.",
        fields: [HTTPField("Retry-After", "5")])
}
