package import Model

/// The control group whose memory this process is counted in.
package struct MemoryGroup: Sendable, Equatable {
    package enum Version: Sendable {
        case one
        case two
    }

    package let version: Version
    /// Its directory and those of the groups above it.
    private let directories: [String]
    /// Where the pressure is told; also beside a memory controller of version 1.
    private let pressureFile: String?

    /// `nil`: none is known, or it is the machine's root, which is no limit to anybody.
    ///
    /// - Parameter root: put before every path; another than the empty one for tests.
    package init?(root: String = "") {
        let groups = ControlGroups.find(root: root)
        func seen(_ chains: [ControlGroups.Chain], _ file: String) -> [String]? {
            chains.lazy.map { $0.map { root + $0 } }.first { ProcFile.text("\($0[0])/\(file)") != nil }
        }
        // Neither is in a root: there the pressure would be the machine's.
        let unified = seen(groups.unified, "cgroup.events")
        pressureFile = unified.map { "\($0[0])/memory.pressure" }
        if let unified, ProcFile.text("\(unified[0])/memory.current") != nil {
            (version, directories) = (.two, unified)
        } else if let memory = seen(groups.memory, "memory.usage_in_bytes"),
            ProcFile.text("\(memory[0])/release_agent") == nil
        {
            (version, directories) = (.one, memory)
        } else {
            return nil
        }
    }

    /// The file whose changes the kernel tells (inotify(7)); version 1 has none.
    package var eventsFile: String? { version == .two ? "\(directories[0])/memory.events" : nil }

    /// `nil`: the group is gone.
    package func read() -> MemoryReading? {
        guard let usage = number(version == .two ? "memory.current" : "memory.usage_in_bytes"), let events = events()
        else { return nil }
        return MemoryReading(
            usage: usage, inactiveFile: inactiveFile, high: version == .two ? lowest("memory.high") : nil,
            max: lowest(version == .two ? "memory.max" : "memory.limit_in_bytes"), events: events, pressure: pressure)
    }

    private func events() -> MemoryEvents? {
        switch version {
        case .two:
            guard let counts = table("memory.events") else { return nil }
            return MemoryEvents(
                low: counts["low"] ?? 0, high: counts["high"] ?? 0, max: counts["max"] ?? 0, oom: counts["oom"] ?? 0,
                oomKills: counts["oom_kill"] ?? 0)
        case .one:
            guard let control = table("memory.oom_control") else { return nil }
            return MemoryEvents(max: number("memory.failcnt") ?? 0, oomKills: control["oom_kill"] ?? 0)
        }
    }

    private var inactiveFile: Int {
        table("memory.stat")?[version == .two ? "inactive_file" : "total_inactive_file"] ?? 0
    }

    /// The lowest limit of the group and those above it; they cannot grow beyond that.
    private func lowest(_ file: String) -> Int? {
        directories.compactMap { Self.limit(ProcFile.text("\($0)/\(file)")) }.min()
    }

    /// `max`, or as good as that: version 1 writes the largest multiple of the page size.
    static func limit(_ text: String?) -> Int? {
        guard let number = text.flatMap(Self.number), number < Int.max / 2 else { return nil }
        return number
    }

    private func number(_ file: String) -> Int? {
        ProcFile.text("\(directories[0])/\(file)").flatMap(Self.number)
    }

    private static func number(_ text: String) -> Int? {
        Int(text.prefix { $0 != "\n" })
    }

    /// Lines of a name and a number.
    private func table(_ file: String) -> [Substring: Int]? {
        ProcFile.text("\(directories[0])/\(file)", limit: ControlGroups.tableLimit)?.split(separator: "\n").reduce(
            into: [:]
        ) { table, line in
            let fields = line.split(separator: " ")
            guard fields.count == 2, let value = Int(fields[1]) else { return }
            table[fields[0]] = value
        }
    }

    private var pressure: MemoryPressure? {
        guard let text = pressureFile.flatMap({ ProcFile.text($0) }) else { return nil }
        return Self.pressure(text)
    }

    /// `some avg10=0.00 avg60=0.00 avg300=0.00 total=0`, and the same for `full`; times in µs.
    static func pressure(_ text: String) -> MemoryPressure? {
        var found: [Substring: (average: Double, total: Double)] = [:]
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: " ")
            func value(_ name: String) -> Double? {
                fields.first { $0.hasPrefix(name + "=") }.flatMap { Double($0.dropFirst(name.count + 1)) }
            }
            guard let kind = fields.first, let average = value("avg10"), let total = value("total") else { continue }
            found[kind] = (average, total / 1e6)
        }
        guard let some = found["some"], let full = found["full"] else { return nil }
        return MemoryPressure(
            some: some.average, full: full.average, someSeconds: some.total, fullSeconds: full.total)
    }
}
