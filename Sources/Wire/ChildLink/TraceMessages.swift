package import Model

// What `wsctl trace` shows: the supervisor asks every worker with ``ChildQuery/trace(id:_:)``, and each streams
// ``ChildMessage/trace(id:events:dropped:)`` until ``ChildQuery/untrace(id:)``, or until the supervisor is gone.

/// Whom a trace follows. An event is shown that fits every field that is set; at least one must be.
package struct TraceFilter: Codable, Sendable, Equatable {
    package var client: String?
    package var room: String?
    package var user: String?
    /// Show what was sent, too, up to ``TraceEvent/maxPayload`` bytes of each message.
    package var payloads: Bool

    package init(client: String? = nil, room: String? = nil, user: String? = nil, payloads: Bool = false) {
        self.client = client
        self.room = room
        self.user = user
        self.payloads = payloads
    }

    package var isEmpty: Bool { client == nil && room == nil && user == nil }

    /// The client, where it alone is followed: once that has closed, nothing more can come.
    package var onlyClient: ClientID? { room == nil && user == nil ? client.flatMap { ClientID($0) } : nil }
}

/// One thing that happened to a client, a room or a user.
package struct TraceEvent: Codable, Sendable, Equatable {
    /// Bytes of a message that are shown; the rest is cut off.
    package static let maxPayload = 2048

    package enum Kind: String, Codable, Sendable, CaseIterable {
        case connected
        case authenticated
        case joined
        case left
        case published
        /// A message, an announcement or a direct message went to ``TraceEvent/count`` clients of this worker.
        case delivered
        /// A command failed with ``TraceEvent/code``.
        case failed
        case closed
        /// A webhook was called; ``TraceEvent/code`` says with what result.
        case webhook
        /// Members of the room were told that messages are lost for them.
        case gap
    }

    /// Seconds since 1970.
    package var time: Double
    package var worker: Int
    package var kind: Kind
    package var client: String?
    package var user: String?
    package var room: String?
    /// An error's or a close frame's code, a webhook's name.
    package var code: String?
    /// A sentence or word that says more.
    package var detail: String?
    /// Size of the message.
    package var bytes: Int?
    package var count: Int?
    package var offset: UInt64?
    /// JSON text, where payloads were asked for; cut after ``maxPayload`` bytes.
    package var payload: String?

    package init(time: Double, worker: Int, kind: Kind) {
        self.time = time
        self.worker = worker
        self.kind = kind
    }
}
