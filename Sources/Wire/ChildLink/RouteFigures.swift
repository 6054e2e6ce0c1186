/// Figures of one route. All but the three gauges only grow.
package struct RouteFigures: Codable, Sendable, Equatable {
    /// Ended requests by class of the status the client got: `2xx`, …; `aborted`: it went away before.
    package var requests: [String: Int] = [:]
    /// All ended requests together, waiting included.
    package var microseconds = 0
    /// WebSockets (any switch of protocols) opened.
    package var tunnelsOpened = 0
    /// Requests that the upstream did not answer, by reason: `refused`, `timeout`, …
    package var failures: [String: Int] = [:]
    /// Gauge: requests under way, the waiting ones included.
    package var active = 0
    /// Gauge: of these, waiting for the upstream to start.
    package var held = 0
    /// Gauge: open WebSockets.
    package var tunnels = 0

    package init() {}

    package var ended: Int { requests.values.reduce(0, &+) }

    package mutating func add(_ other: RouteFigures) {
        requests.merge(other.requests, uniquingKeysWith: &+)
        microseconds &+= other.microseconds
        tunnelsOpened &+= other.tunnelsOpened
        failures.merge(other.failures, uniquingKeysWith: &+)
        active &+= other.active
        held &+= other.held
        tunnels &+= other.tunnels
    }
}
