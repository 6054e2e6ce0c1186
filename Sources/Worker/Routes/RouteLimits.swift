import NIOCore

/// Bounds of what routes do besides those of their configuration.
enum RouteLimits {
    /// A connection to an upstream that nobody uses is closed after this: before the upstream does it (Node's servers after
    /// 5 s), as a request that meets that moment fails.
    static let keepAlive = TimeAmount.seconds(4)
    /// Between two looks for such connections.
    static let sweepInterval = TimeAmount.seconds(1)
    /// Unused connections that are kept for each route.
    static let maxIdle = 64
    /// Requests of a worker that wait for upstreams to start; more are refused.
    static let maxHeld = 1024
    /// Between two attempts to connect to an upstream that refuses; doubles up to ``maxRetryDelay``.
    static let retryDelay = TimeAmount.milliseconds(50)
    static let maxRetryDelay = TimeAmount.milliseconds(500)
    /// New connections for one request that end before anything is answered, if it may be repeated at all.
    static let maxAttempts = 3
    /// A client that sends nothing of its request's body for this long is answered 408.
    static let clientSilence = TimeAmount.seconds(30)
    /// Bytes of an answer's head, and its fields.
    static let maxAnswerHead = 64 * 1024
    static let maxAnswerFields = 256
    /// Reads of a connection before others have their turn. Each brings up to 64 KiB, which is also what may wait to be
    /// written beyond a channel's high water mark (64 KiB).
    static let readsPerTurn: UInt = 1
    /// Passages through wsd (`Via`) that a request may have behind it: more are a loop.
    static let maxHops = 8
    /// What a client is told to wait after 503, seconds.
    static let retryAfter = 2
    /// Between two looks at the tunnels that are to be closed.
    static let drainStep = TimeAmount.milliseconds(50)
}
