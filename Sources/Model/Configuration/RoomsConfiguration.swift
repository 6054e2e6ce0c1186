package struct RoomsConfiguration: Equatable, Sendable, Codable {
    /// Joins and leaves are announced in rooms up to this many members; 0…1,000,000; 0: never.
    package var announceMax = 200
    /// Rooms one client may be in; 1…100,000.
    package var maxPerClient = 128
    /// Longest room name, bytes of UTF-8; 1…1024.
    package var maxNameLength = 256
    /// A `wsd.v1.json` client whose connection broke is missed by the others only after this time; 0…10 min.
    package var presenceGrace = Duration.seconds(5)
    /// A client that has begun to type and says nothing more has stopped after this time; 1 s…10 min.
    package var typingTimeout = Duration.seconds(6)
    /// Who may broadcast to all clients; `nil`: `anyone`, where `auth.required` is on `nobody`.
    package var broadcast: Who?
    /// Who may send to a user; `nil`: `users`, where `auth.required` is on `nobody`.
    package var direct: Who?
    /// For rooms that no rule fits.
    package var defaults = RoomRule()
    /// The first whose `match` fits a room is its rule; what it leaves out is taken from ``defaults``.
    package var rules: [RoomRule] = []

    package init() {}
}

/// Who may do something.
package enum Who: String, Sendable, Codable, CaseIterable {
    /// Every client that may connect.
    case anyone
    /// Every client that has said who it is.
    case users
    /// Clients whose token or connect webhook grants it.
    case granted
    /// No client; only the backend.
    case nobody
}

/// What holds for rooms whose name fits a pattern. `nil`: as in `rooms.defaults`; there: the value that stands with the
/// field.
package struct RoomRule: Equatable, Sendable, Codable {
    /// A ``RoomPattern``; empty in `rooms.defaults`.
    package var match = ""
    /// `anyone`, where `auth.required` is on `granted`. So are the next three.
    package var join: Who?
    package var publish: Who?
    package var presence: Who?
    package var history: Who?
    /// Publishing needs membership; off.
    package var publishNeedsMembership: Bool?
    /// Messages kept; 0…1,000,000; 0: none.
    package var historySize: Int?
    /// How long a message is kept; 1 s…365 days; one hour.
    package var historyTTL: Duration?
    /// Messages a client may send to the room; see ``RateLimit``. Beside the limit of the connection.
    package var rate: RateLimit?
    /// What is delivered counts as read by its receiver's user; off.
    package var autoRead: Bool?
    /// Joins and publications are put before the webhooks of the same name; on.
    package var webhooks: Bool?

    package init(match: String = "") {
        self.match = match
    }
}
