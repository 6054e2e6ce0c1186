import Model
import NIOCore
import WebSocketProtocol
import Wire

/// One transport of a client: handshake, then frames in both directions, written once a turn.
final class ClientConnectionHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Phase {
        case handshake(ClientHandshake, received: ByteBuffer)
        case open(WebSocketConnection)
        case ended
    }

    private unowned let client: ClientCore
    private let limits: WebSocketLimits
    private var phase: Phase
    private var context: ChannelHandlerContext?
    private var isFlushScheduled = false
    private var closing: (code: UInt16?, reason: String)?

    init(client: ClientCore, handshake: ClientHandshake, maxMessageSize: Int) {
        self.client = client
        limits = WebSocketLimits(maxMessageSize: maxMessageSize, maxFragments: 1 << 20)
        phase = .handshake(handshake, received: ByteBuffer())
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if context.channel.isActive { begin(context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        begin(context)
    }

    private func begin(_ context: ChannelHandlerContext) {
        guard case .handshake(let handshake, let received) = phase, received.readableBytes == 0 else { return }
        var request = ByteBuffer()
        handshake.writeRequest(into: &request)
        context.writeAndFlush(wrapOutboundOut(request), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        client.heard()
        switch phase {
        case .handshake(var handshake, var received):
            received.writeImmutableBuffer(bytes)
            let result = handshake.read(received)
            phase = .handshake(handshake, received: received)
            shake(result, received, context)
        case .open:
            read(bytes, context)
        case .ended:
            break
        }
    }

    private func shake(_ result: ClientHandshake.Result, _ received: ByteBuffer, _ context: ChannelHandlerContext) {
        switch result {
        case .incomplete:
            break
        case .accepted(let agreement, let length):
            guard agreement.subprotocol == V1Dialect.subprotocol else {
                return fail("the server does not speak \(V1Dialect.subprotocol)", context)
            }
            phase = .open(WebSocketConnection(role: .client, limits: limits, deflate: agreement.deflate))
            var rest = received
            rest.moveReaderIndex(forwardBy: length)
            if rest.readableBytes > 0 { read(rest, context) }
        case .refused(let status, _, _):
            fail("the server answered with HTTP \(status)", context)
        case .failed(let sentence):
            fail(sentence, context)
        }
    }

    private func read(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        guard case .open(var connection) = phase else { return }
        phase = .ended
        connection.receive(bytes)
        var answers = ByteBuffer()
        var messages: [ServerMessage] = []
        reading: while let event = connection.next() {
            switch event {
            case .message(.text, let payload):
                let parsed = payload.withUnsafeReadableBytes(ServerMessage.parse)
                guard let parsed else {
                    closing = (CloseCode.protocolError.rawValue, "the server sent what is not of the protocol")
                    break reading
                }
                messages += parsed
            case .message(.binary, _), .pong:
                break
            case .ping(let payload):
                FrameWriter.write(.pong, payload, maskingKey: client.randomKey(), into: &answers)
            case .close(let code, let reason):
                connection.writeClose(code, maskingKey: client.randomKey(), into: &answers)
                closing = (code?.rawValue, reason)
                break reading
            case .failed(let code, let reason):
                connection.writeClose(code, reason: reason, maskingKey: client.randomKey(), into: &answers)
                closing = (nil, reason)
                break reading
            }
        }
        phase = .open(connection)
        if answers.readableBytes > 0 { context.writeAndFlush(wrapOutboundOut(answers), promise: nil) }
        if !messages.isEmpty { client.received(messages) }
        if closing != nil { context.close(promise: nil) }
    }

    /// Sends text messages; they leave together at the end of the turn.
    func send(_ texts: [String]) {
        guard case .open(var connection) = phase, let context else { return }
        phase = .ended
        var out = ByteBuffer()
        for text in texts {
            connection.write(.text, ByteBuffer(string: text), maskingKey: client.randomKey(), into: &out)
        }
        phase = .open(connection)
        context.write(wrapOutboundOut(out), promise: nil)
        guard !isFlushScheduled else { return }
        isFlushScheduled = true
        context.eventLoop.assumeIsolated().execute {
            self.isFlushScheduled = false
            self.context?.flush()
        }
    }

    /// Says goodbye and ends the transport.
    func close() {
        guard let context else { return }
        if case .open(var connection) = phase {
            var out = ByteBuffer()
            connection.writeClose(.normal, maskingKey: client.randomKey(), into: &out)
            context.writeAndFlush(wrapOutboundOut(out), promise: nil)
        }
        phase = .ended
        context.close(promise: nil)
    }

    /// Ends the transport as a lost network would.
    func abort() {
        phase = .ended
        context?.close(promise: nil)
    }

    private func fail(_ reason: String, _ context: ChannelHandlerContext) {
        closing = (nil, reason)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.context = nil
        phase = .ended
        client.transportEnded(self, code: closing?.code, reason: closing?.reason ?? "the connection was lost")
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
