package import Model

/// Memory of the control group that the service is in: all its processes, and others where they share it. Bytes.
package struct ServiceMemory: Codable, Sendable, Equatable {
    /// File cache included.
    package var usage: Int
    /// Without the file cache that nobody has used lately.
    package var workingSet: Int
    /// Above it the kernel slows the processes down; `nil`: no such limit.
    package var high: Int?
    /// Above it the kernel kills; `nil`: no limit.
    package var max: Int?
    /// Since the service started.
    package var events: MemoryEvents
    /// `nil`: the kernel does not count it.
    package var pressure: MemoryPressure?
    /// Seconds since the kernel last had to act while the working set was near the limit; `nil`: never.
    package var strainedAgo: Double?

    package init(_ reading: MemoryReading, events: MemoryEvents, strainedAgo: Double?) {
        (usage, workingSet) = (reading.usage, reading.workingSet)
        (high, max) = (reading.high, reading.max)
        (self.events, pressure, self.strainedAgo) = (events, reading.pressure, strainedAgo)
    }

    /// The limit that is met first.
    package var limit: (name: String, bytes: Int)? {
        if let high, high <= max ?? .max { return ("MemoryHigh", high) }
        return max.map { ("MemoryMax", $0) }
    }

    /// Share of that limit which the working set takes.
    package var share: Double? {
        limit.map { $0.bytes > 0 ? Double(workingSet) / Double($0.bytes) : .infinity }
    }
}
