import NIOCore

/// The upstream's end of a tunnel, the last handler of its channel.
final class TunnelFarEnd: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = Never
    typealias OutboundOut = ByteBuffer

    /// `nil`: the client is gone.
    private var tunnel: TunnelHandler?
    private var context: ChannelHandlerContext?
    /// Nothing is read before the client has been answered.
    private var isOpen = false
    private var isReadPending = false
    /// What the upstream sent right behind its 101: at most what one read brings.
    private var early = ByteBuffer()
    private var isInputClosed = false

    init(_ tunnel: TunnelHandler) {
        self.tunnel = tunnel
    }

    var isWritable: Bool { context?.channel.isWritable ?? false }

    func write(_ bytes: ByteBuffer) {
        context?.write(wrapOutboundOut(bytes), promise: nil)
    }

    func flush() {
        context?.flush()
    }

    /// The client has been answered.
    func open() {
        isOpen = true
        if early.readableBytes > 0 {
            tunnel?.take(early)
            tunnel?.flush()
            early = ByteBuffer()
        }
        if isInputClosed { tunnel?.closeOutput() }
        isReadPending = true
        resumeReading()
    }

    func resumeReading() {
        guard isReadPending, isOpen else { return }
        isReadPending = false
        context?.read()
    }

    func closeOutput() {
        context?.closeOutput()
    }

    /// The client is gone: what it sent goes out within a bounded time.
    func finish() {
        tunnel = nil
        context?.finish(within: HTTPLimits.lingerTimeout)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        try? context.channel.syncOptions?.setOption(.allowRemoteHalfClosure, value: true)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        gone()
    }

    func channelInactive(context: ChannelHandlerContext) {
        gone()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    func read(context: ChannelHandlerContext) {
        guard isOpen, tunnel?.isWritable ?? true else {
            isReadPending = true
            return
        }
        context.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        if isOpen { tunnel?.take(bytes) } else { early.writeImmutableBuffer(bytes) }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if isOpen { tunnel?.flush() }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { tunnel?.farEndWritable() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed = event {
            isInputClosed = true
            if isOpen { tunnel?.closeOutput() }
        }
        context.fireUserInboundEventTriggered(event)
    }

    private func gone() {
        context = nil
        let tunnel = tunnel
        self.tunnel = nil
        tunnel?.farEndGone()
    }
}

extension ChannelHandlerContext {
    /// Ends our side behind what is written; where that cannot be told alone, both.
    func closeOutput() {
        let promise = eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenFailure { _ in self.close(promise: nil) }
        flush()
        close(mode: .output, promise: promise)
    }

    /// Ends both sides behind what is written, or when that has not gone out in time.
    func finish(within time: TimeAmount) {
        let timer = eventLoop.assumeIsolated().scheduleTask(in: time) { self.close(promise: nil) }
        let promise = eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenComplete { _ in
            timer.cancel()
            self.close(promise: nil)
        }
        writeAndFlush(NIOAny(ByteBuffer()), promise: promise)
    }
}
