import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import NIOHTTP1
import WebSocketProtocol

/// Carries out an `HTTPConversation` on one connection, behind NIO's HTTP decoder and pipelining.
///
/// 1. Hands whole requests to `WorkerHTTP` and writes the answers, pulled at the client's pace.
/// 2. Ends what takes too long: idle, a slow body, an answer nobody takes.
/// 3. Refuses bad input so that the client sees the answer before the end.
/// 4. Passes requests of routes on to their upstreams (`RoutedExchange`).
/// 5. Takes the HTTP handlers away when a request asks for a WebSocket.
final class HTTPConnectionHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = Never
    typealias OutboundOut = HTTPServerResponsePart

    /// The handlers before this one, in their order.
    struct Pipeline {
        let encoder: HTTPResponseEncoder
        let decoder: ByteToMessageHandler<HTTPRequestDecoder>
        let pipelining: HTTPServerPipelineHandler
    }

    let http: WorkerHTTP
    private let pipeline: Pipeline
    private let logger: Logger
    var conversation: HTTPConversation
    private(set) var context: ChannelHandlerContext?
    var timer: Scheduled<Void>?
    private var task: Task<Void, Never>?
    /// What is being forwarded.
    var exchange: RoutedExchange?
    var forwarded: HTTPRequestHead?
    private var isReadPending = false

    init(http: WorkerHTTP, pipeline: Pipeline, logger: Logger) {
        self.http = http
        self.pipeline = pipeline
        self.logger = logger
        conversation = HTTPConversation(
            isDraining: http.isDraining, bodies: HTTPBodyLimits(http.configuration), routes: http.routes.map)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        // A client that ends its side behind its request is to see the answer.
        try? context.channel.syncOptions?.setOption(.allowRemoteHalfClosure, value: true)
        http.opened(self)
        arm(HTTPLimits.idleTimeout)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        finish()
    }

    func channelInactive(context: ChannelHandlerContext) {
        finish()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        perform(conversation.received(unwrapInboundIn(data)))
    }

    func read(context: ChannelHandlerContext) {
        if exchange?.holdsReading ?? false {
            isReadPending = true
        } else {
            context.read()
        }
    }

    /// A read that was held back is made up for.
    func resumeReading() {
        guard isReadPending else { return }
        isReadPending = false
        context?.read()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        exchange?.clientWritabilityChanged()
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed = event { perform(conversation.inputClosed()) }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? HTTPParserError else {
            logger.debug("An HTTP connection failed", metadata: ["error": "\(error)"])
            context.close(promise: nil)
            return
        }
        perform(conversation.failed(HTTPRefusal(error)))
    }

    /// Ends the connection, after the answer in progress if there is one.
    func drain() {
        perform(conversation.drain())
    }

    private func perform(_ action: HTTPConversation.Action) {
        guard let context else { return }
        switch action {
        case .none: break
        case .awaitBody(let continues):
            arm(HTTPLimits.bodyTimeout)
            guard continues else { break }
            context.writeAndFlush(wrapOutboundOut(.head(.init(version: .http1_1, status: .continue))), promise: nil)
        case .answer(let head, let body): answer(head, body)
        case .forward(let head, let route): forward(head, route)
        case .forwardBody(let piece): exchange?.send(piece: piece)
        case .forwardEnd(let trailers): exchange?.sendEnd(trailers)
        case .abandon(let refusal): abandon(refusal, context)
        case .refuse(let refusal): refuse(refusal, context)
        case .handOver(let head): handOver(head, context)
        case .close: context.close(promise: nil)
        }
    }

    func arm(_ timeout: TimeAmount) {
        timer?.cancel()
        timer = context?.eventLoop.assumeIsolated().scheduleTask(in: timeout) { [weak self] in
            guard let self else { return }
            perform(conversation.timedOut())
        }
    }

    private func finish() {
        timer?.cancel()
        task?.cancel()
        (timer, task, context) = (nil, nil, nil)
        exchange?.cancel()
        (exchange, forwarded) = (nil, nil)
        http.closed(self)
    }
}

extension HTTPConnectionHandler {
    private func answer(_ head: HTTPRequestHead, _ body: ByteBuffer) {
        guard let context else { return }
        timer?.cancel()
        let request = Request(
            head: HTTPRequest(head, isSecure: context.channel.isSecure), body: RequestBody(buffer: body))
        let handler = NIOLoopBound(self, eventLoop: context.eventLoop)
        let peer = context.channel.peer
        task = Self.startAnswer(http, request, head, peer, handler)
    }

    private static func startAnswer(
        _ http: WorkerHTTP,
        _ request: Request,
        _ head: HTTPRequestHead,
        _ peer: SocketAddress?,
        _ handler: NIOLoopBound<HTTPConnectionHandler>
    ) -> Task<Void, Never> {
        Task(executorPreference: http.executor) {
            let response = await http.respond(to: request, peer: peer)
            await send(response, for: head, through: handler)
        }
    }

    /// Runs on the event loop, by the task's executor.
    private static func send(
        _ response: Response,
        for head: HTTPRequestHead,
        through handler: NIOLoopBound<HTTPConnectionHandler>
    ) async {
        handler.value.begin(response, for: head)
        do {
            if head.method != .HEAD, response.status != .notModified {
                try await response.body.write(PacedBodyWriter(handler: handler))
            }
            handler.value.end()
        } catch {
            handler.value.abort(error)
        }
    }

    private func begin(_ response: Response, for request: HTTPRequestHead) {
        var head = HTTPResponseHead(version: .http1_1, status: .init(statusCode: response.status.code))
        for field in response.headers { head.headers.add(name: field.name.rawName, value: field.value) }
        http.answered(request, response.status.code)
        if response.headers[.connection] == "close" {
            head.headers.remove(name: "Connection")
            conversation.endAfterAnswer()
        }
        head.headers.replaceOrAdd(name: "Date", value: HTTPDate.format(http.now()))
        if let field = http.strictTransport, context?.channel.isSecure == true {
            head.headers.replaceOrAdd(name: "Strict-Transport-Security", value: field)
        }
        write(head, for: request)
    }

    /// Says how the answer ends, and whether the connection goes on after it.
    func write(_ head: HTTPResponseHead, for request: HTTPRequestHead) {
        var head = head
        head.frame(for: request.method)
        if !conversation.keepsAlive {
            head.headers.add(name: "Connection", value: "close")
        } else if request.version.minor == 0 {
            head.headers.add(name: "Connection", value: "keep-alive")
        }
        context?.write(wrapOutboundOut(.head(head)), promise: nil)
    }

    /// Completes once the kernel has taken the piece.
    fileprivate func write(_ piece: ByteBuffer) -> EventLoopFuture<Void> {
        guard let context else { return http.eventLoop.makeFailedFuture(ChannelError.ioOnClosedChannel) }
        arm(HTTPLimits.writeTimeout)
        let promise = context.eventLoop.makePromise(of: Void.self)
        context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(piece))), promise: promise)
        return promise.futureResult
    }

    private func end() {
        guard let context else { return }
        task = nil
        let goesOn = conversation.answered()
        // Before the write: behind it the next request of the same read may already be there.
        if goesOn { arm(HTTPLimits.idleTimeout) }
        let promise = context.eventLoop.makePromise(of: Void.self)
        if !goesOn { promise.futureResult.assumeIsolated().whenComplete { _ in context.close(promise: nil) } }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: promise)
    }

    private func abort(_ error: any Error) {
        guard let context else { return }
        logger.debug("An answer broke off", metadata: ["error": "\(error)"])
        context.close(promise: nil)
    }

    /// Written around the encoder and the pipelining, which may know nothing of this request.
    func refuse(_ refusal: HTTPRefusal, _ context: ChannelHandlerContext) {
        var out = ByteBuffer()
        Handshake.writeRefusal(refusal, into: &out)
        guard let encoder = try? context.pipeline.syncOperations.context(handler: pipeline.encoder) else { return }
        encoder.writeAndFlush(NIOAny(out), promise: nil)
        encoder.close(mode: .output, promise: nil)
        arm(HTTPLimits.lingerTimeout)
    }
}

extension HTTPConnectionHandler {
    /// Takes all HTTP handlers out, in the next turn: this one is called from within the decoder.
    private func handOver(_ head: RequestHead, _ context: ChannelHandlerContext) {
        let channel = context.channel
        let handler = NIOLoopBound((self, context.pipeline.syncOperations), eventLoop: context.eventLoop)
        context.eventLoop.execute { [http] in
            let (this, operations) = handler.value
            guard channel.isActive else { return }
            // What comes from now on must not reach the decoder; what it has not read comes out when it goes.
            let (held, leftover) = (LeftoverCollector(), LeftoverCollector())
            do {
                try operations.addHandler(held, position: .before(this.pipeline.decoder))
                try operations.addHandler(leftover, position: .after(this.pipeline.decoder))
            } catch {
                channel.close(promise: nil)
                return
            }
            _ = operations.removeHandler(this)
            _ = operations.removeHandler(this.pipeline.pipelining)
            let bound = NIOLoopBound((this.pipeline, operations, held, leftover), eventLoop: channel.eventLoop)
            operations.removeHandler(this.pipeline.decoder).whenComplete { _ in
                let (pipeline, operations, held, leftover) = bound.value
                _ = operations.removeHandler(pipeline.encoder)
                _ = operations.removeHandler(held)
                _ = operations.removeHandler(leftover)
                guard channel.isActive else { return }
                try? channel.syncOptions?.setOption(.allowRemoteHalfClosure, value: false)
                var bytes = leftover.bytes
                bytes.writeImmutableBuffer(held.bytes)
                http.hooks.upgrade(channel, head, bytes)
                // A read that the pipelining held back is made up for.
                channel.read()
            }
        }
    }
}

/// Keeps the bytes that come by.
private final class LeftoverCollector: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    private(set) var bytes = ByteBuffer()

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        bytes.writeImmutableBuffer(unwrapInboundIn(data))
    }
}

/// Writes a body piece by piece, each after the kernel took the one before.
private struct PacedBodyWriter: ResponseBodyWriter {
    let handler: NIOLoopBound<HTTPConnectionHandler>

    mutating func write(_ buffer: ByteBuffer) async throws {
        guard buffer.readableBytes > 0 else { return }
        try await handler.value.write(buffer).get()
    }

    consuming func finish(_ trailingHeaders: HTTPFields?) async throws {}
}

extension HTTPRequest {
    /// Fields that are none are left out. An absolute target becomes its path.
    fileprivate init(_ head: HTTPRequestHead, isSecure: Bool) {
        let whole = RequestHead(method: "", target: head.uri, minorVersion: 1, fields: [])
        let path = head.uri.hasPrefix("/") ? head.uri : whole.query.map { "\(whole.path)?\($0)" } ?? String(whole.path)
        var fields = HTTPFields()
        for (name, value) in head.headers {
            guard let name = HTTPTypes.HTTPField.Name(name) else { continue }
            fields.append(HTTPTypes.HTTPField(name: name, value: value))
        }
        self.init(
            method: HTTPRequest.Method(head.method.rawValue) ?? .get,
            scheme: isSecure ? "https" : "http",
            authority: head.headers.first(name: "host"),
            path: path,
            headerFields: fields
        )
    }
}

extension HTTPRefusal {
    fileprivate init(_ error: HTTPParserError) {
        switch error {
        case .headerOverflow: self.init(status: 431, sentence: "The request head is too large.")
        case .invalidVersion: self.init(status: 505, sentence: "Only HTTP/1.1 and HTTP/1.0 are spoken here.")
        default: self.init(status: 400, sentence: "This is not an HTTP request.")
        }
    }
}
