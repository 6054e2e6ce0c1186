/// What a client asks for, whatever dialect it speaks. The data of a message stays where it was read.
package enum ClientCommand: Hashable, Sendable {
    /// Authenticate, or replace the token before it expires.
    case authenticate(token: String)
    /// Become a member of a room. Asking again is no error.
    case join(RoomName, JoinOptions)
    /// Be a member no more. Asking without being one is no error.
    case leave(RoomName)
    /// Send to the members of a room. The sender need not be one.
    case publish(RoomName, messageID: MessageID?)
    /// Send to all other clients of the service.
    case broadcast
    /// Send to all connections of a user.
    case direct(UserName, messageID: MessageID?)
    /// A page of a room's history.
    case history(RoomName, HistoryQuery)
    /// Who is in a room; `countOnly`: just how many.
    case presence(RoomName, countOnly: Bool)
    /// The client is writing, or has stopped.
    case typing(RoomName, Bool)
    /// The client's user has read a room up to an offset.
    case read(RoomName, offset: UInt64)
    /// Nothing but the answer.
    case ping
    /// Any other type with a request id: the rpc webhook's.
    case call(type: String, timeout: Duration?)

    package var room: RoomName? {
        switch self {
        case .join(let room, _), .leave(let room), .publish(let room, _), .history(let room, _), .presence(let room, _),
            .typing(let room, _), .read(let room, _):
            room
        case .authenticate, .broadcast, .direct, .ping, .call: nil
        }
    }

    /// Whether the hub may have much to say to it.
    package var hasLongAnswer: Bool {
        switch self {
        case .join(_, let options): options.since != nil || options.presence
        case .history, .presence: true
        case .authenticate, .leave, .publish, .broadcast, .direct, .typing, .read, .ping, .call: false
        }
    }
}

/// A publisher's own name of a message, by which a repetition is recognised within a room; 1…``maxLength`` bytes.
package struct MessageID: ExactText {
    package static let maxLength = 64

    package let text: String

    package init(_ text: String) {
        self.text = text
    }
}

/// How a client joins.
package struct JoinOptions: Hashable, Sendable {
    /// The last message the client has seen: what it missed since then is to follow.
    package var since: RoomPosition?
    /// The `session` of the client's former connection: within the grace time its return is neither leave nor join.
    package var session: SessionID?
    /// Answer with who is there.
    package var presence = false
    /// The dialect says nothing of positions: the member is in force at once, and no reply is needed but success.
    package var isPlain = false

    package init() {}

    /// What the simple dialect asks for.
    package static let plain: JoinOptions = {
        var options = JoinOptions()
        options.isPlain = true
        return options
    }()
}

/// A secret of one connection, known to its client alone: 64 random bits. Its text form is lower-case base 32.
package struct SessionID: Hashable, Sendable, Codable, CustomStringConvertible {
    package var rawValue: UInt64

    package init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    package init?(_ text: some StringProtocol) {
        guard let value = Base32.decode(text) else { return nil }
        self.init(rawValue: value)
    }

    package var description: String { Base32.encode(rawValue) }
}

/// A life of a room's history: offsets of different epochs have nothing to do with each other. Random, never 0. Its text
/// form is lower-case base 32.
package struct RoomEpoch: Hashable, Sendable, Codable, CustomStringConvertible {
    package var rawValue: UInt64

    package init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    package init?(_ text: some StringProtocol) {
        guard let value = Base32.decode(text), value > 0 else { return nil }
        self.init(rawValue: value)
    }

    package var description: String { Base32.encode(rawValue) }
}

/// A place in a room's history: after the message with that offset. Offset 0 is before the first message.
package struct RoomPosition: Hashable, Sendable, Codable {
    package var epoch: RoomEpoch
    package var offset: UInt64

    package init(epoch: RoomEpoch, offset: UInt64) {
        self.epoch = epoch
        self.offset = offset
    }
}

/// A page of history, oldest first unless `reverse`.
package struct HistoryQuery: Hashable, Sendable, Codable {
    /// Messages in one page at most.
    package static let maxLimit = 1000

    /// Only offsets above (`reverse`: below) this one; `nil`: from the oldest (newest) kept.
    package var from: UInt64?
    /// 0…``maxLimit``; 0 asks for the position alone.
    package var limit = 100
    package var reverse = false

    package init() {}
}

/// The mark a client puts on a request to recognise its answer: the JSON text of a string or number, as it came.
package struct RequestID: Hashable, Sendable {
    /// Bytes of JSON text; above, the message is refused.
    package static let maxLength = 256

    package var json: String

    package init(json: String) {
        self.json = json
    }
}
