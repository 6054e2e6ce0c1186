import CLinux
import Glibc

/// Looks at the process table again and again, each time only at what can have changed for the trees of programs: at processes
/// that were known and at those that have started since. Pids are given out in order, and `/proc/loadavg` (proc(5)) names the
/// last of them, so that on a machine where nothing starts a look costs as much as there are known processes.
package struct ProcessTableReader: Sendable {
    /// Every so many looks at everything, for what cannot be seen otherwise: a pid that somebody chose (clone3(2), `set_tid`).
    static let wholeInterval = 10
    /// Pids that are tried one by one; from more on all that exist are read, which is as fast.
    static let maxNewPids = 1000

    /// The last pids given out at the look before the last and at the last; a process can be seen only some time after its
    /// pid was given out, so each is tried twice.
    private var lastPids: (Int32, Int32)?
    private var looksUntilWhole = 0

    package init() {}

    /// Reads what ``ProgramTree/figures(in:)`` needs. Nothing else may be asked of it: most processes may be missing.
    ///
    /// - Parameter known: members of all trees at the last look, and their roots.
    package mutating func read(known: Set<Int32>) -> ProcessTable {
        read(known: known, lastPid: Self.lastPid())
    }

    mutating func read(known: Set<Int32>, lastPid: Int32?) -> ProcessTable {
        looksUntilWhole -= 1
        defer { lastPids = lastPid.map { (lastPids?.1 ?? $0, $0) } }
        guard looksUntilWhole > 0, let lastPid, let (first, before) = lastPids, first <= before, before <= lastPid,
            lastPid - first <= Self.maxNewPids
        else {
            looksUntilWhole = Self.wholeInterval
            return .read(.children(without: known))
        }
        var table = ProcessTable()
        table.hasNew = lastPid > first
        // Half-open: at rest it is empty.
        let new = first + 1..<lastPid + 1
        for pid in known where !new.contains(pid) {
            if let entry = ProcessTable.entry(of: pid) { table.add(entry) }
        }
        // A thread has a pid of its own, and its files there.
        for pid in new {
            if let entry = ProcessTable.entry(of: pid), Self.isProcess(pid) { table.add(entry) }
        }
        table.readTags(.children(without: known))
        return table
    }

    /// Given out last in this process's namespace; `nil`: not known.
    static func lastPid() -> Int32? {
        guard let text = ProcFile.text("/proc/loadavg"), let word = text.split(whereSeparator: \.isWhitespace).last
        else {
            return nil
        }
        return Int32(word)
    }

    private static func isProcess(_ pid: Int32) -> Bool {
        let descriptor = wsd_pidfd_open(pid)
        guard descriptor >= 0 else { return false }
        close(descriptor)
        return true
    }
}
