import Model
import Wire

// Findings about the memory of the service's control group.
extension Diagnosis {
    /// Seconds for which a shortage that is over is still a problem.
    static let freshShortage = 3600.0
    private static let raise =
        "Raise MemoryHigh= and MemoryMax= (systemctl edit wsd; in a container, its limit), or have it need less: "
        + "fewer clients here, workers.maxMemory, smaller histories and queues."

    static func memory(_ status: ServiceStatus) -> [Check] {
        guard let memory = status.memory else { return [] }
        let inUse = MemoryLine.inUse(memory)
        guard memory.events.oomKills == 0 else { return [killed(status, memory)] }
        if let ago = memory.strainedAgo, ago < freshShortage {
            let time = ago < MemoryLine.justNow ? "just now" : "\(Humanized.duration(ago)) ago"
            return [.problem("Memory was short \(time); now in use: \(inUse).", raise)]
        }
        if memory.share ?? 0 >= MemoryReading.nearShare {
            return [.note("Memory is near its limit: \(inUse).", raise)]
        }
        return [.ok("Memory: \(inUse).")]
    }

    private static func killed(_ status: ServiceStatus, _ memory: ServiceMemory) -> Check {
        // A slot that drains stands in the list twice.
        let victims = status.processes.reduce(into: [String]()) { names, process in
            guard let kills = process.memoryKills else { return }
            let name = "\(process.name) (\(Humanized.counted(kills, "time")))"
            if !names.contains(name) { names.append(name) }
        }
        let who = victims.isEmpty ? "" : ": " + victims.joined(separator: ", ")
        let count = Humanized.counted(memory.events.oomKills, "process", "processes")
        return .problem(
            "The kernel killed \(count) for memory\(who). Now in use: \(MemoryLine.inUse(memory)).",
            memory.max == nil
                ? "The machine itself had none left; see what takes it with `ps aux --sort -rss`." : raise)
    }
}
