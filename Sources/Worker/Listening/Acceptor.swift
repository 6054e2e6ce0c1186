import Glibc
import Logging
import Model
import NIOCore

/// Accepts connections from the inherited listening sockets in small, paced batches. Confined to its event loop.
final class Acceptor {
    /// What the acceptor needs of its worker.
    struct Environment {
        /// This worker's open connections, and their mean over the fleet.
        var load: () -> (own: Int, mean: Double)
        var now: () -> MonotonicTime
        /// Takes over a connected socket; the listening one is that it came from.
        var adopt: (_ descriptor: Int32, _ listener: Int32) -> Void
        /// Accepting paused for want of descriptors (once per episode).
        var paused: () -> Void
    }

    private enum State {
        /// Waiting for a connection.
        case armed
        /// Between two batches, or waiting out a delay.
        case scheduled
        case closed
    }

    /// Whether accepting waits for a free descriptor.
    var isShortOfDescriptors: Bool { pacer.isShortOfDescriptors }

    private let eventLoop: any EventLoop
    private let environment: Environment
    private let logger: Logger
    private var descriptors: [Int32]
    private var readiness: ListenerReadiness?
    private var pacer = AcceptPacer()
    private var state = State.scheduled
    private var delay: Scheduled<Void>?

    init(descriptors: [Int32], eventLoop: any EventLoop, logger: Logger, environment: Environment) {
        self.descriptors = descriptors
        self.eventLoop = eventLoop
        self.logger = logger
        self.environment = environment
    }

    /// Begins to accept. Owns the descriptors from here on.
    ///
    /// - Throws: `IOError` when the helper thread's pipe could not be made.
    func start() throws {
        for descriptor in descriptors {
            _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
            // Accepted sockets inherit it (tcp(7)); on a Unix socket it fails, which does no harm.
            var on: Int32 = 1
            _ = setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        readiness = try ListenerReadiness(eventLoop: eventLoop) { bound.value.acceptBatch() }
        arm()
    }

    /// Stops accepting and closes the descriptors in this process; the sockets live on where others hold them.
    func close() {
        guard state != .closed else { return }
        state = .closed
        delay?.cancel()
        delay = nil
        readiness?.stop()
        readiness = nil
        for descriptor in descriptors { Glibc.close(descriptor) }
        descriptors = []
    }

    /// A client's descriptor was freed: no need to wait longer for one.
    func descriptorFreed() {
        guard pacer.isShortOfDescriptors, state == .scheduled, let waiting = delay else { return }
        waiting.cancel()
        delay = nil
        schedule(after: .zero)
    }

    private func arm() {
        state = .armed
        readiness?.arm(descriptors)
    }

    private func schedule(after duration: Duration) {
        state = .scheduled
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        if duration == .zero {
            eventLoop.execute { bound.value.acceptBatch() }
        } else {
            delay = eventLoop.scheduleTask(in: TimeAmount(duration)) {
                bound.value.delay = nil
                bound.value.acceptBatch()
            }
        }
    }

    private func acceptBatch() {
        guard state != .closed else { return }
        let load = environment.load()
        switch pacer.next(own: load.own, mean: load.mean) {
        case .wait(let step): schedule(after: step)
        case .accept(let limit): accept(upTo: limit)
        }
    }

    private func accept(upTo limit: Int) {
        var isFull = false
        for descriptor in descriptors {
            var taken = 0
            listener: while taken < limit {
                // NIO makes it non-blocking; a worker runs no other program that could inherit it.
                let accepted = Glibc.accept(descriptor, nil, nil)
                if accepted >= 0 {
                    taken += 1
                    if pacer.accepted(now: environment.now()) { logger.notice("Accepting again: descriptors are free") }
                    environment.adopt(accepted, descriptor)
                    continue
                }
                switch errno {
                case EAGAIN: break listener
                case EMFILE, ENFILE, ENOBUFS, ENOMEM:
                    pauseForDescriptors(errno)
                    return
                case EBADF, EINVAL, ENOTSOCK, EOPNOTSUPP:
                    logger.error("Listening socket is unusable", metadata: ["errno": "\(errno)"])
                    descriptors.removeAll { $0 == descriptor }
                    break listener
                default:
                    // Errors of the connection that was to be accepted (accept(2)): it is gone, the next may be fine.
                    taken += 1
                }
            }
            isFull = isFull || taken >= limit
        }
        if isFull {
            schedule(after: .zero)
        } else if !descriptors.isEmpty {
            arm()
        }
    }

    private func pauseForDescriptors(_ code: Int32) {
        let (pause, beginsEpisode) = pacer.ranOutOfDescriptors(now: environment.now())
        if beginsEpisode {
            environment.paused()
            logger.warning(
                "Accepting pauses: no descriptor is free",
                metadata: ["errno": "\(code)", "hint": "raise LimitNOFILE= or ulimit -n"]
            )
        }
        schedule(after: pause)
    }
}
