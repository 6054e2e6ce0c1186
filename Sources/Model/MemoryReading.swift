/// What the control group of the service says about its memory at one moment. Bytes.
package struct MemoryReading: Codable, Sendable, Equatable {
    /// Share of a limit taken by the working set from which on it is near.
    package static let nearShare = 0.8

    /// Of all its processes, file cache included.
    package var usage: Int
    /// File cache that nobody has used lately, which the kernel takes back before anything else.
    package var inactiveFile: Int
    /// The lowest `memory.high` of the group and those above it: beyond it the kernel slows its processes down. `nil`: none.
    package var high: Int?
    /// The lowest `memory.max` (version 1: `memory.limit_in_bytes`) likewise: beyond it the kernel kills. `nil`: none.
    package var max: Int?
    /// Since the group was made.
    package var events: MemoryEvents
    /// `nil`: the kernel does not count it.
    package var pressure: MemoryPressure?

    package init(
        usage: Int, inactiveFile: Int = 0, high: Int? = nil, max: Int? = nil, events: MemoryEvents = MemoryEvents(),
        pressure: MemoryPressure? = nil
    ) {
        self.usage = usage
        self.inactiveFile = inactiveFile
        self.high = high
        self.max = max
        self.events = events
        self.pressure = pressure
    }

    /// What is left when the kernel has taken back what nobody misses: the working set.
    package var workingSet: Int { Swift.max(0, usage - inactiveFile) }

    /// The limit that is met first.
    package var limit: Int? {
        switch (high, max) {
        case (let high?, let max?): min(high, max)
        case (let one?, nil), (nil, let one?): one
        case (nil, nil): nil
        }
    }

    /// Share of the limit that the working set takes; `nil`: no limit.
    package var share: Double? {
        limit.map { $0 > 0 ? Double(workingSet) / Double($0) : .infinity }
    }
}

/// Counters of `memory.events` (Linux' cgroup-v2.rst). Of version 1 only `max` (failcnt) and `oomKills` are known.
package struct MemoryEvents: Codable, Sendable, Equatable {
    /// The group was to give memory back although it is below its protection.
    package var low: Int
    /// Processes were slowed down above the high limit.
    package var high: Int
    /// Usage was about to pass the limit.
    package var max: Int
    /// The limit was reached and nothing could be taken back.
    package var oom: Int
    /// Processes that the kernel killed for want of memory, the group's or the machine's.
    package var oomKills: Int

    package init(low: Int = 0, high: Int = 0, max: Int = 0, oom: Int = 0, oomKills: Int = 0) {
        (self.low, self.high, self.max, self.oom, self.oomKills) = (low, high, max, oom, oomKills)
    }

    /// What came since `earlier`; counters that went down began anew.
    package func since(_ earlier: MemoryEvents) -> MemoryEvents {
        func grown(_ key: KeyPath<MemoryEvents, Int>) -> Int {
            let (now, then) = (self[keyPath: key], earlier[keyPath: key])
            return now >= then ? now - then : now
        }
        return MemoryEvents(
            low: grown(\.low), high: grown(\.high), max: grown(\.max), oom: grown(\.oom), oomKills: grown(\.oomKills))
    }

    package mutating func add(_ other: MemoryEvents) {
        low &+= other.low
        high &+= other.high
        max &+= other.max
        oom &+= other.oom
        oomKills &+= other.oomKills
    }
}

/// Pressure stall information (Linux' psi.rst): how long processes waited for memory.
package struct MemoryPressure: Codable, Sendable, Equatable {
    /// Percent of the last ten seconds in which some process, or all of them, waited.
    package var some: Double
    package var full: Double
    /// The same since the group was made, seconds.
    package var someSeconds: Double
    package var fullSeconds: Double

    package init(some: Double, full: Double, someSeconds: Double, fullSeconds: Double) {
        (self.some, self.full, self.someSeconds, self.fullSeconds) = (some, full, someSeconds, fullSeconds)
    }
}
