/// How a ``WsdClient`` connects, and how patient it is.
public struct WsdClientConfiguration: Sendable {
    /// `ws://host:port/path`; the path defaults to `/ws`. `wss:` is not supported by this client.
    public var url: String
    /// Asked for a token (JSON Web Token) at every connect and before one expires; `nil`: anonymous.
    public var token: (@Sendable () async throws -> String)?
    /// Offers permessage-deflate.
    public var compression = false
    /// First wait before a reconnect; each further one is up to `factor` times longer, with full jitter.
    public var initialDelay = Duration.milliseconds(500)
    public var factor = 2.0
    public var maxDelay = Duration.seconds(20)
    /// For the connection to be open, from its first byte to `connected`.
    public var connectTimeout = Duration.seconds(10)
    /// From asking to the last attempt's failure, reconnects included.
    public var requestTimeout = Duration.seconds(30)
    /// Requests that may wait for an answer or a connection; more are refused.
    public var maxPending = 1024
    /// Without any byte from the server for this long beyond its ping interval the connection counts as dead.
    public var silenceGrace = Duration.seconds(15)
    /// Largest message from the server, bytes.
    public var maxMessageSize = 16 * 1024 * 1024

    public init(url: String) {
        self.url = url
    }
}

/// What a client is told, in the order it happened.
public enum WsdEvent: Sendable {
    case connected(client: String, user: String?)
    /// The connection is gone and will be made anew after `retryIn`.
    case disconnected(code: UInt16?, reason: String, retryIn: Duration)
    /// Over: the server does not want this client back, or ``WsdClient/close()`` was called.
    case stopped(code: UInt16?, reason: String)
    case message(WsdMessage)
    /// The room is joined, for the first time or again.
    case joined(WsdJoin)
    /// The server refused the room for good.
    case joinFailed(room: String, WsdClientError)
    case left(room: String)
    /// Messages of this room were missed and cannot be had any more.
    case gap(room: String, reason: String)
    /// Anything else, as JSON text: `broadcast`, `direct`, `userJoined`, `userLeft`, `typing`, `read`, …
    case other(type: String, json: String)
}

/// One message of a room.
public struct WsdMessage: Sendable, Hashable {
    public var room: String
    /// 0: the room has no history.
    public var offset: UInt64
    public var epoch: String?
    /// The publisher's name of it.
    public var id: String?
    /// JSON text.
    public var data: String
}

/// A room as it was when it was joined.
public struct WsdJoin: Sendable, Hashable {
    public var room: String
    public var epoch: String?
    public var offset: UInt64
    /// `nil`: this was the first join.
    public var recovered: Bool?
    /// Why not.
    public var reason: String?
}

/// What became of a publication.
public struct WsdPublication: Sendable, Hashable {
    public var epoch: String?
    /// 0: the room has no history.
    public var offset: UInt64
    /// It had been taken before, from an earlier attempt.
    public var isDuplicate: Bool
}

public enum WsdClientError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The server's `code` and words.
    case refused(code: String, message: String)
    /// No answer within ``WsdClientConfiguration/requestTimeout``.
    case timedOut
    /// ``WsdClientConfiguration/maxPending`` requests wait already.
    case tooManyPending
    /// The client was closed, or the server wants it no more.
    case stopped(reason: String)
    case invalidURL(String)
    /// The server's answer is not of the protocol.
    case malformedAnswer

    public var description: String {
        switch self {
        case .refused(let code, let message): "The server refused: \(message) (\(code))."
        case .timedOut: "The server did not answer in time."
        case .tooManyPending: "Too many requests wait for their answers."
        case .stopped(let reason): "The client has stopped: \(reason)."
        case .invalidURL(let url): "Not an address of the form ws://host:port/path: \(url)"
        case .malformedAnswer: "The server's answer is not of wsd.v1.json."
        }
    }
}

/// What a client has counted since it was made.
public struct WsdClientStatistics: Sendable, Hashable {
    public var connects = 0
    public var messages = 0
    /// Messages that came again and were dropped.
    public var repeated = 0
    /// Messages whose offset did not follow the last one.
    public var skipped = 0
    public var recovered = 0
    public var notRecovered = 0
}
