import Glibc
import Model
import NIOCore
import Realtime
import Wire

/// It writes with `send(2)` itself while the kernel takes everything, which spares NIO's queue of pending writes; what
/// the kernel refuses goes through NIO, and from then until that has drained, everything waits in the core. With TLS
/// everything goes through NIO.
extension ConnectionHandler: TurnEndWriter {
    /// Bytes that wait for the client to read.
    var queuedBytes: Int { core.outbound.readableBytes + waitingInChannel }

    /// Appends a delivery's frame; the first of a turn is not even copied. `false`: the client is being closed, or its
    /// dialect has nothing of the kind.
    func deliver(_ delivery: inout EncodedDelivery) -> Bool {
        guard core.isOpen, let frame = core.frame(of: &delivery) else { return false }
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
        count(from: messagesOut)
        markIfDue()
    }

    /// Counts what was sent since; what is sent while the connection drives is counted there.
    private func count(from messagesOut: Int) {
        if !isDriving { engine.counters.messagesOut &+= core.session.messagesOut - messagesOut }
    }

    /// Says goodbye; the connection is cut if the client does not answer in time. `reconnectAfter`: what a client that is
    /// told such things is told to wait. `false`: that had begun before.
    @discardableResult
    func close(_ code: CloseCode, reason: String, reconnectAfter: Duration? = nil) -> Bool {
        unshare()
        let (messagesOut, wasSuspended) = (core.session.messagesOut, core.isSuspended)
        guard core.close(code, reason: reason, reconnectAfter: reconnectAfter, now: engine.now) else { return false }
        count(from: messagesOut)
        engine.traceClose(self, code, reason)
        wait = .nothing
        engine.look(at: self, at: engine.now + engine.limits.closeTimeout)
        markIfDue()
        // To see the client's answer.
        if wasSuspended { goOn() }
        return true
    }

    /// Ends the connection without another word.
    func cut() {
        context?.cut()
    }

    /// Gives a shared frame a buffer of this connection's own, before anything is appended to it.
    func unshare() {
        guard isShared else { return }
        isShared = false
        var own = engine.outboundBuffers.take()
        own.writeImmutableBuffer(core.outbound)
        core.outbound = own
    }

    func recycleOutbound() {
        if isShared {
            isShared = false
            core.outbound = ByteBuffer()
        } else if core.outbound.storageCapacity > 0 {
            engine.outboundBuffers.recycle(&core.outbound)
        }
    }

    func markIfDue() {
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
    func handOver(_ context: ChannelHandlerContext) {
        var rest = core.outbound
        core.outbound = ByteBuffer()
        isShared = false
        handedOver = rest.readableBytes
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenComplete { _ in self.drained() }
        context.writeAndFlush(wrapOutboundOut(rest), promise: written)
        // TLS has made other bytes of them already.
        if info.isSecure { engine.outboundBuffers.recycle(&rest) }
    }

    private func drained() {
        handedOver = 0
        guard let context else { return }
        if core.outbound.readableBytes > 0 {
            markIfDue()
            // It reads, if slowly.
            if core.isSuspended { core.since = engine.now }
            backlogChanged()
        } else {
            finish(context)
        }
    }

    private var waitingInChannel: Int {
        guard handedOver > 0, let context else { return handedOver }
        return buffered(context)
    }

    /// Bytes that NIO has not written yet.
    func buffered(_ context: ChannelHandlerContext) -> Int {
        (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? handedOver
    }

    /// A client that lets more than its queue's bound pile up is given up. What it missed and is being given again does
    /// not count against it.
    private func checkQueue(_ context: ChannelHandlerContext) {
        let limit = engine.limits.outboundQueue + (backlog?.unread ?? 0)
        guard core.outbound.readableBytes + handedOver > limit, queuedBytes > limit else { return }
        giveUp()
    }

    /// Ends a connection whose client reads too slowly.
    func giveUp() {
        guard ending == .none || ending == .linger, !core.marks.contains(.slow) else { return }
        core.marks.insert(.slow)
        engine.slowClient(self)
        recycleOutbound()
        backlog = nil
        let code = CloseCode.tryAgainLater
        let reason = "the client reads too slowly"
        let wasSuspended = core.isSuspended
        guard core.close(code, reason: reason, reconnectAfter: engine.reconnectDelay(code), now: engine.now) else {
            cut()
            return
        }
        engine.traceClose(self, code, reason)
        wait = .nothing
        // It cannot leave before what NIO holds; if the client does not read that soon, it is cut.
        engine.look(at: self, at: engine.now + engine.limits.closeTimeout)
        if wasSuspended { goOn() }
    }

    /// All that was due has been written.
    private func finish(_ context: ChannelHandlerContext) {
        guard handedOver == 0 else { return }
        switch ending {
        case .none, .lingering:
            break
        case .close:
            context.close(promise: nil)
            return
        case .linger:
            ending = .lingering
            context.close(mode: .output, promise: nil)
        }
        backlog?.unread = 0
        backlogChanged()
    }
}
