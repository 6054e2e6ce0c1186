import Model
import NIOCore
import WebSocketProtocol

/// The first handler on an accepted socket: waits, within bounds of time and size, for the first request head and
/// decides what the connection becomes. Leaves the pipeline with that.
final class ConnectionGate: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum State {
        case waiting
        /// A refusal was sent; what still comes is thrown away until the peer closes.
        case refused
        case left
    }

    private let engine: WorkerEngine
    private let serial: UInt64
    private var state = State.waiting
    private var parser: RequestHeadParser
    private var received = ByteBuffer()
    private var context: ChannelHandlerContext?

    init(engine: WorkerEngine, serial: UInt64) {
        self.engine = engine
        self.serial = serial
        parser = RequestHeadParser(maxSize: engine.configuration.websocket.maxHeaderSize)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        leave()
    }

    func channelInactive(context: ChannelHandlerContext) {
        leave()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        if state == .waiting { received.writeImmutableBuffer(bytes) }
        engine.receiveBuffers.giveBack(bytes)
        guard state == .waiting else { return }
        switch parser.parse(received) {
        case .incomplete:
            break
        case .refused(let refusal):
            refuse(refusal, head: nil)
        case .head(let head, let length):
            decide(head, length: length, context)
        }
    }

    /// The time for the request head, or for the peer to take its refusal, is over.
    func timeElapsed() {
        switch state {
        case .waiting where received.readableBytes == 0:
            // Nothing was asked, so nothing is answered (a browser's spare connection, a port scan).
            context?.close(promise: nil)
        case .waiting:
            refuse(.headTooSlow(engine.configuration.websocket.handshakeTimeout), head: nil)
        case .refused:
            context?.close(promise: nil)
        case .left:
            break
        }
    }

    /// Ends the connection without a word.
    func close() {
        context?.close(promise: nil)
    }

    private func decide(_ head: RequestHead, length: Int, _ context: ChannelHandlerContext) {
        switch UpgradeDecision(head, configuration: engine.configuration) {
        case .refuse(let refusal):
            refuse(refusal, head: head)
        case .http:
            let (channel, bytes) = (context.channel, received)
            withdraw(context) { engine.adoptHTTP(channel, firstBytes: bytes) }
        case .webSocket(let offer, let purpose):
            var leftover = ByteBuffer()
            if received.readableBytes > length {
                received.moveReaderIndex(forwardBy: length)
                leftover = received
            }
            let channel = context.channel
            withdraw(context) {
                engine.openWebSocket(on: channel, head: head, offer: offer, purpose: purpose, leftover: leftover)
            }
        }
    }

    private func refuse(_ refusal: HTTPRefusal, head: RequestHead?) {
        guard let context else { return }
        state = .refused
        received = ByteBuffer()
        engine.refused(refusal, head: head, address: context.channel.remoteAddress)
        engine.lookAtGate(serial, after: engine.limits.closeTimeout)
        var response = ByteBuffer()
        Handshake.writeRefusal(refusal, into: &response)
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
