import Glibc
import Logging
import Model
import NIOCore
import Realtime
import Wire

/// The thin driver of one WebSocket connection: read → feed the core → act → write once per turn of the event loop.
///
/// It writes with `send(2)` itself while the kernel takes everything, which spares NIO's queue of pending writes; what
/// the kernel refuses goes through NIO, and from then until that has drained, everything waits in the core.
final class ConnectionHandler: ChannelInboundHandler, TurnEndWriter {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// How the transport is closed once everything due has been written.
    private enum Ending {
        case none
        case close
        /// Our side only; the peer's bytes run out for a bounded time.
        case linger
        case lingering
    }

    private(set) var core: ConnectionCore
    let info: ConnectionInfo
    /// Its place in the engine's table; set by the engine.
    var key = ConnectionKey(slot: 0, generation: 0)

    private let engine: WorkerEngine
    private var context: ChannelHandlerContext?
    /// The socket; -1 where the channel has none (tests).
    private var descriptor: Int32 = -1
    /// Bytes handed to NIO because the kernel's buffer was full; 0: none wait there.
    private var handedOver = 0
    private var ending = Ending.none
    private var isMarked = false
    /// The core's outbound bytes are a frame that other connections share.
    private var isShared = false

    init(core: ConnectionCore, info: ConnectionInfo, engine: WorkerEngine) {
        self.core = core
        self.info = info
        self.engine = engine
    }

    /// Bytes that wait for the client to read.
    var queuedBytes: Int { core.outbound.readableBytes + waitingInChannel }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        let operations = context.pipeline.syncOperations
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
        recycleOutbound()
        engine.connectionClosed(self)
    }

    // MARK: In

    /// Begins right after the handshake: `response` goes out first, `leftover` is what the client sent behind its
    /// request.
    func start(response: ByteBuffer, leftover: ByteBuffer) {
        core.outbound = response
        core.sendGreeting()
        engine.counters.messagesOut &+= core.session.messagesOut
        // An answer to an earlier request of this connection may not have left yet.
        if let context, buffered(context) > 0 { handOver(context) }
        if leftover.readableBytes > 0 {
            read(leftover)
        } else {
            markIfDue()
        }
    }

    private func read(_ bytes: ByteBuffer) {
        if core.outbound.storageCapacity == 0 { core.outbound = engine.outboundBuffers.take() }
        let (messagesIn, messagesOut) = (core.session.messagesIn, core.session.messagesOut)
        engine.counters.bytesIn &+= bytes.readableBytes
        core.receive(bytes, now: engine.now)
        while let action = core.next(limits: engine.limits) {
            switch action {
            case .command(let command, let request, let data):
                engine.execute(command, request: request, data: data, from: self)
            case .end(let reason, let lingering):
                ended(reason, lingering: lingering)
            }
        }
        engine.counters.messagesIn &+= core.session.messagesIn - messagesIn
        engine.counters.messagesOut &+= core.session.messagesOut - messagesOut
        markIfDue()
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

    // MARK: Out

    /// Appends an encoded frame; the first of a turn is not even copied. `false`: the client is being closed.
    func deliver(_ frame: ByteBuffer) -> Bool {
        guard core.isOpen else { return false }
        if core.outbound.readableBytes == 0 {
            recycleOutbound()
            core.outbound = frame
            isShared = true
        } else {
            unshare()
            core.outbound.writeImmutableBuffer(frame)
        }
        core.delivered(bytes: frame.readableBytes)
        markIfDue()
        return true
    }

    /// Lets `body` write to the client through the core.
    func send(_ body: (inout ConnectionCore) -> Void) {
        unshare()
        let messagesOut = core.session.messagesOut
        body(&core)
        engine.counters.messagesOut &+= core.session.messagesOut - messagesOut
        markIfDue()
    }

    /// Says goodbye; the connection is cut if the client does not answer in time. `false`: that had begun before.
    @discardableResult
    func close(_ code: CloseCode, reason: String) -> Bool {
        unshare()
        guard core.close(code, reason: reason, now: engine.now) else { return false }
        engine.look(at: self, at: engine.now + engine.limits.closeTimeout)
        markIfDue()
        return true
    }

    /// Ends the connection without another word.
    func cut() {
        context?.close(promise: nil)
    }

    /// The wheel came round.
    func timeElapsed() {
        unshare()
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

    /// Gives a shared frame a buffer of this connection's own, before anything is appended to it.
    private func unshare() {
        guard isShared else { return }
        isShared = false
        var own = engine.outboundBuffers.take()
        own.writeImmutableBuffer(core.outbound)
        core.outbound = own
    }

    private func recycleOutbound() {
        if isShared {
            isShared = false
            core.outbound = ByteBuffer()
        } else if core.outbound.storageCapacity > 0 {
            engine.outboundBuffers.recycle(&core.outbound)
        }
    }

    private func markIfDue() {
        guard core.outbound.readableBytes > 0 || ending != .none else {
            recycleOutbound()
            return
        }
        guard !isMarked else { return }
        isMarked = true
        engine.flusher.mark(self)
    }

    func writeTurn() {
        isMarked = false
        guard let context else { return }
        guard handedOver == 0 else {
            checkQueue(context)
            return
        }
        let due = core.outbound.readableBytes
        guard due > 0 else {
            finish(context)
            return
        }
        engine.counters.bytesOut &+= due
        let sent = descriptor < 0 ? 0 : transmit()
        if sent == due {
            recycleOutbound()
            finish(context)
        } else if sent < 0 {
            context.close(promise: nil)
        } else {
            core.outbound.moveReaderIndex(forwardBy: sent)
            handOver(context)
            checkQueue(context)
        }
    }

    /// Bytes the kernel took; -1: the connection is broken.
    private func transmit() -> Int {
        core.outbound.withUnsafeReadableBytes { bytes in
            let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
            let count = Glibc.send(descriptor, bytes.baseAddress, bytes.count, flags)
            guard count < 0 else { return count }
            return [EAGAIN, EINTR, ENOBUFS, ENOMEM].contains(errno) ? 0 : -1
        }
    }

    /// NIO writes the rest as soon as the kernel takes it.
    private func handOver(_ context: ChannelHandlerContext) {
        let rest = core.outbound
        core.outbound = ByteBuffer()
        isShared = false
        handedOver = rest.readableBytes
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenComplete { _ in self.drained() }
        context.writeAndFlush(wrapOutboundOut(rest), promise: written)
    }

    private func drained() {
        handedOver = 0
        guard let context else { return }
        if core.outbound.readableBytes > 0 {
            markIfDue()
        } else {
            finish(context)
        }
    }

    private var waitingInChannel: Int {
        guard handedOver > 0, let context else { return handedOver }
        return buffered(context)
    }

    /// Bytes that NIO has not written yet.
    private func buffered(_ context: ChannelHandlerContext) -> Int {
        (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? handedOver
    }

    /// A client that lets more than its queue's bound pile up is given up.
    private func checkQueue(_ context: ChannelHandlerContext) {
        let limit = engine.limits.outboundQueue
        guard core.outbound.readableBytes + handedOver > limit, queuedBytes > limit else { return }
        guard ending == .none || ending == .linger else { return }
        engine.slowClient(self)
        recycleOutbound()
        guard core.close(.tryAgainLater, reason: "the client reads too slowly", now: engine.now) else {
            cut()
            return
        }
        // It cannot leave before what NIO holds; if the client does not read that soon, it is cut.
        engine.look(at: self, at: engine.now + engine.limits.closeTimeout)
    }

    /// All that was due has been written.
    private func finish(_ context: ChannelHandlerContext) {
        guard handedOver == 0 else { return }
        switch ending {
        case .none, .lingering:
            break
        case .close:
            context.close(promise: nil)
        case .linger:
            ending = .lingering
            context.close(mode: .output, promise: nil)
        }
    }
}
