/// What a worker asks the hub to do on behalf of a client. Raw values are on the wire.
package enum HubOperationKind: UInt8, Hashable, Sendable, CaseIterable {
    case join = 1
    case leave = 2
    /// To the other members of a room.
    case publish = 3
    /// To all other clients.
    case broadcast = 4
    /// Nothing but the acknowledgement, which says that all before it is in force.
    case confirm = 5
}

/// What members of a room (or all clients) are told. Raw values are on the wire.
package enum HubDeliveryKind: UInt8, Hashable, Sendable, CaseIterable {
    case message = 1
    case broadcast = 2
    case userJoined = 3
    case userLeft = 4
}

/// Head of a delivery from the hub; the data of a publication goes beside it.
package struct HubDelivery: Hashable, Sendable {
    /// Boot of the worker whose operation this is, or of the hub for what the hub did itself.
    package var origin: BootID
    /// The operation's sequence there. A receiver drops what is not above the last one it saw of this origin.
    package var sequence: UInt64
    package var kind: HubDeliveryKind
    /// Who sent, joined or left: the one client that is not told. Serial 0: nobody (an operator published).
    package var subject: ClientID
    /// Empty for a broadcast.
    package var room: RoomName

    package init(origin: BootID, sequence: UInt64, kind: HubDeliveryKind, subject: ClientID, room: RoomName) {
        self.origin = origin
        self.sequence = sequence
        self.kind = kind
        self.subject = subject
        self.room = room
    }
}
