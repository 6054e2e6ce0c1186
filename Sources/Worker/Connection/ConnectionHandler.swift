import Logging
import Model
import NIOCore
import Realtime
import Wire

/// The thin driver of one WebSocket connection: read → feed the core → act → write once per turn of the event loop.
///
/// While its core is suspended nothing is read: `autoRead` is off, and what had come waits in the core, which is no more
/// than one receive buffer.
final class ConnectionHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// How the transport is closed once everything due has been written.
    enum Ending {
        case none
        case close
        /// Our side only; the peer's bytes run out for a bounded time.
        case linger
        case lingering
    }

    /// What the suspended core waits for.
    enum Wait {
        case nothing
        /// Whether it may be here at all.
        case admission
        /// Whether the token of an `auth` is good; the client's request.
        case identity(RequestID?)
        /// A webhook's answer, by the number of the call.
        case webhook(UInt64)
        /// Until the client has read enough, or been answered enough, or the hub has caught up.
        case flow
    }

    var core: ConnectionCore
    let info: ConnectionInfo
    /// Its place in the engine's table; set by the engine.
    var key = ConnectionKey(slot: 0, generation: 0)
    var wait: Wait
    /// Set while the client is owed long answers.
    var backlog: Backlog?

    let engine: WorkerEngine
    var context: ChannelHandlerContext?
    /// The socket; -1 where it is not written to directly: with TLS, and where the channel has none (tests).
    var descriptor: Int32 = -1
    /// Bytes handed to NIO because the kernel's buffer was full; 0: none wait there.
    var handedOver = 0
    /// What waited for the client when it was last looked at, bytes.
    var queuedAtLook = 0
    var ending = Ending.none
    var isMarked = false
    /// The core's outbound bytes are a frame that other connections share.
    var isShared = false
    private var isReading = true
    /// ``drive()`` is at work, and goes on by itself when the core is resumed.
    private(set) var isDriving = false

    init(core: ConnectionCore, info: ConnectionInfo, engine: WorkerEngine) {
        self.core = core
        self.info = info
        self.engine = engine
        wait = core.phase == .admitting ? .admission : .nothing
    }

    /// Its number within the worker's boot.
    var serial: UInt64 { core.session.id.serial }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        let operations = context.pipeline.syncOperations
        // With TLS the bytes go through the channel.
        guard !info.isSecure else { return }
        descriptor = (try? operations.withUnsafeTransportIfAvailable(of: NIOBSDSocket.Handle.self) { $0 }) ?? -1
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        read(bytes)
        engine.receiveBuffers.giveBack(bytes)
    }

    func channelInactive(context: ChannelHandlerContext) {
        end()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        end()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        engine.logger.debug("Connection failed", metadata: ["client.id": "\(core.session.id)", "error": "\(error)"])
        context.close(promise: nil)
    }

    private func end() {
        guard context != nil else { return }
        context = nil
        descriptor = -1
        backlog = nil
        recycleOutbound()
        engine.connectionClosed(self)
    }

    // MARK: In

    /// Begins right after the handshake: `response` goes out first, `leftover` is what the client sent behind its
    /// request. `admission` asks whether the client may be here, which may be decided at once.
    func start(response: ByteBuffer, leftover: ByteBuffer, admission: () -> Void) {
        core.outbound = response
        admission()
        // An answer to an earlier request of this connection may not have left yet.
        if let context, buffered(context) > 0 { handOver(context) }
        if leftover.readableBytes > 0 {
            read(leftover)
        } else {
            settle()
            markIfDue()
        }
    }

    private func read(_ bytes: ByteBuffer) {
        engine.turnBegan()
        engine.counters.bytesIn &+= bytes.readableBytes
        core.receive(bytes, now: engine.now)
        drive()
        // Only what a peer had sent before it closed its side comes all the same.
        guard core.isSuspended, core.heldBytes > engine.limits.heldWhileSuspended else { return }
        cut()
    }

    /// Carries out what has been received, as far as it goes.
    private func drive() {
        guard !isDriving else { return }
        isDriving = true
        if core.outbound.storageCapacity == 0 { core.outbound = engine.outboundBuffers.take() }
        let (messagesIn, messagesOut) = (core.session.messagesIn, core.session.messagesOut)
        while let action = core.next(limits: engine.limits) {
            switch action {
            case .command(let command, let request, let data):
                engine.execute(command, request: request, data: data, from: self)
            case .unreadable(let code, let request):
                engine.unreadable(code, request: request, from: self)
            case .pause:
                break
            case .end(let reason, let lingering):
                ended(reason, lingering: lingering)
            }
            holdIfDue()
        }
        isDriving = false
        engine.counters.messagesIn &+= core.session.messagesIn - messagesIn
        engine.counters.messagesOut &+= core.session.messagesOut - messagesOut
        settle()
        markIfDue()
    }

    /// Reads on or not, as the core is suspended or not.
    private func settle() {
        guard isReading == core.isSuspended else { return }
        isReading = !core.isSuspended
        if !isReading { core.ownInput() }
        try? context?.channel.syncOptions?.setOption(.autoRead, value: isReading)
    }

    /// The core takes no further command until ``resume()``.
    func suspend(_ wait: Wait) {
        self.wait = wait
        core.suspend()
    }

    /// What was waited for has come.
    func resume() {
        endWait()
        goOn()
    }

    /// The same, but what waits in the core is taken only with ``goOn()``.
    func endWait() {
        wait = .nothing
        core.resume(now: engine.now)
    }

    /// After the core has ceased to be suspended.
    func goOn() {
        guard !isDriving, !core.isSuspended else { return }
        drive()
    }

    private func ended(_ reason: ConnectionEnd, lingering: Bool) {
        ending = lingering ? .linger : .close
        engine.look(at: self, at: engine.now + engine.limits.closeTimeout)
        switch reason {
        case .closedByPeer(let code):
            engine.logger.debug(
                "Client closed",
                metadata: [
                    "client.id": "\(core.session.id)", "close.code": "\(code.map { "\($0.rawValue)" } ?? "none")",
                ])
        case .protocolError(let code, let sentence):
            engine.counters.protocolErrors += 1
            engine.logger.debug(
                "Client broke the protocol",
                metadata: [
                    "client.id": "\(core.session.id)", "close.code": "\(code.rawValue)", "reason": "\(sentence)",
                ])
        }
    }

    /// The wheel came round.
    func timeElapsed() {
        unshare()
        noteProgress()
        guard !isStalled else { return giveUp() }
        switch core.timeElapsed(now: engine.now, limits: engine.limits) {
        case .look(let time):
            if let time { engine.look(at: self, at: time) }
        case .pinged(let time):
            engine.look(at: self, at: time)
            markIfDue()
        case .pongMissing:
            engine.counters.heartbeatTimeouts += 1
            engine.logger.debug("No pong in time", metadata: ["client.id": "\(core.session.id)"])
            ending = .close
            writeTurn()
            cut()
        case .closeUnanswered:
            cut()
        }
    }
}
