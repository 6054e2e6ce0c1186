/// What members of a room (or all clients, or one user) are told. Raw values are on the wire.
package enum HubDeliveryKind: UInt8, Hashable, Sendable, CaseIterable {
    /// Payload: the data. To the members of ``HubDelivery/room``.
    case message = 1
    /// Payload: the data. To every client.
    case broadcast = 2
    /// Payload: the joiner's info (JSON text) or nothing.
    case userJoined = 3
    case userLeft = 4
    case typingStarted = 5
    case typingStopped = 6
    /// ``HubDelivery/offset`` is what ``HubDelivery/user`` has read up to.
    case read = 7
    /// Payload: the data. To all connections of the user named in ``HubDelivery/room``.
    case direct = 8
}

/// Head of a delivery from the hub; the data of a publication goes beside it.
package struct HubDelivery: Hashable, Sendable {
    /// Boot of the worker whose operation this is, or of the hub for what the hub did itself.
    package var origin: BootID
    /// The operation's sequence there. A receiver drops what is not above the last one it saw of this origin, unless
    /// ``position`` is set: then the room's position decides.
    package var sequence: UInt64
    package var kind: HubDeliveryKind
    /// The one who sent, joined, left. Serial 0: nobody (the backend or an operator published).
    package var subject: ClientID
    /// The subject's user, if it is authenticated.
    package var user: UserName?
    /// Empty for a broadcast.
    package var room: RoomName
    /// The subject gets it, too (`wsd.v1.json`); otherwise it is left out.
    package var includesSubject = false
    /// For a message of a room with history: its epoch and offset.
    package var position: RoomPosition?
    /// For ``HubDeliveryKind/read``.
    package var offset: UInt64 = 0
    package var messageID: MessageID?
    /// Milliseconds since 1970 when the hub ordered it; 0: not told.
    package var time: Int64 = 0
    /// When the origin took it in; for the latency figures of this machine.
    package var publishedAt = MonotonicTime.zero

    package init(origin: BootID, sequence: UInt64, kind: HubDeliveryKind, subject: ClientID, room: RoomName) {
        self.origin = origin
        self.sequence = sequence
        self.kind = kind
        self.subject = subject
        self.room = room
    }
}

/// One message of a room's history, as kept.
package struct HistoryEntry: Hashable, Sendable {
    package var offset: UInt64
    /// Milliseconds since 1970.
    package var time: Int64
    package var subject: ClientID
    package var user: UserName?
    package var messageID: MessageID?
    /// JSON text as it came.
    package var data: [UInt8]
    /// The subject gets it, too, when it is delivered again to those who were connected; stored, not on the wire.
    package var includesSubject: Bool

    package init(
        offset: UInt64, time: Int64, subject: ClientID, user: UserName? = nil, messageID: MessageID? = nil,
        data: [UInt8], includesSubject: Bool = true
    ) {
        self.offset = offset
        self.time = time
        self.subject = subject
        self.user = user
        self.messageID = messageID
        self.data = data
        self.includesSubject = includesSubject
    }
}
