package import Model

/// What the backend (or an operator) asks of the hub.
package enum BackendCall: Hashable, Sendable {
    /// To the members of a room, in a user's name or nobody's.
    case publish(RoomName, data: [UInt8], messageID: MessageID?, user: UserName?)
    case broadcast(data: [UInt8], user: UserName?)
    /// To all connections of a user.
    case direct(UserName, data: [UInt8], messageID: MessageID?, from: UserName?)
    case presence(RoomName, countOnly: Bool)
    case history(RoomName, HistoryQuery)
    case removeHistory(RoomName)
    /// Rooms whose name begins so, in the order of their names, at most `limit`.
    case rooms(prefix: String, limit: Int)
    case disconnectUser(UserName, CloseCode, reason: String)
    case disconnectClient(ClientID, CloseCode, reason: String)
    /// Makes all connections of a user members of a room, or members no more.
    case subscribe(UserName, RoomName)
    case unsubscribe(UserName, RoomName)
    /// The connections of a user, and the rooms of each.
    case user(UserName)
    case info
}

/// The answer to a ``BackendCall``, in the same order.
package enum BackendResult: Hashable, Sendable {
    /// `members`: how many the room has, wherever they are.
    case published(position: RoomPosition?, isRepetition: Bool, members: Int)
    /// Connections that are sent to, closed, subscribed, unsubscribed.
    case connections(Int)
    case presence(members: Int, clients: [PresenceEntry]?)
    case history(HistoryPage)
    /// `count`: messages that were kept until now.
    case historyRemoved(count: Int)
    case rooms([RoomSummary], hasMore: Bool)
    case user([UserConnection])
    case info(HubFigures)
    case refused(ClientRefusal)
}

package struct RoomSummary: Hashable, Sendable {
    package var name: RoomName
    package var members: Int
    /// `nil`: it keeps no history.
    package var position: RoomPosition?
    /// Messages and bytes of history kept.
    package var messages: Int
    package var bytes: Int
}

package struct UserConnection: Hashable, Sendable {
    package var client: ClientID
    package var info: String?
    package var rooms: [RoomName]
}
