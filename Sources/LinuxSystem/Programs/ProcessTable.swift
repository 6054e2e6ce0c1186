import Glibc

/// All processes that can be seen, at one moment (`/proc/*/stat` of proc(5)).
///
/// Reading it costs about 5 µs for each process of the machine, and more for each that is looked at for a tag: on a thread of its
/// own where it is read regularly, and then by a ``ProcessTableReader``.
package struct ProcessTable: Sendable {
    /// Which processes are looked at for a tag (``ProgramTags``).
    package enum TagSearch: Sendable {
        /// This process's children, and so the orphans that came to it as a child subreaper (prctl(2)); not those that are known.
        case children(without: Set<Int32> = [])
        /// All that started at this time or later, clock ticks since the machine started; `nil`: not before this process did.
        case everywhere(since: UInt64? = nil)
    }

    struct Entry: Sendable, Equatable {
        var pid: Int32
        var parent: Int32
        var session: Int32
        /// `R`, `S`, `Z`, …
        var state: UInt8
        var isKernelThread: Bool
        /// Clock ticks since the machine started; with the pid it names one process for good.
        var startTime: UInt64
        /// Own and that of children waited for, clock ticks.
        var cpuTicks: Int
        var residentPages: Int

        /// Ended, and only waits for its parent to notice.
        var isEnded: Bool { state == UInt8(ascii: "Z") || state == UInt8(ascii: "X") }
    }

    /// Processes that are looked at in one reading: the most that Linux has by default on a large machine.
    static let maxProcesses = 4 * 1024 * 1024

    private(set) var entries: [Int32: Entry] = [:]
    private(set) var children: [Int32: [Int32]] = [:]
    private(set) var sessions: [Int32: [Int32]] = [:]

    /// It may hold processes that no look before it could find.
    var hasNew = true

    /// Those that carry a tag, by it.
    private(set) var tagged: [String: [Int32]] = [:]

    package static func read(_ search: TagSearch = .children()) -> ProcessTable {
        var table = ProcessTable()
        guard let directory = opendir("/proc") else { return table }
        while table.entries.count < maxProcesses, let next = readdir(directory) {
            guard let first = withUnsafeBytes(of: next.pointee.d_name, { $0.first }), (0x30...0x39).contains(first),
                let pid = Int32(ProcFile.name(of: next)), let entry = entry(of: pid)
            else { continue }
            table.add(entry)
        }
        closedir(directory)
        table.readTags(search)
        return table
    }

    mutating func readTags(_ search: TagSearch) {
        let own = getpid()
        switch search {
        case .children(let known):
            for pid in children[own] ?? [] where !known.contains(pid) { readTag(of: pid) }
        case .everywhere(let since):
            let first = since ?? entries[own]?.startTime ?? 0
            for entry in entries.values where entry.startTime >= first && entry.pid != own { readTag(of: entry.pid) }
        }
    }

    mutating func readTag(of pid: Int32) {
        guard let entry = entries[pid], !entry.isKernelThread, !entry.isEnded, let tag = Self.tag(of: pid) else {
            return
        }
        tagged[tag, default: []].append(pid)
    }

    mutating func add(_ entry: Entry) {
        entries[entry.pid] = entry
        guard !entry.isKernelThread else { return }
        children[entry.parent, default: []].append(entry.pid)
        sessions[entry.session, default: []].append(entry.pid)
    }

    /// Bytes of a line of `/proc/PID/stat` at most: 52 numbers and a name of 64 bytes.
    private static let maxLine = 2048

    /// `nil`: there is no such process.
    static func entry(of pid: Int32) -> Entry? {
        let descriptor = open("/proc/\(pid)/stat", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        return withUnsafeTemporaryAllocation(byteCount: maxLine, alignment: 1) { line in
            // The kernel gives it as a whole.
            let count = Glibc.read(descriptor, line.baseAddress, line.count)
            return count > 0 ? parse(UnsafeRawBufferPointer(rebasing: line[..<count])) : nil
        }
    }

    static func parse(_ stat: [UInt8]) -> Entry? { stat.withUnsafeBytes { parse($0) } }

    static func parse(_ stat: UnsafeRawBufferPointer) -> Entry? {
        // The program's name stands in parentheses and may hold anything.
        guard let open = stat.firstIndex(of: UInt8(ascii: "(")), let close = stat.lastIndex(of: UInt8(ascii: ")")),
            open > 1, close > open, close + 2 < stat.count, let pid = number(stat[..<(open - 1)])
        else { return nil }
        let state = stat[close + 2]
        // Field 4 of proc(5) and those behind it, to the last that is needed.
        return withUnsafeTemporaryAllocation(of: Int.self, capacity: 25) { fields in
            fields.initialize(repeating: 0)
            var next = close + 3
            for field in 4...24 {
                guard next < stat.count, stat[next] == UInt8(ascii: " ") else { return nil }
                let start = next + 1
                next = stat[start...].firstIndex { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") } ?? stat.count
                guard let value = number(stat[start..<next]) else { return nil }
                fields[field] = value
            }
            return Entry(
                pid: Int32(truncatingIfNeeded: pid), parent: Int32(truncatingIfNeeded: fields[4]),
                session: Int32(truncatingIfNeeded: fields[6]), state: state,
                isKernelThread: fields[9] & 0x0020_0000 != 0, startTime: UInt64(truncatingIfNeeded: fields[22]),
                cpuTicks: fields[14] &+ fields[15] &+ fields[16] &+ fields[17], residentPages: fields[24])
        }
    }

    /// Without a copy, and wrapping: the fields that are not needed may be as large as an unsigned number can.
    private static func number(_ digits: Slice<UnsafeRawBufferPointer>) -> Int? {
        let isNegative = digits.first == UInt8(ascii: "-")
        let digits = isNegative ? digits.dropFirst() : digits
        guard !digits.isEmpty else { return nil }
        var value = 0
        for byte in digits {
            guard (0x30...0x39).contains(byte) else { return nil }
            value = value &* 10 &+ Int(byte &- 0x30)
        }
        return isNegative ? 0 &- value : value
    }

    /// Real user of a process; `nil`: it is gone.
    static func realUser(of pid: Int32) -> UInt32? {
        guard let text = ProcFile.text("/proc/\(pid)/status") else { return nil }
        for line in text.split(separator: "\n") where line.hasPrefix("Uid:") {
            return line.dropFirst(4).split(whereSeparator: { $0 == "\t" || $0 == " " }).first.flatMap { UInt32($0) }
        }
        return nil
    }

    /// Readings of an environment that is empty, half a millisecond apart.
    static let maxAttempts = 4
    /// Bytes read of an environment at most.
    static let maxEnvironment = 256 * 1024

    /// The tag that it was started with, unless it has overwritten its environment; `nil` also for a process that may not be
    /// looked into.
    static func tag(of pid: Int32) -> String? {
        let path = "/proc/\(pid)/environ"
        guard var bytes = ProcFile.read(path, limit: maxEnvironment) else { return nil }
        // Empty also for a moment of execve(2).
        var attempts = 1
        while bytes.isEmpty, attempts < maxAttempts {
            usleep(500)
            attempts += 1
            bytes = ProcFile.read(path, limit: maxEnvironment) ?? []
        }
        let prefix = Array("\(ProgramTags.variable)=".utf8)
        guard let entry = bytes.split(separator: 0).first(where: { $0.starts(with: prefix) }) else { return nil }
        return String(decoding: entry.dropFirst(prefix.count), as: UTF8.self)
    }
}
