/// A point on the machine's monotonic clock (`CLOCK_MONOTONIC`), in nanoseconds since an unspecified start.
///
/// Pure code receives it as an argument and never reads a clock itself.
package struct MonotonicTime: Hashable, Comparable, Sendable, Codable {
    package var nanoseconds: Int64

    package init(nanoseconds: Int64) {
        self.nanoseconds = nanoseconds
    }

    package static let zero = MonotonicTime(nanoseconds: 0)

    package static func < (lhs: Self, rhs: Self) -> Bool { lhs.nanoseconds < rhs.nanoseconds }

    package static func + (lhs: Self, rhs: Duration) -> Self { Self(nanoseconds: lhs.nanoseconds + rhs.nanoseconds) }

    package static func - (lhs: Self, rhs: Duration) -> Self { Self(nanoseconds: lhs.nanoseconds - rhs.nanoseconds) }

    package static func - (lhs: Self, rhs: Self) -> Duration { .nanoseconds(lhs.nanoseconds - rhs.nanoseconds) }

    package static func += (lhs: inout Self, rhs: Duration) { lhs = lhs + rhs }
}

extension Duration {
    /// Whole nanoseconds; exact up to 292 years, beyond that the nearest representable value.
    package var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return seconds < 0 ? .min : .max }
        let (sum, sumOverflow) = product.addingReportingOverflow(attoseconds / 1_000_000_000)
        return sumOverflow ? (seconds < 0 ? .min : .max) : sum
    }

    /// Whole milliseconds, rounded towards zero.
    package var milliseconds: Int64 { nanoseconds / 1_000_000 }

    /// Seconds with their fraction, for display.
    package var inSeconds: Double { Double(nanoseconds) / 1e9 }
}
