package import Model

/// A rate limit's state: tokens come back evenly, up to `burst`, and each message takes one.
package struct TokenBucket: Hashable, Sendable {
    /// Between two tokens at most, whatever the configuration says: with ``RateLimit/burst`` times that no time overflows.
    private static let longestInterval = 1e12

    /// When the bucket would be full again if nothing more were taken; the one number that says how full it is.
    private var fullAt: MonotonicTime

    /// Full.
    package init(now: MonotonicTime) {
        fullAt = now
    }

    /// Takes a token. `nil`: there was one; otherwise how long until there is one, and nothing is taken.
    package mutating func take(_ limit: RateLimit, now: MonotonicTime) -> Duration? {
        guard !limit.isOff else { return nil }
        let interval = Int64(max(1, min(1e9 / limit.perSecond, Self.longestInterval)))
        let capacity = interval * Int64(max(1, min(limit.burst, 1_000_000)))
        let start = max(fullAt.nanoseconds, now.nanoseconds)
        let debtAfter = start - now.nanoseconds + interval
        guard debtAfter <= capacity else { return .nanoseconds(debtAfter - capacity) }
        fullAt = MonotonicTime(nanoseconds: start + interval)
        return nil
    }

    /// Nothing is remembered in it that a new bucket would not have.
    package func isFull(now: MonotonicTime) -> Bool { fullAt <= now }

    /// Fuller than another one, whatever their limits.
    package func isFuller(than other: TokenBucket) -> Bool { fullAt < other.fullAt }
}
