import Model

/// One coarse timer for all connections of a worker, instead of a scheduled task for each.
///
/// An entry comes out at the first tick not before its time, or earlier when it lies beyond the wheel's horizon:
/// whoever gets it looks at the connection's own state and enters it again. Nothing is ever removed; entries of
/// connections that are gone are recognised by their key.
struct IdleWheel<Key> {
    /// Resolution; also how late an entry may come.
    static var tick: Duration { .milliseconds(250) }
    /// Ticks until an entry comes round at the latest: 128 s.
    static var horizon: Int { 512 }

    private var buckets: [[Key]]
    /// Number of the tick up to which (inclusive) entries have come out.
    private var current: Int64

    init(now: MonotonicTime) {
        buckets = Array(repeating: [], count: Self.horizon)
        current = Self.number(now)
    }

    mutating func enter(_ key: Key, at time: MonotonicTime) {
        let roundedUp = Self.number(time + Self.tick)
        let number = min(max(roundedUp, current + 1), current + Int64(Self.horizon) - 1)
        buckets[Int(number % Int64(Self.horizon))].append(key)
    }

    /// Takes out all that is due by `now`.
    mutating func advance(to now: MonotonicTime) -> [Key] {
        let target = Self.number(now)
        guard target > current else { return [] }
        var due: [Key] = []
        // After a long sleep of the process once round is enough.
        let steps = min(target - current, Int64(Self.horizon))
        for number in (target - steps + 1)...target {
            let bucket = Int(number % Int64(Self.horizon))
            due.append(contentsOf: buckets[bucket])
            buckets[bucket].removeAll()
        }
        current = target
        return due
    }

    private static func number(_ time: MonotonicTime) -> Int64 {
        max(0, time.nanoseconds) / tick.nanoseconds
    }
}
