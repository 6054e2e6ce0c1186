import Model

/// How much one child may write into its log: a burst, then a steady rate. What goes beyond is counted, not kept, so that
/// a child that floods its log costs the supervisor no more than reading the bytes.
struct LogBudget {
    /// Lines a second, sustained.
    static let linesPerSecond = 5000
    /// Lines at once after a quiet time.
    static let burst = 10_000

    private var lines = Double(Self.burst)
    private var refilledAt: MonotonicTime

    init(now: MonotonicTime) {
        refilledAt = now
    }

    /// Whether one more line may be kept.
    mutating func take(now: MonotonicTime) -> Bool {
        let elapsed = (now - refilledAt).inSeconds
        if elapsed > 0 {
            lines = min(Double(Self.burst), lines + elapsed * Double(Self.linesPerSecond))
            refilledAt = now
        }
        guard lines >= 1 else { return false }
        lines -= 1
        return true
    }
}
