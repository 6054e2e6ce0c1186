import CLinux
import Glibc
package import Model
import Synchronization

/// Waits for children on a thread of its own, reaps them and tells how each ended. Signals go by pidfd, so that they never reach
/// a stranger that was given the same pid.
package final class ProcessWatcher: Sendable {
    /// Most children that one ``reapStrangers()`` reaps.
    private static let reapsAtOnce = 1024

    private let pidfds = Mutex<[Int32: Int32]>([:])
    private let thread: EpollThread
    private let ended: @Sendable (Int32, ProcessExit) -> Void

    /// - Parameter ended: called once for each watched process, on the watcher's thread or in ``reapStrangers()``. Must not block.
    package init(ended: @escaping @Sendable (_ pid: Int32, _ exit: ProcessExit) -> Void) throws(SystemError) {
        self.ended = ended
        thread = try EpollThread()
        try thread.start(
            named: "wsd-reaper",
            ready: { [self] marks in for mark in marks { reap(Int32(truncatingIfNeeded: mark)) } },
            ended: { [self] in
                pidfds.withLock { pidfds in
                    for pidfd in pidfds.values { close(pidfd) }
                    pidfds = [:]
                }
            })
    }

    /// Watches a child of this process. Owns its `pidfd` from here on, also when it throws.
    package func watch(_ process: SpawnedProcess) throws(SystemError) {
        let failure = pidfds.withLock { pidfds -> Int32? in
            if thread.isStopped { return ECANCELED }
            // Entered first: the end may be reported before this call returns.
            pidfds[process.pid] = process.pidfd
            let code = thread.watch(process.pidfd, mark: UInt64(process.pid))
            guard code != 0 else { return nil }
            pidfds[process.pid] = nil
            return code
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
        pidfds.withLock { pidfds in
            guard let pidfd = pidfds[pid] else { return false }
            return wsd_pidfd_signal(pidfd, signal) == 0
        }
    }

    /// Pids of the processes whose end has not been told yet.
    package var watched: [Int32] { pidfds.withLock { $0.keys.sorted() } }

    /// No end is told any more until ``release()``; those that have been before are all (``isQuiet``).
    package func hold() { thread.hold() }
    package func release() { thread.release() }
    package var isQuiet: Bool { thread.isQuiet }

    /// Reaps children that nobody here started: orphans, which come to process 1 and to a subreaper (prctl(2)), and what was
    /// started before this program took its process over (execve(2)).
    ///
    /// Call on the thread that spawns, whenever SIGCHLD came: a child between its start and ``watch(_:)`` is not known here.
    package func reapStrangers() {
        for _ in 0..<Self.reapsAtOnce {
            let pid = wsd_ended_child()
            guard pid > 0 else { return }
            guard !thread.isStopped else { return }
            if pidfds.withLock({ $0[pid] != nil }) {
                // It stands before the others, and the watcher's thread has not come to it yet.
                reap(pid)
            } else {
                var status: Int32 = 0
                waitpid(pid, &status, WNOHANG)
            }
        }
    }

    /// Ends the thread. Processes still watched are left alone, and no more is told of them.
    package func stop() { thread.stop() }

    private func reap(_ pid: Int32) {
        let exit = pidfds.withLock { pidfds -> ProcessExit? in
            guard let pidfd = pidfds[pid] else { return nil }
            var result = wsd_exit()
            if wsd_reap(pidfd, &result) < 0 {
                if errno == EAGAIN { return nil }
                // Reaped by somebody else: how it ended is not known any more.
                result = wsd_exit(pid: pid, status: 255, signalled: 0, core_dumped: 0)
            }
            // Closing takes it out of the epoll set, too.
            pidfds[pid] = nil
            close(pidfd)
            if result.signalled == 0 { return .exited(result.status) }
            return .signalled(result.status, coreDumped: result.core_dumped != 0)
        }
        if let exit { ended(pid, exit) }
    }
}
