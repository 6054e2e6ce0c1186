import Model
import NIOCore
import NIOHTTP1
import WebSocketProtocol

// Requests of routes. The exchange has its own limits of time; the handler's timer rests meanwhile.

extension HTTPConnectionHandler {
    func forward(_ head: HTTPRequestHead, _ route: Route) {
        guard let context else { return }
        timer?.cancel()
        let peer = ForwardedPeer(context.channel, http.trustedProxies)
        let routes = http.routes
        let exchange = RoutedExchange(
            ForwardedFields.request(head, route: route, peer: peer), route: route, routes: routes, client: self)
        forwarded = head
        self.exchange = exchange
        exchange.begin()
    }

    /// The request is at fault.
    func abandon(_ refusal: HTTPRefusal, _ context: ChannelHandlerContext) {
        let hasAnswered = exchange?.hasAnswered ?? true
        exchange?.cancel()
        exchange = nil
        if hasAnswered { context.close(promise: nil) } else { refuse(refusal, context) }
    }
}

extension HTTPConnectionHandler: RoutedClient {
    var isWritable: Bool { context?.channel.isWritable ?? false }

    func inform(_ head: HTTPResponseHead) {
        // RFC 9110 section 15.2: a client of HTTP/1.0 knows none.
        guard let forwarded, forwarded.version.minor >= 1 else { return }
        let interim = HTTPResponseHead(
            version: .http1_1, status: head.status, headers: ForwardedFields.response(head))
        context?.writeAndFlush(wrapOutboundOut(.head(interim)), promise: nil)
    }

    func answer(_ head: HTTPResponseHead) {
        guard let forwarded else { return }
        var answer = HTTPResponseHead(
            version: .http1_1, status: head.status, headers: ForwardedFields.response(head))
        if forwarded.version.minor == 0, !answer.headers.contains(name: "content-length") {
            // Its end is that of the connection.
            answer.version = .http1_0
            conversation.endAfterAnswer()
        }
        if let field = http.strictTransport, context?.channel.isSecure == true,
            !answer.headers.contains(name: "strict-transport-security")
        {
            answer.headers.add(name: "Strict-Transport-Security", value: field)
        }
        http.answered(forwarded, Int(head.status.code))
        write(answer, for: forwarded)
    }

    func answer(piece: ByteBuffer) {
        guard forwarded?.method != .HEAD else { return }
        context?.write(wrapOutboundOut(.body(.byteBuffer(piece))), promise: nil)
    }

    func flushAnswer() {
        context?.flush()
    }

    func endAnswer(_ trailers: HTTPHeaders?) {
        exchange = nil
        forwarded = nil
        guard let context else { return }
        let isInPart = conversation.isForwardingInPart
        let goesOn = conversation.answered()
        // Before the write: behind it the next request of the same read may already be there.
        if goesOn { arm(HTTPLimits.idleTimeout) }
        let promise = context.eventLoop.makePromise(of: Void.self)
        if !goesOn {
            promise.futureResult.assumeIsolated().whenComplete { [self] _ in
                guard isInPart else { return context.close(promise: nil) }
                // A reset because of unread bytes could overtake the answer.
                context.close(mode: .output, promise: nil)
                arm(HTTPLimits.lingerTimeout)
            }
        }
        context.writeAndFlush(wrapOutboundOut(.end(trailers)), promise: promise)
        resumeReading()
    }

    func fail(_ refusal: HTTPRefusal) {
        guard let forwarded else { return }
        var headers = HTTPHeaders(refusal.fields.map { ($0.name, $0.value) })
        if !headers.contains(name: "content-type") {
            headers.add(name: "Content-Type", value: "text/plain; charset=utf-8")
        }
        headers.add(name: "Content-Length", value: String(refusal.sentence.utf8.count + 1))
        headers.add(name: "Cache-Control", value: "no-store")
        headers.add(name: "Date", value: HTTPDate.format(http.now()))
        if conversation.isForwardingInPart { conversation.endAfterAnswer() }
        http.answered(forwarded, refusal.status)
        write(
            HTTPResponseHead(version: .http1_1, status: .init(statusCode: refusal.status), headers: headers),
            for: forwarded)
        answer(piece: ByteBuffer(string: refusal.sentence + "\n"))
        endAnswer(nil)
    }

    func breakOff() {
        exchange = nil
        context?.close(promise: nil)
    }

    func switchProtocols(_ head: HTTPResponseHead, _ connection: UpstreamConnection) -> Bool { false }
}
