/// Why a call of the backend's API was not carried out. The raw value is the stable `code` in the answer.
package enum BackendErrorCode: String, Hashable, Sendable, Codable, CaseIterable {
    /// The body, a parameter or a value in them is not what the call takes.
    case invalidRequest = "invalid_request"
    /// No key, or one that is not known.
    case unauthorized
    /// The key is not good for this.
    case forbidden
    /// No such call.
    case notFound = "not_found"
    case methodNotAllowed = "method_not_allowed"
    /// The body is larger than `api.maxBody`.
    case tooLarge = "too_large"
    /// The room keeps no history.
    case noHistory = "no_history"
    /// The hub is away, or did not answer in time.
    case unavailable
    /// The disk is full or failing: nothing was recorded, hence nothing delivered.
    case storageFailed = "storage_failed"

    /// Of the HTTP response.
    package var status: Int {
        switch self {
        case .invalidRequest: 400
        case .unauthorized: 401
        case .forbidden: 403
        case .notFound, .noHistory: 404
        case .methodNotAllowed: 405
        case .tooLarge: 413
        case .unavailable: 503
        case .storageFailed: 507
        }
    }
}

/// A refusal in words: `message` is a sentence that says what to do.
package struct BackendError: Error, Hashable, Sendable {
    package var code: BackendErrorCode
    package var message: String

    package init(_ code: BackendErrorCode, _ message: String) {
        self.code = code
        self.message = message
    }
}
