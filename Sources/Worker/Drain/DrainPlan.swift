import Model

/// Which clients are closed when, while a worker empties itself: all of them in random order, evenly over a spread, so
/// that their reconnects do not arrive as a herd.
struct DrainPlan {
    /// Time between two looks at the plan, before jitter.
    static let step = Duration.milliseconds(20)

    /// What every client is told.
    let code: CloseCode
    let reason: String
    /// When what is left is cut off without a word.
    let deadline: MonotonicTime

    private var pending: [ConnectionKey]
    private let total: Int
    private let start: MonotonicTime
    private let spread: Duration

    /// - Parameter deadline: time from `now`; never less than `spread`.
    init(
        clients: [ConnectionKey], code: CloseCode, reason: String, spread: Duration, deadline: Duration,
        now: MonotonicTime,
        using generator: inout some RandomNumberGenerator
    ) {
        pending = clients.shuffled(using: &generator)
        total = clients.count
        start = now
        self.code = code
        self.reason = reason
        self.spread = spread
        self.deadline = now + max(deadline, spread)
    }

    /// The clients to close by now that were not handed out before.
    mutating func due(at now: MonotonicTime) -> [ConnectionKey] {
        guard spread > .zero, now < start + spread else {
            defer { pending = [] }
            return pending
        }
        let share = Double((now - start).nanoseconds) / Double(spread.nanoseconds)
        let closedByNow = Int((Double(total) * max(0, share)).rounded(.up))
        let count = max(0, min(pending.count, closedByNow - (total - pending.count)))
        let due = Array(pending.suffix(count))
        pending.removeLast(count)
        return due
    }

    /// Whether every client has been handed out.
    var isSpent: Bool { pending.isEmpty }

    /// When to look again: one step, 50…150 %, so that several workers draining at once do not beat in time.
    static func nextStep(using generator: inout some RandomNumberGenerator) -> Duration {
        .nanoseconds(Int64.random(in: step.nanoseconds / 2...step.nanoseconds * 3 / 2, using: &generator))
    }
}
