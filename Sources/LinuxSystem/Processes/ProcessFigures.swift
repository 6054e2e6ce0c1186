import CLinux
import Glibc

/// What the kernel says about a process (proc(5)).
package struct ProcessFigures: Hashable, Sendable {
    /// Resident bytes, shared pages included.
    package var residentBytes: Int
    /// User and system time so far, in steps of a clock tick (10 ms).
    package var cpuTime: Duration

    /// - Returns: `nil` when there is no such process.
    package static func read(pid: Int32) -> ProcessFigures? {
        guard let statm = ProcFile.text("/proc/\(pid)/statm"), let stat = ProcFile.text("/proc/\(pid)/stat") else {
            return nil
        }
        return parse(statm: statm, stat: stat)
    }

    /// Bytes of its own plus its share of those it shares. Costs the kernel a walk over the process's memory (about a
    /// millisecond for 100 MB); `nil`: no such process, or not allowed.
    package static func proportionalBytes(pid: Int32) -> Int? {
        guard let text = ProcFile.text("/proc/\(pid)/smaps_rollup") else { return nil }
        for line in text.split(separator: "\n") where line.hasPrefix("Pss:") {
            return line.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 * 1024 }
        }
        return nil
    }

    static func parse(statm: String, stat: String) -> ProcessFigures? {
        // The program's name stands in parentheses and may hold blanks and parentheses itself.
        guard let nameEnd = stat.lastIndex(of: ")") else { return nil }
        let fields = stat[stat.index(after: nameEnd)...].split(separator: " ")
        let pages = statm.split(separator: " ")
        // Fields 14 and 15 of proc(5); the first one here is 3.
        guard fields.count > 12, pages.count > 1, let user = Int(fields[11]), let system = Int(fields[12]),
            let resident = Int(pages[1])
        else { return nil }
        return ProcessFigures(
            residentBytes: resident * pageSize,
            cpuTime: .nanoseconds((user + system) * (1_000_000_000 / ticksPerSecond))
        )
    }

    private static let pageSize = sysconf(Int32(_SC_PAGESIZE))
    private static let ticksPerSecond = max(1, sysconf(Int32(_SC_CLK_TCK)))
}

/// A process that an error message points at.
package struct ProcessName: Hashable, Sendable, CustomStringConvertible {
    package var pid: Int32
    /// Short name of its program; `nil` when it cannot be read.
    package var program: String?

    package init(pid: Int32, program: String?) {
        self.pid = pid
        self.program = program
    }

    /// Gives this process the name that ps and top show, at most 15 bytes; started from /proc/self/exe it would be "exe". To be
    /// called on its first thread.
    package static func setOwn(_ name: String) { wsd_name_process(name) }

    package static func of(pid: Int32) -> ProcessName {
        let name = ProcFile.text("/proc/\(pid)/comm").map { String($0.prefix { $0 != "\n" }) }
        return ProcessName(pid: pid, program: name)
    }

    /// `wsd (pid 4711)`.
    package var description: String { program.map { "\($0) (pid \(pid))" } ?? "pid \(pid)" }
}
