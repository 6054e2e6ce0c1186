import Logging
import Model
import NIOCore
import NIOHTTP1
import WebSocketProtocol
import Wire

/// A client that asks an upstream for another protocol, WebSocket as a rule, the last handler of its channel. Confined to the
/// event loop.
///
/// 1. Reads nothing while the upstream is asked.
/// 2. After 101 passes bytes on both ways, each at the pace of the slower end, an end of one side alone included.
/// 3. Passes any other answer on and ends.
final class TunnelHandler: ChannelDuplexHandler, RoutedClient {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = Never
    typealias OutboundOut = ByteBuffer

    private enum State {
        case asking
        /// Something else than 101 is passed on.
        case answering
        case open
        /// Our side has ended; what still comes is thrown away.
        case ending
        case gone
    }

    /// Bytes kept of what a client sends before the upstream has answered.
    static let maxEarly = 64 * 1024

    private let routes: WorkerRoutes
    private let route: Route
    private let head: HTTPRequestHead
    private var state = State.asking
    private var context: ChannelHandlerContext?
    private var exchange: RoutedExchange?
    private var farEnd: TunnelFarEnd?
    private var early: ByteBuffer
    private var isReadPending = false
    private var lastActivity = NIODeadline.now()
    private var timer: Scheduled<Void>?

    /// - Parameter leftover: what the client sent behind its request.
    init(_ head: HTTPRequestHead, route: Route, routes: WorkerRoutes, leftover: ByteBuffer) {
        self.head = head
        self.route = route
        self.routes = routes
        early = leftover
    }

    /// Asks the upstream. Once, in the pipeline.
    func begin() {
        guard let context else { return }
        let peer = ForwardedPeer(context.channel, routes.proxies)
        let forwarded = ForwardedFields.request(head, route: route, peer: peer, isSwitch: true)
        let exchange = RoutedExchange(forwarded, route: route, routes: routes, client: self)
        self.exchange = exchange
        exchange.sendEnd(nil)
        exchange.begin()
    }

    /// Ends it, the upstream being unharmed.
    func close() {
        switch state {
        case .asking:
            exchange?.cancel()
            fail(
                HTTPRefusal(
                    status: 503, sentence: "The service is being restarted; connect again.",
                    fields: [HTTPField("Retry-After", "1")]))
        case .open: context?.close(promise: nil)
        case .answering, .ending, .gone: break
        }
    }

    /// Ends it without a word.
    func cut() {
        context?.cut()
    }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        end()
    }

    func channelInactive(context: ChannelHandlerContext) {
        end()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    func read(context: ChannelHandlerContext) {
        switch state {
        case .asking: isReadPending = true
        case .open where !(farEnd?.isWritable ?? false): isReadPending = true
        case .open, .answering, .ending, .gone: context.read()
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        switch state {
        case .asking:
            early.writeImmutableBuffer(bytes)
            if early.readableBytes > Self.maxEarly { context.close(promise: nil) }
        case .open:
            lastActivity = .now()
            farEnd?.write(bytes)
        case .answering, .ending, .gone: break
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        farEnd?.flush()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        exchange?.clientWritabilityChanged()
        if context.channel.isWritable { farEnd?.resumeReading() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed = event {
            if state == .open { farEnd?.closeOutput() } else { context.close(promise: nil) }
        }
        context.fireUserInboundEventTriggered(event)
    }

    private func end() {
        guard state != .gone else { return }
        if state == .open { routes.traffic(route).figures.tunnels -= 1 }
        state = .gone
        timer?.cancel()
        timer = nil
        context = nil
        early = ByteBuffer()
        exchange?.cancel()
        exchange = nil
        farEnd?.finish()
        farEnd = nil
        routes.closed(self)
    }
}

// MARK: - An answer that is not 101

extension TunnelHandler {
    var isWritable: Bool { context?.channel.isWritable ?? false }

    func inform(_ head: HTTPResponseHead) {
        // The client waits for 101; RFC 9110 section 15.2 lets it ignore others.
    }

    func answer(_ head: HTTPResponseHead) {
        guard let context, state == .asking else { return }
        state = .answering
        do {
            let encoder = HTTPResponseEncoder(configuration: .framedByHandler)
            try context.pipeline.syncOperations.addHandler(encoder, position: .before(self))
        } catch {
            return context.close(promise: nil)
        }
        var answer = HTTPResponseHead(
            version: .http1_1, status: head.status, headers: ForwardedFields.response(head))
        answer.headers.add(name: "Connection", value: "close")
        answer.frame(for: self.head.method)
        context.write(NIOAny(HTTPServerResponsePart.head(answer)), promise: nil)
        resumeReading()
    }

    func answer(piece: ByteBuffer) {
        guard state == .answering else { return }
        context?.write(NIOAny(HTTPServerResponsePart.body(.byteBuffer(piece))), promise: nil)
    }

    func flushAnswer() {
        context?.flush()
    }

    func endAnswer(_ trailers: HTTPHeaders?) {
        exchange = nil
        guard state == .answering else { return }
        context?.writeAndFlush(NIOAny(HTTPServerResponsePart.end(trailers)), promise: nil)
        linger()
    }

    func fail(_ refusal: HTTPRefusal) {
        exchange = nil
        guard state == .asking else { return }
        early = ByteBuffer()
        var out = ByteBuffer()
        Handshake.writeRefusal(refusal, into: &out)
        context?.writeAndFlush(wrapOutboundOut(out), promise: nil)
        linger()
    }

    func breakOff() {
        exchange = nil
        cut()
    }

    func resumeReading() {
        guard isReadPending, state != .asking else { return }
        isReadPending = false
        context?.read()
    }

    /// Only our side: a reset because of unread bytes could overtake the answer.
    private func linger() {
        state = .ending
        context?.close(mode: .output, promise: nil)
        timer?.cancel()
        timer = routes.eventLoop.assumeIsolated().scheduleTask(in: HTTPLimits.lingerTimeout) { [weak self] in
            self?.cut()
        }
        resumeReading()
    }
}

// MARK: - The tunnel

extension TunnelHandler {
    func switchProtocols(_ head: HTTPResponseHead, _ connection: UpstreamConnection) -> Bool {
        exchange = nil
        let farEnd = TunnelFarEnd(self)
        self.farEnd = farEnd
        connection.surrender(to: farEnd) { [weak self] result in
            switch result {
            case .success: self?.open(head, farEnd)
            case .failure: self?.cut()
            }
            // Without a client there is nothing to be done.
            if self == nil { farEnd.finish() }
        }
        return true
    }

    private func open(_ head: HTTPResponseHead, _ farEnd: TunnelFarEnd) {
        guard let context, state == .asking else { return farEnd.finish() }
        state = .open
        routes.traffic(route).figures.tunnels += 1
        try? context.channel.syncOptions?.setOption(.allowRemoteHalfClosure, value: true)
        var out = ByteBuffer()
        out.writeString("HTTP/1.1 101 \(head.status.reasonPhrase)\r\n")
        var fields = ForwardedFields.response(head)
        fields.add(name: "Connection", value: "Upgrade")
        for value in head.headers["upgrade"] { fields.add(name: "Upgrade", value: value) }
        for (name, value) in fields { out.writeString("\(name): \(value)\r\n") }
        out.writeString("\r\n")
        context.writeAndFlush(wrapOutboundOut(out), promise: nil)
        if early.readableBytes > 0 {
            farEnd.write(early)
            farEnd.flush()
            early = ByteBuffer()
        }
        farEnd.open()
        lastActivity = .now()
        watch()
        resumeReading()
    }

    /// From the upstream.
    func take(_ bytes: ByteBuffer) {
        lastActivity = .now()
        guard state == .open else { return }
        context?.write(wrapOutboundOut(bytes), promise: nil)
    }

    func flush() {
        context?.flush()
    }

    /// The far end can take more.
    func farEndWritable() {
        resumeReading()
    }

    /// The upstream will send nothing more.
    func closeOutput() {
        context?.closeOutput()
    }

    /// The upstream is gone.
    func farEndGone() {
        farEnd = nil
        guard state == .open || state == .asking else { return }
        if state == .open { routes.traffic(route).figures.tunnels -= 1 }
        state = .ending
        context?.finish(within: HTTPLimits.lingerTimeout)
    }

    private func watch() {
        let limit = TimeAmount(route.settings.idleTimeout)
        guard limit > .zero else { return }
        let left = lastActivity + limit - .now()
        timer = routes.eventLoop.assumeIsolated().scheduleTask(in: max(left, .zero)) { [weak self] in
            guard let self, state == .open else { return }
            if lastActivity + limit > .now() { watch() } else { cut() }
        }
    }
}
