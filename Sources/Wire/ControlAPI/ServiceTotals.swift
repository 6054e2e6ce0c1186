/// Figures over all processes, the ended ones included. What is marked as now is of the living ones.
package struct ServiceTotals: Codable, Sendable, Equatable {
    /// Now: connections.
    package var clients = 0
    /// Now: live connections (`/ws/logs`, `/ws/stats`), which are no clients.
    package var liveConnections = 0
    /// Now: different users among the clients.
    package var users = 0
    /// Now: rooms with a member.
    package var rooms = 0
    /// Now: rooms whose history is in memory, the messages in it, and their bytes.
    package var historyRooms = 0
    package var historyMessages = 0
    package var historyBytes = 0
    /// Now: bytes of the history's database, its log included.
    package var historyFileBytes = 0

    package var messagesIn = 0
    package var messagesOut = 0
    package var bytesIn = 0
    package var bytesOut = 0
    /// Over the last seconds.
    package var messagesInPerSecond = 0.0
    package var messagesOutPerSecond = 0.0
    /// Bytes of a message of both directions in the mean.
    package var averageSize: Double?

    package var connectionsAccepted = 0
    package var handshakesRefused = 0
    /// WebSocket connections opened, and those of clients that came back among them.
    package var connects = 0
    package var reconnects = 0
    /// Joins with a position: all missed messages were there, or not.
    package var resumed = 0
    package var notResumed = 0
    /// Connections that were not admitted, by reason.
    package var refusedByReason: [String: Int] = [:]
    /// Messages refused by a rate limit.
    package var rateLimited = 0
    /// Commands that failed, by code.
    package var errorsByCode: [String: Int] = [:]
    package var slowClientsClosed = 0
    package var heartbeatTimeouts = 0
    package var protocolErrors = 0
    /// Clients closed because deliveries for them were lost, and members that were told of lost messages instead.
    package var lossClosed = 0
    package var gaps = 0

    /// Ordered by the hub.
    package var publications = 0
    /// Of these: recorded in a history, not delivered again, and refused because they could not be recorded.
    package var recorded = 0
    package var repetitions = 0
    package var storageFailures = 0
    /// Batches committed to the history's database, and how long one takes in the mean, seconds.
    package var commits = 0
    package var commitMean: Double?

    /// Bytes sent for each byte of the compressed messages to clients; likewise of those from clients.
    package var compressionRatio: Double?
    package var decompressionRatio: Double?

    /// By name; only those that are configured.
    package var webhooks: [String: WebhookTotals] = [:]
    /// From taking in a publication to the last write of its delivery, each worker's counted once; `nil`: none yet.
    package var latency: LatencySummary?

    package var restarts = 0
    package var errors = 0
    package var logLinesDropped = 0
    /// Now: traces that are followed.
    package var traces = 0
    package var traceEventsDropped = 0

    package init() {}
}

/// Calls of one webhook.
package struct WebhookTotals: Codable, Sendable, Equatable {
    package var calls: Int
    /// Without a usable answer.
    package var failures: Int
    /// Attempts that took too long.
    package var timeouts: Int
    package var retries: Int
    /// The application said no.
    package var refusals: Int
    /// Now.
    package var inFlight: Int
    /// Of a call in the mean, retries included, milliseconds; `nil`: none has ended.
    package var meanMilliseconds: Double?

    package init(_ figures: WebhookFigures) {
        calls = figures.calls
        failures = figures.failures
        timeouts = figures.timeouts
        retries = figures.retries
        refusals = figures.refusals
        inFlight = figures.inFlight
        let ended = figures.ended
        meanMilliseconds = ended > 0 ? Double(figures.microseconds) / 1000 / Double(ended) : nil
    }
}

/// How long it took, seconds. A quantile is the upper bound of its bucket (``LatencyHistogram``), at most `max`.
package struct LatencySummary: Codable, Sendable, Equatable {
    package var count: Int
    package var mean: Double
    package var p50: Double
    package var p95: Double
    package var p99: Double
    package var max: Double

    /// `nil`: nothing was counted.
    package init?(_ histogram: LatencyHistogram) {
        count = histogram.count
        guard count > 0 else { return nil }
        mean = Double(histogram.sum) / Double(count) / 1e6
        let longest = Double(histogram.longest) / 1e6
        func quantile(_ share: Double) -> Double { min(histogram.quantile(share) ?? longest, longest) }
        (p50, p95, p99, max) = (quantile(0.5), quantile(0.95), quantile(0.99), longest)
    }
}
