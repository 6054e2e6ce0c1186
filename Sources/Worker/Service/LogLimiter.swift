import Model

/// Bounds how often one kind of line is logged, so that a flood of bad clients does not become a flood of lines.
struct LogLimiter {
    /// Lines in each period.
    static let lines = 10
    static let period = Duration.seconds(1)

    private var periodStart = MonotonicTime.zero
    private var used = 0
    private var suppressed = 0

    init() {}

    /// Whether to log now; if so, how many lines were left out since the last one.
    mutating func admit(now: MonotonicTime) -> (isAdmitted: Bool, suppressed: Int) {
        if now >= periodStart + Self.period {
            periodStart = now
            used = 0
        }
        guard used < Self.lines else {
            suppressed += 1
            return (false, 0)
        }
        used += 1
        defer { suppressed = 0 }
        return (true, suppressed)
    }
}
