import CLinux
import Glibc

/// The process of a program from which a tree begins. Names it for good: a pid is given out again.
package struct ProgramTreeRoot: Hashable, Codable, Sendable {
    /// Also the number of its session.
    package var pid: Int32
    /// Clock ticks since the machine started.
    package var startTime: UInt64
    package var tag: String
    /// Real user of the program; `nil`: not known here, and only descent counts.
    package var user: UInt32?
    /// Folder of its control group.
    package var group: String?

    package init(pid: Int32, startTime: UInt64, tag: String, user: UInt32?, group: String?) {
        self.pid = pid
        self.startTime = startTime
        self.tag = tag
        self.user = user
        self.group = group
    }
}

package struct ProgramTreeFigures: Hashable, Codable, Sendable {
    /// Living processes.
    package var count: Int
    /// What the control group counts (``ProgramGroup/memory``); without one the resident bytes of all processes, where pages that
    /// they share count for each.
    package var residentBytes: Int
    /// May fall when a process ends that nobody waited for.
    package var cpuTime: Duration
}

/// A program's process and all that came from it.
///
/// What counts: the processes of its control group; those of its session; every descendant of one that counts; one that was
/// seen to count before; an orphan that came to this process from the session of one that was seen; and, since a daemon
/// cuts all of these ties but the first, one whose environment carries the tag. A tag can be copied, so it counts only where
/// the real user is the program's own, which could end that process itself (kill(2)), or where the process is an orphan that
/// came to this process. None is older than the root.
///
/// Without a control group a process is lost that, between two looks, leaves the session, loses its parent and has no tag (an
/// emptied or overwritten environment).
package struct ProgramTree: Codable, Sendable {
    /// Rounds of one ``killAll()``: each finds what was forked during the one before.
    static let maxRounds = 16

    package let root: ProgramTreeRoot
    /// Members at the last look, with their start times.
    private var seen: [Int32: UInt64] = [:]
    /// Their sessions, and those that they may have begun since.
    private var seenSessions: Set<Int32> = []
    private var measured: Measured?

    package init(root: ProgramTreeRoot) {
        self.root = root
    }

    /// Where ``ProcessTableReader`` has to look: the root, and members at the last look.
    package var known: [Int32] { seen.keys + [root.pid] }

    /// Living processes, in no order.
    package mutating func processes(in table: ProcessTable) -> [Int32] {
        members(in: table).map(\.pid)
    }

    package mutating func figures(in table: ProcessTable) -> ProgramTreeFigures {
        let members = members(in: table)
        let state = MemberState(
            count: members.count, cpuTicks: members.reduce(0) { $0 &+ $1.cpuTicks },
            residentPages: members.reduce(0) { $0 &+ $1.residentPages })
        // At rest its control group, with several files, is not asked again.
        if let measured, measured.state == state { return measured.figures }
        let summed = Duration.nanoseconds(state.cpuTicks &* (1_000_000_000 / Self.ticksPerSecond))
        let figures = ProgramTreeFigures(
            count: state.count, residentBytes: group?.memory ?? state.residentPages &* Self.pageSize,
            cpuTime: max(summed, group?.cpuTime ?? .zero))
        measured = Measured(state: state, figures: figures)
        return figures
    }

    /// Sends a signal to every process once.
    ///
    /// - Parameter table: a look at everything; `nil`: a new one.
    /// - Returns: how many it reached.
    @discardableResult
    package mutating func signal(_ number: Int32, in table: ProcessTable? = nil) -> Int {
        members(in: table ?? everything).count { Self.signal($0, number) }
    }

    /// Sends a signal to every process that did not get it yet: those that are not in `reached`, with their start times.
    mutating func signalNew(_ number: Int32, in table: ProcessTable, _ reached: inout [Int32: UInt64]) {
        for member in members(in: table) where reached[member.pid] != member.startTime {
            reached[member.pid] = member.startTime
            Self.signal(member, number)
        }
    }

    /// SIGKILL to everything that one look found: for many trees at once, where ``killAll()`` looks anew for each.
    mutating func kill(in table: ProcessTable) {
        group?.kill()
        for member in members(in: table) { Self.signal(member, SIGKILL) }
    }

    /// SIGKILL to everything, again and again until a look finds nothing new, ``maxRounds`` times at most. What ends does so a
    /// moment later: call this again while it is not gone.
    ///
    /// - Returns: the first look found nothing: it is gone.
    @discardableResult
    package mutating func killAll() -> Bool {
        var one = [self]
        defer { self = one[0] }
        return Self.killAll(&one)[0]
    }

    /// Nothing of it lives any more.
    ///
    /// - Parameter table: a look at everything; `nil`: a new one.
    package mutating func isGone(in table: ProcessTable? = nil) -> Bool {
        members(in: table ?? everything).isEmpty && group?.isPopulated != true
    }

    /// Removes the control group; to be called once it is gone.
    package func dissolve() { group?.remove() }

    // MARK: - Who belongs to it

    /// A look that finds all that can belong to it.
    private var everything: ProcessTable { .read(.everywhere(since: root.startTime)) }

    var group: ProgramGroup? { root.group.map { ProgramGroup(folder: $0) } }

    mutating func members(in table: ProcessTable) -> [ProcessTable.Entry] {
        let own = getpid()
        var found: [Int32: ProcessTable.Entry] = [:]
        func take(_ first: Int32) {
            var waiting = [first]
            while let pid = waiting.popLast() {
                guard found[pid] == nil, pid > 1, pid != own, let entry = table.entries[pid], !entry.isKernelThread,
                    entry.startTime >= root.startTime
                else { continue }
                found[pid] = entry
                waiting += table.children[pid] ?? []
            }
        }
        // The number of a session stays taken while any process is in it, so a leader of another age has a session of its own.
        let leader = table.entries[root.pid]
        if leader == nil || leader?.startTime == root.startTime {
            for pid in table.sessions[root.pid] ?? [] { take(pid) }
            take(root.pid)
        }
        for (pid, startTime) in seen where table.entries[pid]?.startTime == startTime { take(pid) }
        if table.hasNew {
            for pid in group?.processes ?? [] { take(pid) }
        }
        // A daemon's second fork stays in the session of the first, which has ended. Only its own orphans come to this process.
        for pid in table.children[own] ?? [] {
            if let entry = table.entries[pid], seenSessions.contains(entry.session) { take(pid) }
        }
        for pid in table.tagged[root.tag] ?? [] where found[pid] == nil && isTrusted(table.entries[pid], own: own) {
            take(pid)
        }
        let living = found.values.filter { !$0.isEnded }
        seen = Dictionary(uniqueKeysWithValues: living.map { ($0.pid, $0.startTime) })
        seenSessions = Set(living.flatMap { [$0.pid, $0.session] })
        return living
    }

    /// Whether its tag counts.
    private func isTrusted(_ entry: ProcessTable.Entry?, own: Int32) -> Bool {
        guard let entry else { return false }
        return entry.parent == own || root.user != nil && ProcessTable.realUser(of: entry.pid) == root.user
    }

    /// Signals this very process: not one that has its pid now.
    @discardableResult
    static func signal(_ entry: ProcessTable.Entry, _ number: Int32) -> Bool {
        let pidfd = wsd_pidfd_open(entry.pid)
        guard pidfd >= 0 else { return false }
        defer { close(pidfd) }
        guard ProcessTable.entry(of: entry.pid)?.startTime == entry.startTime else { return false }
        return wsd_pidfd_signal(pidfd, number) == 0
    }

    /// Sums over the members at a look.
    private struct MemberState: Hashable, Codable {
        var count: Int
        var cpuTicks: Int
        var residentPages: Int
    }

    private struct Measured: Codable {
        var state: MemberState
        var figures: ProgramTreeFigures
    }

    private static let pageSize = sysconf(Int32(_SC_PAGESIZE))
    private static let ticksPerSecond = max(1, sysconf(Int32(_SC_CLK_TCK)))
}

/// This process as the one to which orphans of its descendants come, rather than to process 1.
package enum Subreaper {
    /// For good. Who has become one reaps strangers; see ``ProcessWatcher/reapStrangers()``.
    package static func become() throws(SystemError) {
        try SystemError.check("prctl", "PR_SET_CHILD_SUBREAPER", wsd_become_subreaper())
    }
}
