package import Model

/// The answer to a ``BackendRequest``: JSON that is the body of the HTTP response.
///
/// Codable as a string with that JSON. What was decoded is ``encoded(_:)``: no process needs more of it than to pass it on.
package enum BackendResponse: Hashable, Sendable {
    case failure(BackendError)
    case published(BackendPublication)
    /// One for each room, in order.
    case publishedMany([BackendPublication])
    /// Connections that a broadcast, a message to a user, a disconnection, subscription or its end concerned.
    case clients(Int)
    case presence(RoomName, members: Int, clients: [PresenceEntry])
    case presenceCount(RoomName, members: Int)
    case history(HistoryPage)
    /// `count`: messages that were kept until now.
    case historyRemoved(RoomName, count: Int)
    /// `hasMore`: there are rooms beyond the limit.
    case rooms([BackendRoom], hasMore: Bool)
    case info(BackendInfo)
    /// One for each entry, in order.
    case batch([BackendResponse])
    /// JSON of another process.
    case encoded(JSONText)
}

/// What became of a message to one room.
package struct BackendPublication: Hashable, Sendable {
    package var room: RoomName
    /// Where the room has history.
    package var position: RoomPosition?
    /// The message id was known: nothing was delivered again.
    package var isRepetition: Bool
    /// Not published, and why (in ``BackendResponse/publishedMany(_:)``).
    package var failure: BackendError?

    package init(room: RoomName, position: RoomPosition?, isRepetition: Bool) {
        self.room = room
        self.position = position
        self.isRepetition = isRepetition
    }

    package init(room: RoomName, failure: BackendError) {
        self.init(room: room, position: nil, isRepetition: false)
        self.failure = failure
    }
}

package struct BackendRoom: Hashable, Sendable {
    package var room: RoomName
    package var members: Int
    /// Where it has history.
    package var position: RoomPosition?

    package init(room: RoomName, members: Int, position: RoomPosition?) {
        self.room = room
        self.members = members
        self.position = position
    }
}

/// Figures of the whole service, as the hub has them.
package struct BackendInfo: Hashable, Sendable {
    package var version = WsdVersion.current
    package var workers = 0
    /// Connections.
    package var clients = 0
    /// Different users among them.
    package var users = 0
    /// Rooms with a member.
    package var rooms = 0
    /// Rooms whose history is in memory now, and what that holds.
    package var historyRooms = 0
    package var historyMessages = 0
    package var historyBytes = 0

    package init() {}
}
