import CLinux
import Glibc

/// The supervisor's end of its guard: tells it which trees live. Not for several threads.
package final class ProgramGuardLink {
    /// How long the roots may take on their way to a new guard, ms.
    static let patience: Int32 = 1000

    private let executable: String
    private let arguments: [String]
    private var socket: Int32 = -1
    private var pid: Int32 = 0
    private var pidfd: Int32 = -1
    private var roots: Set<ProgramTreeRoot> = []

    package convenience init() {
        self.init(executable: ChildSpawner.ownImage, arguments: ["wsd", "guard"])
    }

    init(executable: String, arguments: [String]) {
        self.executable = executable
        self.arguments = arguments
    }

    deinit { bye() }

    /// Starts a guard, the first one or one in place of one that has ended, and tells it of all trees.
    ///
    /// - Returns: a child to be watched: when it ends unasked, call this again (not at once each time).
    package func start() throws(SystemError) -> SpawnedProcess {
        let ends = try Descriptors.socketPair()
        defer { Descriptors.close(ends.theirs) }
        do throws(SystemError) {
            let process = try ChildSpawner.spawn(
                executable: executable, arguments: arguments, environment: ProgramSpawner.libraryEnvironment,
                descriptors: [InheritedDescriptor(source: ends.theirs, target: ProgramGuard.link)])
            let former = (socket: socket, pidfd: pidfd)
            (socket, pid) = (ends.ours, process.pid)
            pidfd = fcntl(process.pidfd, F_DUPFD_CLOEXEC, 3)
            for root in roots { send(GuardBook.line(adding: root)) }
            // Not before another one knows everything.
            dismiss(former.socket, former.pidfd)
            return process
        } catch {
            Descriptors.close(ends.ours)
            throw error
        }
    }

    /// A guard that runs, for the program that takes this one's process over.
    package struct Handed: Codable, Sendable {
        package var socket: Int32
        package var pid: Int32
        package var roots: [ProgramTreeRoot]
    }

    /// `nil`: no guard runs.
    package var handed: Handed? {
        socket < 0 ? nil : Handed(socket: socket, pid: pid, roots: roots.sorted { $0.pid < $1.pid })
    }

    /// Goes on with a guard that the predecessor of this program started.
    ///
    /// - Returns: a child to be watched, as ``start()`` does.
    package func resume(_ handed: Handed) throws(SystemError) -> SpawnedProcess {
        roots = Set(handed.roots)
        do throws(SystemError) {
            let process = try ChildSpawner.adopt(pid: handed.pid)
            (socket, pid) = (handed.socket, handed.pid)
            pidfd = fcntl(process.pidfd, F_DUPFD_CLOEXEC, 3)
            return process
        } catch {
            Descriptors.close(handed.socket)
            throw error
        }
    }

    /// A tree lives from now on.
    package func add(_ root: ProgramTreeRoot) {
        roots.insert(root)
        send(GuardBook.line(adding: root))
    }

    /// It is gone.
    package func remove(_ root: ProgramTreeRoot) {
        guard roots.remove(root) != nil else { return }
        send(GuardBook.line(removing: root))
    }

    /// One that somebody stopped (SIGSTOP) would do nothing when it is needed.
    package func wake() {
        if pidfd >= 0 { _ = wsd_pidfd_signal(pidfd, SIGCONT) }
    }

    /// The supervisor ends as it should, and no program lives: the guard ends, too.
    package func bye() {
        guard socket >= 0 else { return }
        send("bye\n")
        disconnect()
    }

    private func dismiss(_ socket: Int32, _ pidfd: Int32) {
        guard socket >= 0 else { return }
        // The end of its link without the word would have it end the programs.
        if Glibc.send(socket, "bye\n", 4, Int32(MSG_NOSIGNAL)) != 4, pidfd >= 0 {
            _ = wsd_pidfd_signal(pidfd, SIGKILL)
        }
        Descriptors.close(socket)
        if pidfd >= 0 { Descriptors.close(pidfd) }
    }

    private func disconnect() {
        if socket >= 0 { Descriptors.close(socket) }
        if pidfd >= 0 { Descriptors.close(pidfd) }
        (socket, pidfd) = (-1, -1)
    }

    private func send(_ line: String) {
        guard socket >= 0 else { return }
        var rest = Array(line.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if count < 0, errno == EINTR {
                continue
            } else if count < 0, errno == EAGAIN, hasRoom() {
                continue
            } else {
                return giveUp()
            }
        }
    }

    private func hasRoom() -> Bool {
        var wanted = pollfd(fd: socket, events: Int16(POLLOUT), revents: 0)
        return poll(&wanted, 1, Self.patience) > 0
    }

    /// A guard that does not listen must not take the end of its link for the supervisor's: it is killed first, and its end
    /// calls for another one.
    private func giveUp() {
        if pidfd >= 0 { _ = wsd_pidfd_signal(pidfd, SIGKILL) }
        disconnect()
    }
}
