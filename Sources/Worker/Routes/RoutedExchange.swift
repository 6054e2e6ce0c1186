import Model
import NIOCore
import NIOHTTP1
import WebSocketProtocol
import Wire

/// The client's side of an exchange. Everything happens on the worker's event loop.
protocol RoutedClient: AnyObject {
    /// Whether it can take more of the answer.
    var isWritable: Bool { get }
    /// An interim answer (1xx).
    func inform(_ head: HTTPResponseHead)
    /// The answer as the upstream gave it.
    func answer(_ head: HTTPResponseHead)
    func answer(piece: ByteBuffer)
    func flushAnswer()
    func endAnswer(_ trailers: HTTPHeaders?)
    /// Nothing was answered; this is.
    func fail(_ refusal: HTTPRefusal)
    /// The answer broke off, and the client is to see that.
    func breakOff()
    /// More of the request may come.
    func resumeReading()
    /// The upstream speaks the protocol that was asked for; `false`: none was.
    func switchProtocols(_ head: HTTPResponseHead, _ connection: UpstreamConnection) -> Bool
}

/// One request on its way to an upstream and its answer on the way back, both as they come, at the pace of the slower side.
///
/// 1. Gets a connection from the pool, which may take as long as the route's `hold`.
/// 2. Sends the request; repeats it only where that does no harm (RFC 9110 section 9.2.2).
/// 3. Passes the answer on; ends what is silent for too long.
final class RoutedExchange {
    private enum Phase {
        case connecting
        /// The request is being sent, or its answer awaited.
        case asking
        case answering
        /// Switching protocols, until the end of that answer.
        case switching(HTTPResponseHead)
        case ended
    }

    let route: Route
    /// Since when it waits for the upstream to start.
    var heldSince: NIODeadline?

    private let routes: WorkerRoutes
    private let pool: UpstreamPool
    private let traffic: RouteTraffic
    private let head: HTTPRequestHead
    private let asksForJSON: Bool
    private var client: (any RoutedClient)?
    private var connection: UpstreamConnection?
    private var phase = Phase.connecting
    /// What came of the body before there was a connection: at most what one read brings, as reading stops.
    private var early: [ByteBuffer] = []
    private var isRequestEnded = false
    private var trailers: HTTPHeaders?
    private var hasSentBody = false
    /// New connections that ended before an answer, since it was last held.
    var attempts = 0
    private var keepsAlive = false
    private var status = 0
    private var beganAt = NIODeadline.now()
    private var lastActivity = NIODeadline.now()
    private var timer: Scheduled<Void>?

    /// - Parameter head: as the upstream is to get it.
    init(_ head: HTTPRequestHead, route: Route, routes: WorkerRoutes, client: any RoutedClient) {
        self.head = head
        self.route = route
        self.routes = routes
        self.client = client
        pool = routes.pool(route)
        traffic = routes.traffic(route)
        asksForJSON = head.headers["accept"].contains { $0.lowercased().contains("application/json") }
    }

    func begin() {
        traffic.figures.active += 1
        guard ForwardedFields.hops(head.headers) <= RouteLimits.maxHops else { return fail(.loop) }
        pool.acquire(self)
    }

    // MARK: From the client

    /// Whether nothing more of the request can be taken now.
    var holdsReading: Bool {
        switch phase {
        case .connecting: true
        case .asking, .answering: !(connection?.isWritable ?? true)
        case .switching, .ended: false
        }
    }

    /// Whether something was answered, or is about to be.
    var hasAnswered: Bool { status != 0 }

    func send(piece: ByteBuffer) {
        lastActivity = .now()
        switch phase {
        case .connecting: early.append(piece)
        case .asking, .answering:
            hasSentBody = true
            connection?.write(.body(.byteBuffer(piece)))
            connection?.flush()
        case .switching, .ended: break
        }
    }

    func sendEnd(_ trailers: HTTPHeaders?) {
        isRequestEnded = true
        self.trailers = ForwardedFields.trailers(trailers)
        lastActivity = .now()
        switch phase {
        case .asking, .answering:
            connection?.write(.end(self.trailers))
            connection?.flush()
            watch()
        case .connecting, .switching, .ended: break
        }
    }

    func clientWritabilityChanged() {
        lastActivity = .now()
        watch()
        connection?.resumeReading()
    }

    /// The client is gone, or refused for its own doing.
    func cancel() {
        guard let connection = end() else { return pool.forget(self) }
        connection.close()
    }

    // MARK: From the pool

    var wantsConnection: Bool { if case .connecting = phase { true } else { false } }

    func connected(_ connection: UpstreamConnection) {
        guard wantsConnection else { return connection.close() }
        timer?.cancel()
        self.connection = connection
        connection.exchange = self
        // One that was used before may have been closed for its age, which says nothing of the upstream.
        if !connection.wasIdle { attempts += 1 }
        phase = .asking
        lastActivity = .now()
        connection.write(.head(head))
        for piece in early { connection.write(.body(.byteBuffer(piece))) }
        hasSentBody = hasSentBody || !early.isEmpty
        early = []
        if isRequestEnded { connection.write(.end(trailers)) }
        connection.flush()
        watch()
        client?.resumeReading()
    }

    /// Without a connection: what is to be done unless there is one, or an end, before the time is over.
    func wait(_ time: TimeAmount, then body: @escaping () -> Void) {
        timer?.cancel()
        timer = routes.eventLoop.assumeIsolated().scheduleTask(in: time, body)
    }

    func fail(_ fault: UpstreamFault) {
        let client = client
        let hasAnswered = hasAnswered
        let held = heldSince.map { Duration.nanoseconds((NIODeadline.now() - $0).nanoseconds) }
        let refusal = HTTPRefusal(fault, route: route, held: held, asksForJSON: asksForJSON)
        routes.failed(fault, route, traffic, held: held, status: hasAnswered ? nil : refusal.status)
        if !hasAnswered { status = refusal.status }
        end()?.close()
        if hasAnswered { client?.breakOff() } else { client?.fail(refusal) }
    }

    /// Everything ends here, once. Returns the connection, of which the exchange lets go.
    @discardableResult
    private func end() -> UpstreamConnection? {
        if case .ended = phase { return nil }
        phase = .ended
        timer?.cancel()
        timer = nil
        early = []
        routes.ended(stream: self)
        traffic.ended(status: status, nanoseconds: (NIODeadline.now() - beganAt).nanoseconds)
        client = nil
        defer { connection = nil }
        connection?.exchange = nil
        return connection
    }
}

// MARK: - From the upstream

extension RoutedExchange {
    /// Whether the client can take more.
    var clientIsWritable: Bool { client?.isWritable ?? true }

    func received(_ part: HTTPClientResponsePart) {
        // Interim answers do not put off the answer's time.
        if hasAnswered { lastActivity = .now() }
        switch (part, phase) {
        case (.head(let head), .asking) where head.status.code == 101:
            phase = .switching(head)
            connection?.expectSwitch()
        case (.head(let head), .asking) where head.status.code < 200:
            guard head.status.code >= 100 else { return fail(.badAnswer("status \(head.status.code)")) }
            client?.inform(head)
        case (.head(let head), .asking) where !ForwardedFields.isUnderstood(head):
            fail(.badAnswer("a transfer coding that was not asked for"))
        case (.head(let head), .asking):
            phase = .answering
            lastActivity = .now()
            status = Int(head.status.code)
            keepsAlive = head.isKeepAlive
            watch()
            if head.isEventStream { routes.began(stream: self) }
            client?.answer(head)
        case (.body(let piece), .answering): client?.answer(piece: piece)
        case (.end(let trailers), .answering): finish(trailers)
        case (.end, .switching(let head)): switchProtocols(head)
        // The end of an interim answer says nothing.
        case (.end, .asking), (_, .ended): break
        case (.head, _), (.body, _), (.end, .connecting): fail(.badAnswer("parts in the wrong order"))
        }
    }

    func receivedAll() {
        client?.flushAnswer()
    }

    func upstreamWritabilityChanged() {
        lastActivity = .now()
        watch()
        if !holdsReading { client?.resumeReading() }
    }

    /// The connection is gone.
    func upstreamEnded(_ fault: UpstreamFault) {
        connection = nil
        switch phase {
        case .asking where fault == .closed && mayRepeat:
            phase = .connecting
            timer?.cancel()
            timer = nil
            if attempts == 0 {
                pool.acquire(self, fresh: true)
            } else {
                // An application that dies may go on taking connections for a moment.
                wait(RouteLimits.retryDelay) { [self] in pool.acquire(self, fresh: true) }
            }
        case .connecting, .asking, .answering, .switching: fail(fault)
        case .ended: break
        }
    }

    private var mayRepeat: Bool {
        let isSafe = [HTTPMethod.GET, .HEAD, .OPTIONS, .TRACE].contains(head.method)
        return isSafe && isRequestEnded && !hasSentBody && attempts < RouteLimits.maxAttempts
            && !head.headers.contains(name: "upgrade")
    }

    private func finish(_ trailers: HTTPHeaders?) {
        let client = client
        let isReusable = keepsAlive && isRequestEnded
        if let connection = end() {
            if isReusable { pool.release(connection) } else { connection.close() }
        }
        client?.endAnswer(ForwardedFields.trailers(trailers))
    }

    /// The worker ends; the client is to come again.
    func endStream() {
        guard case .answering = phase else { return }
        let client = client
        end()?.close()
        client?.endAnswer(nil)
    }

    private func switchProtocols(_ head: HTTPResponseHead) {
        guard let connection, let client else { return }
        status = 101
        guard client.switchProtocols(head, connection) else {
            status = 0
            return fail(.badAnswer("101 where no other protocol was asked for"))
        }
        traffic.figures.tunnelsOpened += 1
        end()
    }
}

// MARK: - Time

extension RoutedExchange {
    /// What may be awaited now, and for how long. `nil`: without end.
    private var limit: (time: TimeAmount, fault: UpstreamFault)? {
        switch phase {
        case .asking where !isRequestEnded && connection?.isWritable ?? false:
            return (RouteLimits.clientSilence, .slowClient)
        case .asking, .switching: return (TimeAmount(route.settings.timeout), .timeout)
        case .answering where !clientIsWritable: return (HTTPLimits.writeTimeout, .slowClient)
        case .answering where route.settings.idleTimeout > .zero:
            return (TimeAmount(route.settings.idleTimeout), .idle)
        case .connecting, .answering, .ended: return nil
        }
    }

    /// Begins to wait for what is due next. Activity is only noted; the timer finds out how much time is left.
    private func watch() {
        timer?.cancel()
        timer = nil
        guard let limit else { return }
        let left = lastActivity + limit.time - .now()
        timer = routes.eventLoop.assumeIsolated().scheduleTask(in: max(left, .zero)) { [weak self] in
            self?.timeElapsed()
        }
    }

    private func timeElapsed() {
        guard let limit else { return }
        guard lastActivity + limit.time <= .now() else { return watch() }
        // A client that takes nothing is cut off without the upstream's being blamed.
        if hasAnswered, limit.fault == .slowClient {
            let client = client
            end()?.close()
            client?.breakOff()
            return
        }
        fail(limit.fault)
    }
}

extension HTTPResponseHead {
    /// Server-sent events (HTML standard, section 9.2), which have no length.
    fileprivate var isEventStream: Bool {
        guard !headers.contains(name: "content-length"), let type = headers.first(name: "content-type") else {
            return false
        }
        return type.lowercased().hasPrefix("text/event-stream")
    }
}
