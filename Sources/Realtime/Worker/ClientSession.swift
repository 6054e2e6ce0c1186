package import Model

/// What a worker knows of one client, whatever its transport: identity, figures, unanswered requests.
package struct ClientSession: Sendable {
    /// Requests of one client that may wait for the hub at once.
    package static let maxUnanswered = 1024

    package let id: ClientID
    package private(set) var unanswered = 0
    package private(set) var messagesIn = 0
    package private(set) var messagesOut = 0
    package private(set) var bytesIn = 0
    package private(set) var bytesOut = 0

    package init(id: ClientID) {
        self.id = id
    }

    /// Counts a message of the client. `nil`: carry it out; otherwise the reason to refuse it.
    package mutating func received(bytes: Int, request: RequestID?) -> ClientErrorCode? {
        messagesIn &+= 1
        bytesIn &+= bytes
        guard request != nil else { return nil }
        guard unanswered < Self.maxUnanswered else { return .tooManyRequests }
        return nil
    }

    /// The hub was asked, and the client waits for the answer.
    package mutating func requestAccepted() {
        unanswered += 1
    }

    /// That answer, good or bad, has been given.
    package mutating func requestAnswered() {
        unanswered = max(0, unanswered - 1)
    }

    package mutating func sent(messages: Int, bytes: Int) {
        messagesOut &+= messages
        bytesOut &+= bytes
    }
}
