import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import NIOTLS

/// A connection to an upstream, the last handler of its channel. Serves one exchange at a time; between two it lies in its
/// route's pool. Confined to the worker's event loop.
final class UpstreamConnection: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundIn = Never
    typealias OutboundOut = HTTPClientRequestPart

    /// What it serves; `nil`: nothing.
    var exchange: RoutedExchange?
    /// When it was last put into the pool; `nil`: never.
    var idleSince: NIODeadline?
    /// Tells the pool that it is gone.
    var ended: ((UpstreamConnection) -> Void)?
    let eventLoop: any EventLoop

    private let isSecure: Bool
    private var context: ChannelHandlerContext?
    private var established: EventLoopPromise<Void>?
    private var isReadPending = false
    private var fault: UpstreamFault?
    private let encoder: HTTPRequestEncoder
    private var decoder = UpstreamConnection.newDecoder()
    private let endKeeper = EndKeeper()
    private lazy var unasked = UnaskedBytes(self)

    /// - Parameter established: completed once bytes may be sent, after the TLS handshake where there is one.
    init(eventLoop: any EventLoop, isSecure: Bool, established: EventLoopPromise<Void>) {
        self.eventLoop = eventLoop
        self.isSecure = isSecure
        self.established = established
        var configuration = HTTPRequestEncoder.Configuration()
        configuration.automaticallySetFramingHeaders = false
        encoder = HTTPRequestEncoder(configuration: configuration)
    }

    private static func newDecoder() -> ByteToMessageHandler<HTTPResponseDecoder> {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderListSize = RouteLimits.maxAnswerHead
        limits.maxHeaderFieldSize = RouteLimits.maxAnswerHead
        limits.maxHeaderFieldCount = RouteLimits.maxAnswerFields
        return ByteToMessageHandler(
            HTTPResponseDecoder(
                leftOverBytesStrategy: .forwardBytes, informationalResponseStrategy: .forward,
                limitConfiguration: limits))
    }

    /// Makes a channel that is being connected this connection's.
    func install(on channel: any Channel, tls: NIOSSLClientHandler?) throws {
        let pipeline = channel.pipeline.syncOperations
        if let tls { try pipeline.addHandler(tls) }
        try pipeline.addHandler(encoder)
        try pipeline.addHandler(unasked)
        try pipeline.addHandler(decoder)
        try pipeline.addHandler(self)
    }

    // MARK: For the exchange

    /// Whether it comes out of the pool.
    var wasIdle: Bool { idleSince != nil }

    /// Whether more may be written now.
    var isWritable: Bool { context?.channel.isWritable ?? false }

    func write(_ part: HTTPClientRequestPart) {
        context?.write(wrapOutboundOut(part), promise: nil)
    }

    func flush() {
        context?.flush()
    }

    /// The client can take more.
    func resumeReading() {
        guard isReadPending else { return }
        isReadPending = false
        context?.read()
    }

    func close() {
        exchange = nil
        context?.close(promise: nil)
    }

    /// Gets ready for another exchange. What came behind the last answer may be the beginning of a head, which the decoder would
    /// put before the next answer, somebody else's perhaps; so a new one takes its place. `completion`: not from within this call.
    func renew(_ completion: @escaping (_ isUsable: Bool) -> Void) {
        guard let operations = context?.pipeline.syncOperations else { return completion(false) }
        operations.removeHandler(decoder).assumeIsolated().whenComplete { [self] _ in
            guard context?.channel.isActive ?? false else { return completion(false) }
            decoder = Self.newDecoder()
            do {
                try operations.addHandler(decoder, position: .before(self))
                completion(isFresh)
            } catch {
                completion(false)
            }
        }
    }

    /// Whether the peer, as far as is known at this moment, still listens and has said nothing unasked.
    var isFresh: Bool {
        guard let context, context.channel.isActive else { return false }
        var isFresh = true
        try? context.pipeline.syncOperations.withUnsafeTransportIfAvailable(of: NIOBSDSocket.Handle.self) { socket in
            var byte: UInt8 = 0
            let count = recv(socket, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
            // Over TLS what waits may be a session ticket; an end is an end.
            isFresh = count < 0 && errno == EAGAIN || count > 0 && isSecure
        }
        return isFresh
    }

    /// The upstream has agreed to another protocol: what it says before it ends its side is kept, however soon that is.
    func expectSwitch() {
        guard let context else { return }
        _ = context.pipeline.syncOperations.removeHandler(unasked)
        try? context.pipeline.syncOperations.addHandler(endKeeper, position: .before(decoder))
        try? context.channel.syncOptions?.setOption(.allowRemoteHalfClosure, value: true)
    }

    /// Takes the HTTP handlers out, in the next turn: this is called from within the decoder. What the upstream has sent
    /// behind its answer comes to `successor`.
    func surrender(to successor: any ChannelHandler, completion: @escaping (Result<any Channel, any Error>) -> Void) {
        guard let context else { return completion(.failure(ChannelError.ioOnClosedChannel)) }
        exchange = nil
        ended?(self)
        ended = nil
        let (channel, operations) = (context.channel, context.pipeline.syncOperations)
        eventLoop.assumeIsolated().execute { [self] in
            guard channel.isActive else { return completion(.failure(ChannelError.ioOnClosedChannel)) }
            do {
                try operations.addHandler(successor)
            } catch {
                return completion(.failure(error))
            }
            _ = operations.removeHandler(self)
            operations.removeHandler(decoder).assumeIsolated().whenComplete { _ in
                _ = operations.removeHandler(self.encoder)
                self.endKeeper.letGo()
                _ = operations.removeHandler(self.endKeeper)
                completion(.success(channel))
            }
        }
    }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    func channelActive(context: ChannelHandlerContext) {
        if !isSecure { establish() }
        context.fireChannelActive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case TLSUserEvent.handshakeCompleted = event { establish() }
        context.fireUserInboundEventTriggered(event)
    }

    private func establish() {
        let promise = established
        established = nil
        promise?.succeed()
    }

    func read(context: ChannelHandlerContext) {
        if exchange?.clientIsWritable ?? true {
            context.read()
        } else {
            isReadPending = true
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard let exchange else {
            // Nobody has asked.
            context.close(promise: nil)
            return
        }
        exchange.received(unwrapInboundIn(data))
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        exchange?.receivedAll()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        exchange?.upstreamWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        let fault = fault ?? UpstreamFault(connected: error)
        self.fault = fault
        // Before the decoder takes the end that follows for that of an answer without a length.
        let exchange = exchange
        self.exchange = nil
        exchange?.upstreamEnded(fault)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        established?.fail(fault ?? UpstreamFault.closed)
        established = nil
        ended?(self)
        ended = nil
        let exchange = exchange
        self.exchange = nil
        exchange?.upstreamEnded(fault ?? .closed)
    }
}

/// Holds back the end of the upstream's side: with it the decoder would throw away what came behind the answer.
private final class EndKeeper: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private var context: ChannelHandlerContext?
    private var hasEnded = false

    func letGo() {
        if hasEnded { context?.fireUserInboundEventTriggered(ChannelEvent.inputClosed) }
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case ChannelEvent.inputClosed = event else { return context.fireUserInboundEventTriggered(event) }
        hasEnded = true
    }
}

/// Ends a connection whose upstream speaks although nobody has asked: before the decoder, which would keep a part of a head.
private final class UnaskedBytes: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private unowned let connection: UpstreamConnection

    init(_ connection: UpstreamConnection) {
        self.connection = connection
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard connection.exchange != nil else { return context.close(promise: nil) }
        context.fireChannelRead(data)
    }
}
