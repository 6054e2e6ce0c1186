import CLinux
import Glibc
package import Model
import Synchronization

/// Waits for children on a thread of its own, reaps them and tells how each ended. Signals go by pidfd, so that they never reach
/// a stranger that was given the same pid.
package final class ProcessWatcher: Sendable {
    /// The event's mark of the descriptor that ends the thread; pids are positive.
    private static let stopMark: UInt64 = 0
    /// Most children that one ``reapStrangers()`` reaps.
    private static let reapsAtOnce = 1024

    private struct State {
        var pidfds: [Int32: Int32] = [:]
        var isStopped = false
    }

    private let state = Mutex(State())
    private let epoll: Int32
    private let stopEvent: Int32
    private let ended: @Sendable (Int32, ProcessExit) -> Void

    /// - Parameter ended: called once for each watched process, on the watcher's thread or in ``reapStrangers()``. Must not block.
    package init(ended: @escaping @Sendable (_ pid: Int32, _ exit: ProcessExit) -> Void) throws(SystemError) {
        self.ended = ended
        epoll = try SystemError.check("epoll_create1", nil, wsd_epoll_create())
        stopEvent = wsd_eventfd()
        guard stopEvent >= 0, wsd_epoll_add(epoll, stopEvent, Self.stopMark) == 0 else {
            let code = errno
            if stopEvent >= 0 { close(stopEvent) }
            close(epoll)
            throw SystemError(call: "eventfd", code: code)
        }
        do {
            try Threads.start(named: "wsd-reaper") { [self] in run() }
        } catch {
            close(stopEvent)
            close(epoll)
            throw error
        }
    }

    /// Watches a child of this process. Owns its `pidfd` from here on, also when it throws.
    package func watch(_ process: SpawnedProcess) throws(SystemError) {
        let failure = state.withLock { state -> Int32? in
            if state.isStopped { return ECANCELED }
            // Entered first: the end may be reported before this call returns.
            state.pidfds[process.pid] = process.pidfd
            guard wsd_epoll_add(epoll, process.pidfd, UInt64(process.pid)) < 0 else { return nil }
            state.pidfds[process.pid] = nil
            return errno
        }
        guard let failure else { return }
        close(process.pidfd)
        throw SystemError(call: "epoll_ctl", code: failure)
    }

    /// Signals a watched process.
    ///
    /// - Returns: `false` when it has ended already, or is not watched.
    @discardableResult
    package func signal(_ pid: Int32, _ signal: Int32) -> Bool {
        state.withLock { state in
            guard let pidfd = state.pidfds[pid] else { return false }
            return wsd_pidfd_signal(pidfd, signal) == 0
        }
    }

    /// Pids of the processes whose end has not been told yet.
    package var watched: [Int32] { state.withLock { $0.pidfds.keys.sorted() } }

    /// Reaps children that nobody here started: orphans, which come to process 1 and to a subreaper (prctl(2)), and what was
    /// started before this program took its process over (execve(2)).
    ///
    /// Call on the thread that spawns, whenever SIGCHLD came: a child between its start and ``watch(_:)`` is not known here.
    package func reapStrangers() {
        for _ in 0..<Self.reapsAtOnce {
            let pid = wsd_ended_child()
            guard pid > 0 else { return }
            switch state.withLock({ $0.isStopped ? nil : $0.pidfds[pid] != nil }) {
            // It stands before the others, and the watcher's thread has not come to it yet.
            case true?: reap(pid)
            case false?:
                var status: Int32 = 0
                waitpid(pid, &status, WNOHANG)
            case nil: return
            }
        }
    }

    /// Ends the thread. Processes still watched are left alone, and no more is told of them.
    package func stop() {
        let isFirst = state.withLock { state in
            defer { state.isStopped = true }
            return !state.isStopped
        }
        guard isFirst else { return }
        var one: UInt64 = 1
        _ = write(stopEvent, &one, MemoryLayout<UInt64>.size)
    }

    private func run() {
        let capacity = 64
        var marks = [UInt64](repeating: 0, count: capacity)
        while true {
            let count = Int(wsd_epoll_wait(epoll, &marks, Int32(capacity)))
            guard count > 0 else { break }
            if marks[..<count].contains(Self.stopMark) { break }
            for mark in marks[..<count] { reap(Int32(truncatingIfNeeded: mark)) }
        }
        state.withLock { state in
            for pidfd in state.pidfds.values { close(pidfd) }
            state.pidfds = [:]
            state.isStopped = true
            close(epoll)
            close(stopEvent)
        }
    }

    private func reap(_ pid: Int32) {
        let exit = state.withLock { state -> ProcessExit? in
            guard let pidfd = state.pidfds[pid] else { return nil }
            var result = wsd_exit()
            if wsd_reap(pidfd, &result) < 0 {
                if errno == EAGAIN { return nil }
                // Reaped by somebody else: how it ended is not known any more.
                result = wsd_exit(pid: pid, status: 255, signalled: 0, core_dumped: 0)
            }
            // Closing takes it out of the epoll set, too.
            state.pidfds[pid] = nil
            close(pidfd)
            if result.signalled == 0 { return .exited(result.status) }
            return .signalled(result.status, coreDumped: result.core_dumped != 0)
        }
        if let exit { ended(pid, exit) }
    }
}
