internal import Glibc
internal import LinuxSystem
internal import Logging
package import Model
package import NIOCore
internal import NIOPosix
package import Wire

/// A supervised process's side of the supervision: its link, its heartbeat, its log and its end.
///
/// ``start(on:link:log:)`` waits for the configuration and says hello; the role then builds itself, calls ``serve(_:)``, and
/// ``ready()`` once it really serves. Messages that come before ``serve(_:)`` are kept for it.
///
/// Confined to its event loop, but for ``send(_:)``, ``reply(_:_:more:)``, ``ready()``, ``fail(_:exitCode:)`` and
/// ``finish(exitCode:)``, which hop on to it.
package final class ChildProcess: @unchecked Sendable {
    // @unchecked: the variables are touched on the event loop only; the constants are Sendable.

    /// Time between two heartbeats.
    package static let heartbeatInterval = TimeAmount.seconds(1)
    /// How long an ending process may wait for the readers of its link and of its log.
    static let finalFlush = Duration.milliseconds(200)

    package let eventLoop: any EventLoop
    package let configuration: ChildConfiguration
    /// This process's life. Random, told in hello.
    package let boot: BootID
    package let log: ChildLogSink

    private let channel: any Channel
    private let logger = Logger(label: "wsd.child")
    /// How the process ends; a test's own in tests.
    private let exit: @Sendable (Int32) -> Void
    private var handlers: ChildHandlers?
    private var held: [SupervisorMessage] = []
    private var heartbeat: RepeatedTask?
    private var heartbeatIsUnsent = false
    private var linkIsClosed = false

    fileprivate init(
        configuration: ChildConfiguration, boot: BootID, log: ChildLogSink, channel: any Channel,
        exit: @escaping @Sendable (Int32) -> Void
    ) {
        self.eventLoop = channel.eventLoop
        self.configuration = configuration
        self.boot = boot
        self.log = log
        self.channel = channel
        self.exit = exit
    }

    /// Sets up logging to standard error for the whole process, and ignores signals. First thing a child does.
    ///
    /// What is meant for the supervisor reaches its children, too, where somebody signals every process, as a platform does at its
    /// end (Heroku) or `killall`. The supervisor decides then, and tells by the link.
    package static func bootstrapLogging() -> ChildLogSink {
        for number in [SIGPIPE, SIGTERM, SIGINT, SIGHUP, SIGUSR1] { signal(number, SIG_IGN) }
        let sink = ChildLogSink()
        LoggingSystem.bootstrap { label in ChildLogHandler(label: label, sink: sink) }
        return sink
    }

    /// Adopts the link, waits for the configuration, takes over its log level and says hello.
    ///
    /// The process ends by `_exit(2)`: nothing runs beside the other threads at its end.
    ///
    /// - Parameter link: owned from here on.
    /// - Returns: fails with ``ChildLinkError``, ``ChildStartError`` or an `IOError`.
    package static func start(
        on eventLoop: any EventLoop, link: Int32 = ChildDescriptors.link, log: ChildLogSink
    ) -> EventLoopFuture<ChildProcess> {
        start(on: eventLoop, link: link, log: log, exit: { _exit($0) }).map { process in
            let slot = process.configuration.slot
            ProcessName.setOwn(slot.role == .hub ? "wsd-hub" : "wsd-worker-\(slot.number)")
            return process
        }
    }

    static func start(
        on eventLoop: any EventLoop, link: Int32, log: ChildLogSink, exit: @escaping @Sendable (Int32) -> Void
    ) -> EventLoopFuture<ChildProcess> {
        let started = eventLoop.makePromise(of: ChildProcess.self)
        ClientBootstrap(group: eventLoop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let starter = ChildStarter(channel: channel, log: log, exit: exit, started: started)
                    try channel.pipeline.syncOperations.addHandler(
                        ChildLinkHandler(received: starter.received, closed: starter.closed)
                    )
                }
            }
            .withConnectedSocket(link)
            .cascadeFailure(to: started)
        return started.futureResult
    }

    /// Takes the supervisor's messages from here on; those that came before are told at once.
    package func serve(_ handlers: ChildHandlers) {
        eventLoop.preconditionInEventLoop()
        self.handlers = handlers
        let messages = held
        held = []
        for message in messages { handle(message, handlers) }
        if linkIsClosed { handlers.linkClosed() }
    }

    /// Tells that the child serves, and begins with the heartbeat.
    package func ready() {
        hop { process in
            guard process.heartbeat == nil else { return }
            process.write(.ready)
            process.heartbeat = process.eventLoop.scheduleRepeatedTask(
                initialDelay: Self.heartbeatInterval, delay: Self.heartbeatInterval
            ) { [weak process] _ in process?.beat() }
        }
    }

    /// Whether what is sent now leaves soon: the supervisor reads. For what may as well be left out.
    package var isWritable: Bool { channel.isWritable }

    package func send(_ message: ChildMessage) {
        hop { $0.write(message) }
    }

    /// - Parameter more: further pages follow.
    package func reply(_ id: Int, _ page: ChildReply, more: Bool = false) {
        send(.reply(id: id, page: page, more: more))
    }

    /// Tells why the child cannot start or go on, and ends the process.
    ///
    /// - Parameter reason: a sentence for the operator.
    package func fail(_ reason: String, exitCode: Int32 = ExitCode.failure) {
        logger.critical("Ending", metadata: ["reason": "\(reason)"])
        hop { process in
            process.write(.failed(reason: reason, exitCode: exitCode))
            process.end(exitCode)
        }
    }

    /// Ends the process once what was sent has left.
    package func finish(exitCode: Int32 = ExitCode.success) {
        hop { $0.end(exitCode) }
    }

    fileprivate func received(_ message: SupervisorMessage) {
        if case .logLevel(let level) = message {
            log.level = level
        } else if let handlers {
            handle(message, handlers)
        } else {
            // The supervisor sends a handful of messages before READY, and waits for the answers to its queries.
            held.append(message)
        }
    }

    fileprivate func closed(_ error: (any Error)?) {
        if let error { logger.error("The child link broke", metadata: ["error": "\(error)"]) }
        linkIsClosed = true
        heartbeat?.cancel()
        handlers?.linkClosed()
    }

    private func handle(_ message: SupervisorMessage, _ handlers: ChildHandlers) {
        switch message {
        case .configure: logger.warning("A second configuration was ignored")
        case .lameDuck(let isLame): handlers.lameDuck(isLame)
        case .drain(let code, let spread, let deadline): handlers.drain(code, spread, deadline)
        case .logLevel(let level): log.level = level
        case .query(let id, let query): handlers.query(id, query)
        }
    }

    private func beat() {
        log.flush()
        // A supervisor that does not read (stopped, or busy) must not make this process grow.
        guard let handlers, !linkIsClosed, !heartbeatIsUnsent else { return }
        var counters = handlers.counters()
        counters.logLinesDropped = log.linesDropped
        heartbeatIsUnsent = true
        write(.heartbeat(counters)).assumeIsolated().whenComplete { [weak self] _ in self?.heartbeatIsUnsent = false }
    }

    @discardableResult
    fileprivate func write(_ message: ChildMessage) -> EventLoopFuture<Void> {
        do {
            return channel.writeAndFlush(try ChildLinkCodec.encode(message))
        } catch {
            logger.error("A message to the supervisor cannot be written", metadata: ["error": "\(error)"])
            return eventLoop.makeFailedFuture(error)
        }
    }

    private func end(_ code: Int32) {
        let log = log
        let exit = exit
        // What was counted since the last one.
        if heartbeat != nil { beat() }
        let written = channel.writeAndFlush(ByteBuffer())
        let late = eventLoop.scheduleTask(in: TimeAmount(Self.finalFlush)) {
            log.flush(waitingUpTo: Self.finalFlush)
            exit(code)
        }
        written.whenComplete { _ in
            late.cancel()
            log.flush(waitingUpTo: Self.finalFlush)
            exit(code)
        }
    }

    private func hop(_ body: @escaping @Sendable (ChildProcess) -> Void) {
        if eventLoop.inEventLoop {
            body(self)
        } else {
            eventLoop.execute { body(self) }
        }
    }
}

package enum ChildStartError: Error, Hashable, Sendable, CustomStringConvertible {
    case linkClosed
    case notAConfiguration

    package var description: String {
        switch self {
        case .linkClosed: "The supervisor closed the link before it sent a configuration"
        case .notAConfiguration: "The supervisor's first message is not a configuration"
        }
    }
}

/// Waits for the first message, then passes all others on. Confined to the link's event loop.
private final class ChildStarter {
    private let channel: any Channel
    private let log: ChildLogSink
    private let exit: @Sendable (Int32) -> Void
    private let started: EventLoopPromise<ChildProcess>
    private var process: ChildProcess?

    init(
        channel: any Channel, log: ChildLogSink, exit: @escaping @Sendable (Int32) -> Void,
        started: EventLoopPromise<ChildProcess>
    ) {
        self.channel = channel
        self.log = log
        self.exit = exit
        self.started = started
    }

    func received(_ message: SupervisorMessage) {
        if let process { return process.received(message) }
        guard case .configure(let configuration) = message else {
            started.fail(ChildStartError.notAConfiguration)
            channel.close(promise: nil)
            return
        }
        log.level = configuration.configuration.log.level
        var random = SystemRandomNumberGenerator()
        let boot = BootID(rawValue: random.next())
        let process = ChildProcess(configuration: configuration, boot: boot, log: log, channel: channel, exit: exit)
        self.process = process
        process.write(.hello(pid: getpid(), version: WsdVersion.current, link: WsdVersion.link, boot: boot))
        started.succeed(process)
    }

    func closed(_ error: (any Error)?) {
        if let process { return process.closed(error) }
        started.fail(error ?? ChildStartError.linkClosed)
    }
}
