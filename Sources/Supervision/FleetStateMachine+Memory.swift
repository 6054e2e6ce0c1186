package import Model

// The memory of the service's control group.

extension FleetStateMachine {
    /// Every few seconds, when the group tells of an event, and before the end of a process that SIGKILL ended is reported.
    ///
    /// - Parameter own: resident bytes of the supervisor, if known.
    package mutating func memoryRead(_ reading: MemoryReading, own: Int?, now: MonotonicTime) -> [FleetAction] {
        switch phase {
        case .idle, .ended: return []
        case .running, .stopping: break
        }
        var actions = noteTime(now)
        for finding in memory.read(reading, now: now) { actions.append(.event(event(finding, reading, own: own))) }
        return actions
    }

    private func event(_ finding: MemoryStateMachine.Finding, _ reading: MemoryReading, own: Int?) -> FleetEvent {
        switch finding {
        case .aboveHigh(let count): .aboveHigh(reading, count, largest: largestProcesses(own: own))
        case .atLimit(let count, let outOfMemory):
            .atMemoryLimit(reading, count, outOfMemory: outOfMemory, largest: largestProcesses(own: own))
        case .relieved: .memoryRelieved(reading)
        case .strangersKilled(let count): .strangersKilled(reading, count)
        }
    }

    /// How a process really ended that found its end by `exit`: the kernel's kill looks like any other SIGKILL.
    mutating func explained(_ exit: ProcessExit, of instance: InstanceID, now: MonotonicTime) -> ProcessExit {
        guard case .signalled(9, _) = exit, !hasBeenKilled(instance), memory.claimKill(now: now) else { return exit }
        return .killedForMemory
    }

    /// Whether SIGKILL was sent from here.
    private func hasBeenKilled(_ instance: InstanceID) -> Bool {
        if let leaving = departing.first(where: { $0.process.instance == instance }) { return leaving.killAt == nil }
        guard let id = places[instance], case .ending(let process, let ending)? = slot(id)?.state else { return false }
        return process.instance == instance && ending.killAt == nil
    }

    /// `hub 600 MiB, worker 2 400 MiB`.
    private func largestProcesses(own: Int?) -> String {
        var sizes: [(name: String, bytes: Int)] = own.map { [("supervisor", $0)] } ?? []
        for slot in [hub] + workers {
            sizes += slot.processes.compactMap { process in process.memory.map { (slot.id.description, $0) } }
        }
        sizes += departing.compactMap { leaving in leaving.process.memory.map { ("\(leaving.slot) (leaving)", $0) } }
        return sizes.sorted { $0.bytes > $1.bytes }.prefix(MemoryLimits.named)
            .map { "\($0.name) \($0.bytes.spokenBytes)" }.joined(separator: ", ")
    }
}

extension FleetEvent {
    static func aboveHigh(_ reading: MemoryReading, _ count: Int, largest: String) -> Self {
        FleetEvent(
            .memory(.high), .warning, "Memory is above MemoryHigh: the kernel slows the service down",
            fields: fields(reading, limit: reading.high, ["memory.events": String(count)], largest: largest))
    }

    static func atMemoryLimit(_ reading: MemoryReading, _ count: Int, outOfMemory: Int, largest: String) -> Self {
        FleetEvent(
            .memory(.limit), .error, "Memory is at MemoryMax: the kernel kills a process when it finds no more",
            fields: fields(
                reading, limit: reading.max,
                ["memory.events": String(count), "memory.oom": String(outOfMemory)], largest: largest))
    }

    static func memoryRelieved(_ reading: MemoryReading) -> Self {
        FleetEvent(
            .memory(.relieved), .info, "Memory is below its limits again", fields: fields(reading, limit: reading.limit)
        )
    }

    static func strangersKilled(_ reading: MemoryReading, _ count: Int) -> Self {
        FleetEvent(
            .memory(.killed), .error,
            "The kernel killed processes for memory that run beside the service in its control group",
            fields: fields(reading, limit: reading.max, ["memory.kills": String(count)]))
    }

    static func killedForMemory(_ slot: SlotID, _ process: SlotProcess, _ reading: MemoryReading?) -> Self {
        var more: [String: String] = [:]
        more["process.pid"] = process.pid.map(String.init)
        more["process.memory.bytes"] = process.memory.map(String.init)
        return FleetEvent(
            .memory(.killed), .error, "The kernel killed a process of the service for memory", slot: slot,
            fields: reading.map { fields($0, limit: $0.max, more) } ?? more)
    }

    private static func fields(
        _ reading: MemoryReading, limit: Int?, _ more: [String: String] = [:], largest: String = ""
    ) -> [String: String] {
        var fields = more
        // Nobody has told its memory in the first second.
        fields["memory.largest"] = largest.isEmpty ? nil : largest
        fields["memory.usage"] = limit.map { "\(reading.usage.spokenBytes) of \($0.spokenBytes)" }
        fields["memory.bytes"] = String(reading.usage)
        fields["memory.limit.bytes"] = limit.map(String.init)
        return fields
    }
}

extension Int {
    /// `980 B`, `9.8 MiB`, `120 MiB`: for sentences.
    var spokenBytes: String {
        let units = ["B", "KiB", "MiB", "GiB", "TiB"]
        var (value, unit) = (Double(Swift.max(0, self)), 0)
        while value >= 1023.5, unit + 1 < units.count {
            value /= 1024
            unit += 1
        }
        guard unit > 0, value < 99.95 else { return "\(Int(value.rounded())) \(units[unit])" }
        let tenths = Int((value * 10).rounded())
        return "\(tenths / 10).\(tenths % 10) \(units[unit])"
    }
}
