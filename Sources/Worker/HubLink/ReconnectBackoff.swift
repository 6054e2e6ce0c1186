/// How long to wait before the next attempt to reach the hub, which is never given up.
struct ReconnectBackoff {
    static let first = Duration.milliseconds(10)
    static let longest = Duration.seconds(1)

    private var step = first

    init() {}

    /// The delay now, 50…100 % of the step; the step doubles.
    mutating func next(using generator: inout some RandomNumberGenerator) -> Duration {
        let share = Double.random(in: 0.5...1, using: &generator)
        defer { step = min(step * 2, Self.longest) }
        return step * share
    }

    mutating func reset() { step = Self.first }
}
