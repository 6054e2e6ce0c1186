import Logging
import Model
import NIOCore
import NIOPosix
import Realtime
import Wire

/// Keeps this worker connected to the hub for ever, and moves operations and deliveries between the link and the
/// engine. Confined to its event loop.
final class HubLinkClient: TurnEndWriter {
    private enum State {
        case idle
        case connecting
        case connected(any Channel)
        /// The next attempt is scheduled.
        case waiting
        case closed
    }

    private let path: String
    private unowned let engine: WorkerEngine
    private var state = State.idle
    private var backoff = ReconnectBackoff()
    private var isMarked = false
    private var wasLost = false
    /// Called once, when the link is up or has not come up in time.
    private var started: (() -> Void)?

    private let startTimeout: TimeAmount

    /// - Parameter startTimeout: how long a start waits for the hub.
    init(path: String, engine: WorkerEngine, startTimeout: TimeAmount = .seconds(1)) {
        self.path = path
        self.startTimeout = startTimeout
        self.engine = engine
    }

    var isConnected: Bool {
        if case .connected = state { true } else { false }
    }

    /// Connects, and from then on always again. `started` is called once: when the link is up, at the latest after
    /// `startTimeout`.
    func start(started: @escaping () -> Void) {
        self.started = started
        engine.eventLoop.assumeIsolated().scheduleTask(in: startTimeout) { self.hasStarted() }
        connect()
    }

    private func hasStarted() {
        started?()
        started = nil
    }

    /// Writes what is due and ends the link for good; `done` is called when it is gone.
    func close(done: @escaping () -> Void) {
        guard case .connected(let channel) = state else {
            state = .closed
            done()
            return
        }
        writeTurn()
        state = .closed
        channel.closeFuture.assumeIsolated().whenComplete { _ in done() }
        // After what was written: NIO sends the end of the stream behind it, the hub answers with its own.
        channel.close(mode: .output, promise: nil)
        engine.eventLoop.assumeIsolated().scheduleTask(in: .seconds(1)) { channel.close(promise: nil) }
    }

    // MARK: Connecting

    private func connect() {
        state = .connecting
        let bound = NIOLoopBound(self, eventLoop: engine.eventLoop)
        ClientBootstrap(group: engine.eventLoop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        HubLinkHandler(client: bound.value))
                }
            }
            .connect(unixDomainSocketPath: path)
            .assumeIsolated()
            .whenComplete { result in
                self.attemptEnded(result)
            }
    }

    private func attemptEnded(_ result: Result<any Channel, any Error>) {
        switch result {
        case .success(let channel):
            if case .closed = state {
                channel.close(promise: nil)
            } else if channel.isActive {
                connected(channel)
            } else {
                retry()
            }
        case .failure(let error):
            engine.logger.debug("Hub not reached", metadata: ["error": "\(error)"])
            retry()
        }
    }

    private func connected(_ channel: any Channel) {
        state = .connected(channel)
        let replayThrough = engine.realtime.beginLink()
        var out = ByteBuffer()
        HubLinkEncoder.hello(boot: engine.boot, slot: engine.child.slot.number, into: &out)
        engine.realtime.forEachClient { HubLinkEncoder.client($0, $1, into: &out) }
        engine.realtime.forEachRoom { HubLinkEncoder.register(room: $0, clients: $1, into: &out) }
        engine.realtime.forEachPosition { HubLinkEncoder.position(room: $0, $1, into: &out) }
        HubLinkEncoder.snapshotEnd(replayThrough: replayThrough, into: &out)
        engine.realtime.takeUnsent { out.writeImmutableBuffer($0) }
        channel.writeAndFlush(out, promise: nil)
    }

    private func retry() {
        if case .closed = state { return }
        state = .waiting
        var generator = SystemRandomNumberGenerator()
        let delay = backoff.next(using: &generator)
        engine.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(delay)) {
            guard case .waiting = self.state else { return }
            self.connect()
        }
    }

    // MARK: The link

    /// There may be operations to send at the end of this turn.
    func markIfDue() {
        guard !isMarked, engine.realtime.hasUnsent else { return }
        isMarked = true
        engine.flusher.mark(self)
    }

    func writeTurn() {
        isMarked = false
        guard case .connected(let channel) = state, engine.realtime.hasUnsent else { return }
        var out = ByteBuffer()
        engine.realtime.takeUnsent { out.writeImmutableBuffer($0) }
        channel.writeAndFlush(out, promise: nil)
    }

    func turnBegan() { engine.turnBegan() }

    func received(_ frame: HubFrame) {
        switch frame {
        case .welcome(let version, let boot, let isLate):
            guard version == UInt16(truncatingIfNeeded: WsdVersion.link) else {
                engine.logger.error("The hub speaks another link version", metadata: ["link.version": "\(version)"])
                return
            }
            backoff.reset()
            let isLossy = engine.realtime.welcomed(isLate: isLate)
            engine.logger.log(
                level: wasLost ? .info : .debug, "Hub link is up", metadata: ["hub.boot": "\(boot)"])
            if isLossy { engine.closeLosingMembers() }
            hasStarted()
            engine.markReadIfDue()
        case .ack(let acknowledged, let settled):
            engine.acknowledged(acknowledged, settled: settled)
        case .delivery(let delivery, let payload):
            engine.deliver(delivery, payload: payload)
        case .reply(let sequence, let reply):
            engine.replied(sequence, reply)
        case .command(let command):
            engine.commanded(command)
        }
    }

    func linkEnded(_ channel: any Channel) {
        guard case .connected(let current) = state, current === channel else { return }
        let wasUp = engine.realtime.isUp
        engine.realtime.linkLost()
        if wasUp {
            wasLost = true
            engine.logger.warning("Hub link lost")
        }
        engine.releaseHeld()
        retry()
    }

    func failed(_ error: any Error) {
        engine.counters.errors += 1
        engine.logger.error("Hub link failed", metadata: ["error": "\(error)"])
    }
}
