import Glibc
import NIOCore
import NIOPosix

/// Tells when one of the listening sockets has a connection waiting: once for each ``arm()``.
///
/// The sockets are shared with other processes, so that a connection may be gone when `accept` is called. NIO's own
/// server channel takes that for an impossible state (an assertion of debug builds), hence `poll(2)` on a thread of its
/// own which does nothing but this.
final class ListenerReadiness: Sendable {
    /// Ends a `poll` that waits: its read end is polled, too.
    private let wakeRead: Int32
    private let wakeWrite: Int32
    private let pool: NIOThreadPool
    private let eventLoop: any EventLoop
    private let ready: @Sendable () -> Void

    /// - Parameter ready: called on the event loop.
    /// - Throws: `IOError` when no pipe could be made.
    init(eventLoop: any EventLoop, ready: @escaping @Sendable () -> Void) throws {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw IOError(errnoCode: errno, reason: "pipe") }
        wakeRead = ends[0]
        wakeWrite = ends[1]
        pool = NIOThreadPool(numberOfThreads: 1)
        self.eventLoop = eventLoop
        self.ready = ready
        pool.start()
    }

    /// Asks for one call of `ready`. Not to be called again before it came.
    func arm(_ descriptors: [Int32]) {
        pool.submit { state in
            guard state == .active else { return }
            self.waitUntilReadable(descriptors)
        }
    }

    /// Ends the waiting for good; the descriptors may be closed afterwards. `ready` may still come once.
    func stop() {
        _ = write(wakeWrite, "x", 1)
        pool.shutdownGracefully { _ in
            close(self.wakeRead)
            close(self.wakeWrite)
        }
    }

    private func waitUntilReadable(_ descriptors: [Int32]) {
        var polled = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        polled.append(pollfd(fd: wakeRead, events: Int16(POLLIN), revents: 0))
        while poll(&polled, nfds_t(polled.count), -1) < 0, errno == EINTR {}
        guard polled[descriptors.count].revents == 0 else { return }
        eventLoop.execute(ready)
    }
}
