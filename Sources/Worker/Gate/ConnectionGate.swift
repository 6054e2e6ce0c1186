import Model
import NIOCore
import NIOTLS
import WebSocketProtocol

/// The first handler on an accepted socket: waits, within bounds of time and size, for a trusted proxy's PROXY header (if
/// that is on), TLS (where that is spoken) and the first request head, and decides what the connection becomes. Leaves the
/// pipeline with that.
final class ConnectionGate: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    enum State {
        /// For the PROXY header.
        case announcing
        /// For the first byte where TLS is spoken.
        case knocking
        /// For the TLS handshake, which is that of the handler before this one.
        case securing
        /// For the request head.
        case waiting
        /// A refusal was sent; what still comes is thrown away until the peer closes.
        case refused
        case left
    }

    let engine: WorkerEngine
    private let kind: ListenerKind
    private let serial: UInt64
    var state: State
    private var parser: RequestHeadParser
    var received = ByteBuffer()
    private(set) var context: ChannelHandlerContext?

    init(engine: WorkerEngine, serial: UInt64, kind: ListenerKind = .plain) {
        self.engine = engine
        self.serial = serial
        self.kind = kind
        state = kind == .tls ? .knocking : .waiting
        parser = RequestHeadParser(maxSize: engine.configuration.websocket.maxHeaderSize)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if engine.admission.gate.expectsProxyHeader(from: context.channel.remoteAddress) { state = .announcing }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        leave()
    }

    func channelInactive(context: ChannelHandlerContext) {
        leave()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case TLSUserEvent.handshakeCompleted = event { secured(context) }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if state == .securing { notSecured(TLSFailure(error)) }
        context.close(promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        if isUndecided { received.writeImmutableBuffer(bytes) }
        engine.receiveBuffers.giveBack(bytes)
        if state == .announcing { readProxyHeader(context) }
        if state == .knocking { readKnock(context) }
        if state == .waiting, received.readableBytes > 0 { readHead(context) }
    }

    private var isUndecided: Bool {
        switch state {
        case .announcing, .knocking, .waiting: true
        case .securing, .refused, .left: false
        }
    }

    private func readProxyHeader(_ context: ChannelHandlerContext) {
        switch ProxyHeader.parse(received) {
        case .incomplete:
            break
        case .invalid(let sentence):
            refuse(.proxyHeader(sentence), .proxyHeader, head: nil)
        case .header(let header):
            received.moveReaderIndex(forwardBy: header.length)
            state = kind == .tls ? .knocking : .waiting
            guard let source = header.source else { return }
            do {
                try context.pipeline.syncOperations.addHandler(ProxiedPeer(source))
            } catch {
                context.close(promise: nil)
            }
        }
    }

    private func readHead(_ context: ChannelHandlerContext) {
        switch parser.parse(received) {
        case .incomplete:
            break
        case .refused(let refusal):
            refuse(refusal, .handshake, head: nil)
        case .head(let head, _) where kind == .redirect:
            redirect(head)
        case .head(let head, let length):
            decide(head, length: length, context)
        }
    }

    /// The time for the request head, or for the peer to take its refusal, is over.
    func timeElapsed() {
        switch state {
        case .announcing where received.readableBytes == 0, .waiting where received.readableBytes == 0, .knocking:
            // Nothing was asked, so nothing is answered (a browser's spare connection, a port scan).
            context?.close(promise: nil)
        case .announcing, .waiting:
            refuse(.headTooSlow(engine.configuration.websocket.handshakeTimeout), .handshake, head: nil)
        case .securing:
            notSecured(.timeout)
            context?.cut()
        case .refused:
            context?.cut()
        case .left:
            break
        }
    }

    /// Ends the connection without a word.
    func close() {
        context?.close(promise: nil)
    }

    private func decide(_ head: RequestHead, length: Int, _ context: ChannelHandlerContext) {
        switch engine.admission.decide(head, peer: context.channel.peer, isSecure: kind == .tls) {
        case .refuse(let refusal):
            refuse(refusal, nil, head: head)
        case .http:
            let (channel, bytes) = (context.channel, received)
            withdraw(context) { engine.adoptHTTP(channel, firstBytes: bytes) }
        case .live(let offer, let request):
            let (channel, leftover) = (context.channel, self.leftover(behind: length))
            withdraw(context) {
                engine.openLive(on: channel, head: head, offer: offer, request: request, leftover: leftover)
            }
        case .route(let route):
            let (channel, leftover) = (context.channel, self.leftover(behind: length))
            withdraw(context) { engine.openTunnel(on: channel, head: head, route: route, leftover: leftover) }
        case .webSocket(let offer, let purpose):
            let (channel, leftover) = (context.channel, self.leftover(behind: length))
            withdraw(context) {
                engine.openWebSocket(on: channel, head: head, offer: offer, purpose: purpose, leftover: leftover)
            }
        }
    }

    /// What came behind the request head.
    private func leftover(behind length: Int) -> ByteBuffer {
        guard received.readableBytes > length else { return ByteBuffer() }
        received.moveReaderIndex(forwardBy: length)
        return received
    }

    /// - Parameter reason: `nil`: counted already.
    func refuse(_ refusal: HTTPRefusal, _ reason: RefusalReason?, head: RequestHead?) {
        guard let context else { return }
        if let reason { engine.admission.refusals[reason] += 1 }
        engine.refused(refusal, head: head, address: context.channel.peer)
        var response = ByteBuffer()
        Handshake.writeRefusal(refusal, into: &response)
        answer(response)
    }

    /// Says the last word; what still comes is thrown away until the peer closes, or for a bounded time.
    func answer(_ response: ByteBuffer) {
        guard let context else { return }
        state = .refused
        received = ByteBuffer()
        engine.lookAtGate(serial, after: engine.limits.closeTimeout)
        context.writeAndFlush(wrapOutboundOut(response), promise: nil)
        // Only our side: a reset because of unread bytes could overtake the sentence.
        context.close(mode: .output, promise: nil)
    }

    /// The engine counts the connection as what it becomes before it stops counting it here: at no time does it seem
    /// to be gone.
    private func withdraw(_ context: ChannelHandlerContext, for successor: () -> Void) {
        clear()
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
        successor()
        engine.gateLeft(serial)
    }

    private func leave() {
        guard state != .left else { return }
        clear()
        engine.gateLeft(serial)
    }

    private func clear() {
        state = .left
        context = nil
        received = ByteBuffer()
    }
}
