/// One thing that a worker asks of the hub, for a client or for itself.
package struct HubOperation: Hashable, Sendable {
    /// Only grows on one link; gaps mean operations that were given up before they were sent.
    package var sequence: UInt64
    /// Serial within the worker's boot; 0: the worker itself.
    package var client: UInt64
    package var request: HubRequest
    /// A ``HubReply`` is wanted besides the acknowledgement. Refusals are replied in any case.
    package var wantsReply = false
    /// When the worker took it in.
    package var publishedAt = MonotonicTime.zero

    package init(sequence: UInt64, client: UInt64, request: HubRequest) {
        self.sequence = sequence
        self.client = client
        self.request = request
    }
}

/// What is asked of the hub. The data of a publication goes beside it.
package enum HubRequest: Hashable, Sendable {
    case join(RoomName, JoinOptions)
    case leave(RoomName)
    /// `includesSender`: the publisher gets its own message, too, if it is a member.
    case publish(RoomName, MessageID?, includesSender: Bool)
    case broadcast
    case direct(UserName, MessageID?)
    /// Nothing but the acknowledgement, which says that all before it is in force.
    case confirm
    /// A connection was accepted. Replied with ``HubReply/admitted`` or ``HubReply/refused(_:)``.
    indirect case connect(ClientRegistration)
    /// The connection is now someone (an `auth` message). Replied as `connect`.
    indirect case identify(ClientRegistration)
    /// The connection is gone. `mayReturn`: members are held for the grace time.
    case disconnect(mayReturn: Bool)
    case history(RoomName, HistoryQuery)
    case presence(RoomName, countOnly: Bool)
    case typing(RoomName, Bool)
    case read(RoomName, offset: UInt64)
    /// A call of the backend's HTTP API: the payload is a `BackendRequest` as JSON, the reply's a `BackendResponse`.
    case backend
}

/// What the hub's registry knows of a connection.
package struct ClientRegistration: Hashable, Sendable {
    package var session: SessionID
    package var user: UserName?
    /// JSON text that others see.
    package var info: String?
    /// What `limits.connectionsPerAddress` counts by: an IPv4 address, an IPv6 /64; empty: not counted.
    package var addressKey: String
    /// The page's origin; empty: none.
    package var origin: String
    /// When its worker dies, its members are held for the grace time (`wsd.v1.json`).
    package var mayReturn = false

    package init(session: SessionID, user: UserName? = nil, info: String? = nil, addressKey: String, origin: String) {
        self.session = session
        self.user = user
        self.info = info
        self.addressKey = addressKey
        self.origin = origin
    }
}

/// The hub's answer to one operation, by its sequence. It comes before the acknowledgement that covers it.
package enum HubReply: Hashable, Sendable {
    case refused(ClientRefusal)
    /// `position` where the room has history; `isRepetition`: the message id was known, nothing was delivered again.
    case published(position: RoomPosition?, isRepetition: Bool)
    case joined(JoinResult)
    case history(HistoryPage)
    case presence(members: Int, clients: [PresenceEntry]?)
    case admitted
    /// The connection must be closed with this code.
    case rejected(CloseCode, reason: String)
    /// JSON text (UTF-8).
    case backend([UInt8])
}

/// What a joining client learns. Deliveries of the room behind this reply are above ``position``.
package struct JoinResult: Hashable, Sendable {
    package enum Recovery: Hashable, Sendable {
        case notAsked
        /// ``JoinResult/missed`` begins right behind what the client had seen.
        case recovered
        case failed(RecoveryFailure)
    }

    package var room: RoomName
    /// `nil`: the room has no history.
    package var position: RoomPosition?
    package var recovery = Recovery.notAsked
    /// What the client missed, oldest first; part of it where ``isPartial``.
    package var missed: [HistoryEntry] = []
    /// More was missed than one reply holds: join again with the last offset of ``missed``; the client is no member yet.
    package var isPartial = false
    package var members = 0
    package var presence: [PresenceEntry]?

    package init(room: RoomName) {
        self.room = room
    }
}

/// Why what a client missed cannot be given to it. Raw values are on the wire and in the protocol.
package enum RecoveryFailure: String, Hashable, Sendable, Codable, CaseIterable {
    /// Part of it is no longer kept (`size`, `ttl`, removal).
    case expired
    /// The room's history has begun anew.
    case epochChanged = "epoch_changed"
    /// The position is ahead of the room's.
    case ahead
    case noHistory = "no_history"
}

package struct HistoryPage: Hashable, Sendable {
    package var room: RoomName
    package var position: RoomPosition
    package var entries: [HistoryEntry]
    /// There are more beyond the page, in the query's direction.
    package var hasMore: Bool

    package init(room: RoomName, position: RoomPosition, entries: [HistoryEntry], hasMore: Bool) {
        self.room = room
        self.position = position
        self.entries = entries
        self.hasMore = hasMore
    }
}

package struct PresenceEntry: Hashable, Sendable {
    package var client: ClientID
    package var user: UserName?
    package var info: String?

    package init(client: ClientID, user: UserName?, info: String?) {
        self.client = client
        self.user = user
        self.info = info
    }
}

/// What the hub tells a worker to do with one of its clients, or to report.
package enum HubCommand: Hashable, Sendable {
    case close(client: UInt64, CloseCode, reason: String)
    /// The backend makes a client a member of a room.
    case subscribe(client: UInt64, RoomName)
    case unsubscribe(client: UInt64, RoomName)
    /// The room's last member has left: for the webhook of that event.
    case roomEmpty(RoomName)
    /// The worker's members of a room may have missed messages that are no longer kept.
    case membersMissed(RoomName)
}
