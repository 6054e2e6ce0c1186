import Model
import Wire

/// Memory of the service's control group in a line, when there is something to say.
enum MemoryLine {
    /// Percent of the time spent waiting for memory from which on it is mentioned.
    static let muchPressure = 1.0
    /// Seconds that are no time ago.
    static let justNow = 10.0

    static func text(_ memory: ServiceMemory) -> String? {
        let isNear = memory.share ?? 0 >= MemoryReading.nearShare
        guard isNear || memory.strainedAgo != nil || memory.events.oomKills > 0 else { return nil }
        var parts = [inUse(memory)]
        if let ago = memory.strainedAgo {
            parts.append("short of memory \(ago < justNow ? "just now" : Humanized.duration(ago) + " ago")")
        }
        if memory.events.oomKills > 0 {
            parts.append("\(Humanized.counted(memory.events.oomKills, "process", "processes")) killed by the kernel")
        }
        if let pressure = memory.pressure, pressure.some >= muchPressure {
            parts.append("waiting \(Humanized.fixed(pressure.some, 0)) % of the time")
        }
        return parts.joined(separator: "; ")
    }

    /// `900 MiB of 1.0 GiB (MemoryHigh)`.
    static func inUse(_ memory: ServiceMemory) -> String {
        let bytes = Humanized.bytes(memory.workingSet)
        guard let limit = memory.limit else { return "\(bytes), no limit" }
        return "\(bytes) of \(Humanized.bytes(limit.bytes)) (\(limit.name))"
    }
}
