/// Figures of one webhook. All but the two gauges only grow.
package struct WebhookFigures: Codable, Sendable, Equatable {
    /// Calls and events taken in.
    package var calls = 0
    /// Ended without a usable answer: no connection, a status that is none, too late, what was dropped.
    package var failures = 0
    /// Of these: not even tried, because too many waited or the worker ended.
    package var dropped = 0
    /// Attempts beyond a call's first.
    package var retries = 0
    /// The application said no.
    package var refusals = 0
    /// Attempts that took longer than the hook's `timeout`.
    package var timeouts = 0
    /// All ended calls together, waiting and retries included.
    package var microseconds = 0
    /// Gauge: calls being made.
    package var inFlight = 0
    /// Gauge: calls waiting for their turn.
    package var waiting = 0

    package init() {}

    /// Calls that have ended.
    package var ended: Int { max(0, calls - inFlight - waiting) }

    package mutating func add(_ other: WebhookFigures) {
        calls &+= other.calls
        failures &+= other.failures
        dropped &+= other.dropped
        retries &+= other.retries
        refusals &+= other.refusals
        timeouts &+= other.timeouts
        microseconds &+= other.microseconds
        inFlight &+= other.inFlight
        waiting &+= other.waiting
    }
}
