/// Why a client's message was not carried out. The raw value is the stable `code`, ``words`` is for people.
package enum ClientErrorCode: String, Hashable, Sendable, Codable, CaseIterable {
    case invalidMessage = "invalid_message"
    case unknownType = "unknown_type"
    case invalidRoom = "invalid_room"
    case missingData = "missing_data"
    case tooManyRooms = "too_many_rooms"
    case rateLimited = "rate_limited"
    case unsupportedData = "unsupported_data"
    /// The hub is away or did not confirm in time. What was asked may be tried again.
    case unavailable
    /// Nothing may be asked before `auth`.
    case unauthenticated
    /// The token is not good; the close code says whether another may be.
    case invalidToken = "invalid_token"
    case forbidden
    /// A room without history was asked for it.
    case noHistory = "no_history"
    case invalidUser = "invalid_user"
    case invalidMessageID = "invalid_message_id"
    case invalidPosition = "invalid_position"
    /// The disk is full or failing: the message was not recorded, hence not delivered. It may be tried again.
    case storageFailed = "storage_failed"
    /// A webhook refused; its own words may stand with it.
    case refused
    /// A webhook did not answer in time or failed.
    case backendFailed = "backend_failed"
    case timeout

    package var words: String {
        switch self {
        case .invalidMessage: "Invalid message format"
        case .unknownType: "Unknown message type"
        case .invalidRoom: "Invalid room"
        case .missingData: "Missing data"
        case .tooManyRooms: "Too many rooms"
        case .rateLimited: "Rate limit exceeded"
        case .unsupportedData: "Binary messages are not supported"
        case .unavailable: "Temporarily unavailable, please try again"
        case .unauthenticated: "Authentication required"
        case .invalidToken: "Invalid token"
        case .forbidden: "Not allowed"
        case .noHistory: "The room keeps no history"
        case .invalidUser: "Invalid user"
        case .invalidMessageID: "Invalid message id"
        case .invalidPosition: "Invalid position"
        case .storageFailed: "The message could not be stored, please try again"
        case .refused: "Refused"
        case .backendFailed: "The application did not answer, please try again"
        case .timeout: "No answer in time"
        }
    }

    /// Whether asking the same again later may succeed.
    package var isTemporary: Bool {
        switch self {
        case .rateLimited, .unavailable, .storageFailed, .backendFailed, .timeout: true
        case .invalidMessage, .unknownType, .invalidRoom, .missingData, .tooManyRooms, .unsupportedData,
            .unauthenticated,
            .invalidToken, .forbidden, .noHistory, .invalidUser, .invalidMessageID, .invalidPosition, .refused:
            false
        }
    }
}

/// A refusal with what goes beside its code.
package struct ClientRefusal: Error, Hashable, Sendable {
    package var code: ClientErrorCode
    /// Instead of the code's own words (a webhook's).
    package var message: String?
    /// How long to wait before trying again.
    package var retryAfter: Duration?

    package init(_ code: ClientErrorCode, message: String? = nil, retryAfter: Duration? = nil) {
        self.code = code
        self.message = message
        self.retryAfter = retryAfter
    }

    package var words: String { message ?? code.words }
}
