/// How often something took how long, in buckets whose bounds double. Adds up over processes.
package struct LatencyHistogram: Codable, Sendable, Equatable {
    /// Buckets with an upper bound: 32 µs, 64 µs … 16.8 s; one more takes what is longer.
    package static let bounded = 20
    /// The first bucket's upper bound, microseconds.
    package static let firstBound = 32

    /// How often in each bucket alone; the last is the unbounded one.
    package private(set) var counts = Array(repeating: 0, count: bounded + 1)
    /// All durations together, microseconds.
    package private(set) var sum = 0
    /// The longest, microseconds.
    package private(set) var longest = 0

    package init() {}

    /// Upper bound of a bucket, seconds; `nil`: none.
    package static func bound(_ bucket: Int) -> Double? {
        bucket < bounded ? Double(firstBound << bucket) / 1e6 : nil
    }

    package var count: Int { counts.reduce(0, &+) }

    /// Counts one duration; a negative one (clocks of two processors) as none at all.
    package mutating func record(nanoseconds: Int64) {
        let microseconds = Int(max(0, nanoseconds) / 1000)
        // Bits above the first bound's: 0…32 µs is bucket 0, up to 64 µs bucket 1.
        let above = max(0, microseconds - 1) / Self.firstBound
        let bucket = Int.bitWidth - above.leadingZeroBitCount
        counts[min(bucket, Self.bounded)] &+= 1
        sum &+= microseconds
        longest = max(longest, microseconds)
    }

    package mutating func add(_ other: LatencyHistogram) {
        for bucket in counts.indices where bucket < other.counts.count { counts[bucket] &+= other.counts[bucket] }
        sum &+= other.sum
        longest = max(longest, other.longest)
    }

    /// The time that `share` (0…1) of all did not exceed, as the upper bound of its bucket in seconds; `nil`: nothing was
    /// counted, or it lies in the unbounded bucket.
    package func quantile(_ share: Double) -> Double? {
        let all = count
        guard all > 0 else { return nil }
        let wanted = max(1, Int((Double(all) * min(1, max(0, share))).rounded(.up)))
        var seen = 0
        for (bucket, count) in counts.enumerated() {
            seen &+= count
            if seen >= wanted { return Self.bound(bucket) }
        }
        return nil
    }
}
