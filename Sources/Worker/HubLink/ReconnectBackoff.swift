import Realtime

/// How long to wait before the next attempt to reach the hub, which is never given up: briefly for about a second, in
/// which a killed hub's successor comes, then longer.
struct ReconnectBackoff {
    static let first = Duration.milliseconds(10)
    static let longest = HubLinkTiming.longestReconnectDelay
    /// Attempts before the delay grows.
    static let quickAttempts = 100

    private var step = first
    private var attempts = 0

    init() {}

    /// The delay now, 50…100 % of the step.
    mutating func next(using generator: inout some RandomNumberGenerator) -> Duration {
        attempts += 1
        if attempts > Self.quickAttempts { step = min(step * 2, Self.longest) }
        return step * Double.random(in: 0.5...1, using: &generator)
    }

    mutating func reset() { self = ReconnectBackoff() }
}
