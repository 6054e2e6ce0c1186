import CLinux
import Glibc
internal import Model

/// The role `guard`: outlives a supervisor that is killed, and then ends what its programs left.
package enum ProgramGuard {
    /// The link, on which the supervisor says which trees there are.
    static let link: Int32 = 3
    /// Bytes of one line of the link; a longer one is left out.
    static let maxLine = 8192
    /// From SIGTERM to SIGKILL.
    static let patience = Duration.seconds(5)
    /// After this it gives up.
    static let limit = Duration.seconds(10)
    /// Microseconds from one look to the next.
    static let pause: UInt32 = 50_000

    /// Reads the link to its end, and acts when the supervisor said no farewell.
    package static func run() -> Never {
        ProcessName.setOwn("wsd-guard")
        for number in [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGTSTP] { signal(number, SIG_IGN) }
        try? Descriptors.setNonBlocking(link, false)
        wsd_release_code()
        var book = GuardBook()
        var chunk = [UInt8](repeating: 0, count: maxLine)
        while !book.isOver {
            let count = read(link, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            book.take(chunk[..<count])
        }
        if !book.isOver, !book.roots.isEmpty { end(Array(book.roots.values)) }
        _exit(ExitCode.success)
    }

    private static func end(_ roots: [ProgramTreeRoot]) {
        var trees = roots.map { ProgramTree(root: $0) }
        let start = MonotonicTime.now()
        var asked: [Int32: UInt64] = [:]
        while MonotonicTime.now() < start + limit {
            // The trees may be older than this process, which then came in place of another guard.
            let table = ProcessTable.read(.everywhere(since: roots.map(\.startTime).min()))
            trees = trees.filter { tree in
                var tree = tree
                guard tree.isGone(in: table) else { return true }
                tree.dissolve()
                return false
            }
            if trees.isEmpty { break }
            for index in trees.indices {
                if MonotonicTime.now() < start + patience {
                    trees[index].signalNew(SIGTERM, in: table, &asked)
                } else {
                    trees[index].kill(in: table)
                }
            }
            usleep(pause)
        }
        let left = trees.isEmpty ? "Nothing of them lives any more." : "Of \(trees.count), something lives on."
        let line = "wsd guard: the supervisor is gone; the programs that it kept were ended. \(left)\n"
        _ = line.withCString { write(STDERR_FILENO, $0, strlen($0)) }
    }
}

/// What the guard knows, from the lines of its link.
struct GuardBook {
    private(set) var roots: [Int32: ProgramTreeRoot] = [:]
    /// The supervisor said `bye`: it ends, and its programs have ended.
    private(set) var isOver = false
    private var partial: [UInt8] = []
    private var isTooLong = false

    mutating func take(_ bytes: ArraySlice<UInt8>) {
        for byte in bytes {
            if byte == UInt8(ascii: "\n") {
                if !isTooLong { take(line: String(decoding: partial, as: UTF8.self)) }
                partial.removeAll(keepingCapacity: true)
                isTooLong = false
            } else if partial.count < ProgramGuard.maxLine {
                partial.append(byte)
            } else {
                isTooLong = true
            }
        }
    }

    private mutating func take(line: String) {
        let fields = line.split(separator: " ", maxSplits: 5, omittingEmptySubsequences: false)
        switch fields.first {
        case "bye": isOver = true
        case "-":
            guard fields.count > 1, let pid = Int32(fields[1]) else { return }
            roots[pid] = nil
        case "+":
            guard fields.count == 6, let pid = Int32(fields[1]), let start = UInt64(fields[2]) else { return }
            roots[pid] = ProgramTreeRoot(
                pid: pid, startTime: start, tag: String(fields[4]), user: UInt32(fields[3]),
                group: fields[5] == "-" ? nil : String(fields[5]))
        default: return
        }
    }

    static func line(adding root: ProgramTreeRoot) -> String {
        // The folder comes last: it may hold blanks.
        "+ \(root.pid) \(root.startTime) \(root.user.map(String.init) ?? "-") \(root.tag) \(root.group ?? "-")\n"
    }

    static func line(removing root: ProgramTreeRoot) -> String { "- \(root.pid)\n" }
}
