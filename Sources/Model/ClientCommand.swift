/// What a client asks for, whatever dialect it speaks. The data of a message stays where it was read.
package enum ClientCommand: Hashable, Sendable {
    /// Become a member of a room. Asking again is no error.
    case join(RoomName)
    /// Be a member no more. Asking without being one is no error.
    case leave(RoomName)
    /// Send to the other members of a room. The sender need not be one.
    case send(RoomName)
    /// Send to all other clients of the service.
    case broadcast

    package var room: RoomName? {
        switch self {
        case .join(let room), .leave(let room), .send(let room): room
        case .broadcast: nil
        }
    }
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

/// Why a client's message was not carried out. The raw value is the stable `code`, ``words`` is for people.
package enum ClientErrorCode: String, Hashable, Sendable, CaseIterable {
    case invalidMessage = "invalid_message"
    case unknownType = "unknown_type"
    case invalidRoom = "invalid_room"
    case missingData = "missing_data"
    case tooManyRooms = "too_many_rooms"
    case tooManyRequests = "too_many_requests"
    case rateLimited = "rate_limited"
    case unsupportedData = "unsupported_data"
    /// The hub is away or did not confirm in time. What was asked may be tried again.
    case unavailable

    package var words: String {
        switch self {
        case .invalidMessage: "Invalid message format"
        case .unknownType: "Unknown message type"
        case .invalidRoom: "Invalid room"
        case .missingData: "Missing data"
        case .tooManyRooms: "Too many rooms"
        case .tooManyRequests: "Too many unanswered requests"
        case .rateLimited: "Rate limit exceeded"
        case .unsupportedData: "Binary messages are not supported"
        case .unavailable: "Temporarily unavailable, please try again"
        }
    }
}
