package import Model

/// The dialect of the client library: subprotocol ``subprotocol``, JSON envelopes with room, position, sender and time.
/// `docs/protocol.md` shows every message.
package enum V1Dialect {
    /// Sec-WebSocket-Protocol (RFC 6455 section 11.3.4), and the name in statistics.
    package static let subprotocol = "wsd.v1.json"
    /// Commands or events in one frame.
    package static let maxBatch = 64
    /// Bytes of a `type` that is none of the dialect's own.
    package static let maxTypeLength = 128
    /// Bytes of a token.
    package static let maxTokenLength = 16 * 1024
    /// Longest `timeout` of a call; longer ones count as this.
    package static let maxTimeout = Duration.seconds(300)
}

/// What the first message tells a client.
package struct V1Connected: Hashable, Sendable {
    package var client: ClientID
    package var session: SessionID
    package var user: UserName?
    /// The client has said who it is, by a token or the connect webhook.
    package var isAuthenticated = false
    /// Nothing but `auth` is taken until then.
    package var isAuthRequired = false
    /// Until the identity ends; `nil`: it does not.
    package var expiresIn: Duration?
    /// JSON text of the connect webhook.
    package var data: String?
    package var server: V1ServerHints

    package init(client: ClientID, session: SessionID, server: V1ServerHints) {
        self.client = client
        self.session = session
        self.server = server
    }
}

/// What a client library should keep to.
package struct V1ServerHints: Hashable, Sendable {
    /// Zero: the server sends no pings.
    package var pingInterval: Duration
    package var pongTimeout: Duration
    /// Bytes.
    package var maxMessageSize: Int
    /// `nil`: no limit.
    package var rate: RateLimit?
    /// Bounds of the wait before another connection.
    package var reconnectMin: Duration
    package var reconnectMax: Duration

    package init(
        pingInterval: Duration, pongTimeout: Duration, maxMessageSize: Int, rate: RateLimit?,
        reconnectMin: Duration = .milliseconds(500), reconnectMax: Duration = .seconds(20)
    ) {
        self.pingInterval = pingInterval
        self.pongTimeout = pongTimeout
        self.maxMessageSize = maxMessageSize
        self.rate = rate
        self.reconnectMin = reconnectMin
        self.reconnectMax = reconnectMax
    }
}

/// The `data` of a successful reply.
package enum V1ReplyData: Hashable, Sendable {
    case authenticated(user: UserName?, expiresIn: Duration?)
    /// Of a join: what was missed follows as events (``V1Dialect/writeMissed(_:room:epoch:into:)``).
    case joined(JoinResult)
    /// Of `leave`, `typing` and `read`.
    case room(RoomName)
    case published(RoomName, position: RoomPosition?, isRepetition: Bool)
    /// Of `send`.
    case sent(UserName)
    /// Of `broadcast`.
    case broadcast
    case history(HistoryPage)
    /// `clients` `nil`: only the count was asked for.
    case presence(RoomName, members: Int, clients: [PresenceEntry]?)
    /// Of `ping`; milliseconds since 1970.
    case time(Int64)
    /// Of a call: JSON text as the application gave it.
    case json(JSONText)
}
