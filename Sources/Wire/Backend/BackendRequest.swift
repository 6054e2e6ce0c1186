package import Model

/// A call of the backend's HTTP API, or of the control socket's that says the same.
///
/// Between processes, and as an entry of a batch, it is one JSON object with a `type`
/// (``encoded()``, ``init(encoded:maxRoomLength:)``): `data` stands in it byte for byte. Codable as a string with that object.
package enum BackendRequest: Hashable, Sendable {
    case publish(RoomName, BackendMessage)
    /// The same message to 1…``maxRooms`` rooms.
    case publishMany([RoomName], BackendMessage)
    case broadcast(BackendMessage)
    case sendToUser(UserName, BackendMessage)
    case presence(RoomName)
    case presenceCount(RoomName)
    case history(RoomName, HistoryQuery)
    case removeHistory(RoomName)
    case disconnectUser(UserName, BackendClose)
    case disconnectClient(ClientID, BackendClose)
    /// Makes all connections of a user members of a room.
    case subscribe(UserName, RoomName)
    case unsubscribe(UserName, RoomName)
    /// Rooms whose name begins with `prefix`, in order; at most `limit`, 1…``maxRooms``.
    case rooms(prefix: String, limit: Int)
    case info
    /// Carried out in order; 0…``maxBatch``. Holds no batch.
    case batch([BackendRequest])

    /// Entries of a batch.
    package static let maxBatch = 1000
    /// Rooms of one `publishMany`, or of one page of rooms.
    package static let maxRooms = 1000

    /// What a key must be good for; of a batch, all of its entries' rights.
    package var rights: Set<APIRight> {
        switch self {
        case .publish, .publishMany, .broadcast, .sendToUser: [.publish]
        case .removeHistory, .disconnectUser, .disconnectClient, .subscribe, .unsubscribe: [.manage]
        case .presence, .presenceCount, .history, .rooms, .info: [.observe]
        case .batch(let requests): requests.reduce(into: []) { $0.formUnion($1.rights) }
        }
    }
}

/// What the backend sends.
package struct BackendMessage: Hashable, Sendable {
    package var data: JSONText
    package var messageID: MessageID?
    /// In whose name; `nil`: nobody's.
    package var sender: UserName?

    package init(data: JSONText, messageID: MessageID? = nil, sender: UserName? = nil) {
        self.data = data
        self.messageID = messageID
        self.sender = sender
    }
}

/// How the backend ends connections.
package struct BackendClose: Hashable, Sendable {
    /// Bytes of a reason: a close frame has no room for more (RFC 6455 section 5.5).
    package static let maxReason = 123

    /// 1000 or 3000…4999.
    package var code: CloseCode
    package var reason: String

    package init(code: CloseCode = .refusedByApplication, reason: String = "") {
        self.code = code
        self.reason = reason
    }
}
