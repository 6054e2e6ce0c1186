import Logging
import Model
import NIOCore
import WebSocketProtocol
import Wire

/// One live connection: a call of the control API is made, the handshake accepted once that is answered, and each line of
/// the answer becomes a text message. What the client says is not answered, but for ping and close.
///
/// A client that does not read loses lines, and is told how many once it has read on: `{"type":"dropped","count":12}`.
final class LiveHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Bytes that may wait for the client; a line that does not fit is dropped. One alone always fits.
    static let maxQueue = 256 * 1024
    /// Bytes that may wait when lines are taken again.
    static let resumeLevel = 64 * 1024
    /// Lines are gathered into writes of this size.
    static let writeSize = 16 * 1024
    /// Bytes kept of what a client sends before its handshake is answered.
    static let maxEarly = ReceiveBuffers.capacity

    private enum State {
        /// The control API is asked; nothing has been said to the client.
        case asking
        case open
        /// Our close frame is on its way; the peer's end is awaited.
        case closing
        /// So is our refusal; what still comes is thrown away.
        case refused
        case gone
    }

    private let engine: WorkerEngine
    private let request: LiveRequest
    private let head: RequestHead
    private let offer: HandshakeOffer
    private var state = State.asking
    private var context: ChannelHandlerContext?
    private var webSocket = WebSocketConnection(role: .server, limits: WebSocketLimits())
    private var early = ByteBuffer()
    private var endCall: () -> Void = {}
    private var timer: Scheduled<Void>?
    /// Something came since the last ping.
    private var isHeard = true
    /// Whole frames that are not written yet.
    private var pending = ByteBuffer()
    /// Bytes written that the kernel has not taken.
    private var inFlight = 0
    private var dropped = 0

    init(engine: WorkerEngine, request: LiveRequest, head: RequestHead, offer: HandshakeOffer) {
        self.engine = engine
        self.request = request
        self.head = head
        self.offer = offer
    }

    /// Neither refused nor being closed.
    var isServed: Bool { state == .asking || state == .open }

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

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        isHeard = true
        if state == .asking {
            early.writeImmutableBuffer(bytes)
            if early.readableBytes > Self.maxEarly { context.close(promise: nil) }
        } else {
            read(bytes)
        }
        engine.receiveBuffers.giveBack(bytes)
    }

    private func end() {
        guard state != .gone else { return }
        state = .gone
        context = nil
        endCall()
        endCall = {}
        timer?.cancel()
        timer = nil
        (pending, early) = (ByteBuffer(), ByteBuffer())
        engine.liveEnded(self)
    }

    // MARK: Beginning

    /// Asks for what is to be shown. `leftover` is what the client sent behind its request.
    func begin(_ leftover: ByteBuffer) {
        early = leftover
        // What the client sends now waits in the kernel.
        try? context?.channel.syncOptions?.setOption(.autoRead, value: false)
        let endCall = engine.live.source.open(request.call) { [weak self] in self?.receive($0) }
        if isServed { self.endCall = endCall } else { endCall() }
    }

    private func receive(_ event: LiveEvent) {
        switch (event, state) {
        case (.opened, .asking): open()
        case (.refused(let refusal), .asking): refuse(refusal, .other)
        case (.ended, .asking), (.cutOff, .asking), (.broken, .asking): refuse(.liveUnavailable, .other)
        case (.line(let line), .open): take(line)
        case (.pause, .open): flush()
        case (.ended, .open), (.cutOff, .open): close(.serviceRestart, reason: "the supervisor ended the stream")
        case (.broken, .open), (.refused, .open): close(.internalError, reason: "the stream is broken")
        case (_, .asking), (_, .open), (_, .closing), (_, .refused), (_, .gone): break
        }
    }

    private func open() {
        state = .open
        engine.logger.info(
            "Live connection",
            metadata: [
                "http.path": "\(request.feed.rawValue)", "api.key": "\(request.keyName)",
                "client.address": "\(engine.address(context?.channel.peer, head))",
            ])
        Handshake.writeAcceptance(of: offer, into: &pending)
        flush()
        awaitPing()
        try? context?.channel.syncOptions?.setOption(.autoRead, value: true)
        guard early.readableBytes > 0 else { return }
        let bytes = early
        early = ByteBuffer()
        read(bytes)
    }

    /// Instead of the handshake's acceptance.
    func refuse(_ refusal: HTTPRefusal, _ reason: RefusalReason) {
        guard state == .asking, let context else { return }
        state = .refused
        early = ByteBuffer()
        engine.admission.refusals[reason] += 1
        engine.refused(refusal, head: head, address: context.channel.peer)
        Handshake.writeRefusal(refusal, into: &pending)
        flush()
        linger()
        try? context.channel.syncOptions?.setOption(.autoRead, value: true)
    }

    // MARK: From the client

    private func read(_ bytes: ByteBuffer) {
        guard state == .open || state == .closing, !webSocket.isInputFinished else { return }
        webSocket.receive(bytes)
        while let event = webSocket.next() {
            switch event {
            case .message, .pong:
                break
            case .ping(let payload):
                // A client that does not read gets no pongs, either.
                if queued <= Self.maxQueue { FrameWriter.writePong(payload, into: &pending) }
            case .close(let code, _):
                webSocket.writeClose(code, into: &pending)
                finish()
            case .failed(let code, let reason):
                webSocket.writeClose(code, reason: reason, into: &pending)
                finish()
            }
        }
        flush()
    }

    /// Closes the transport behind what is due.
    private func finish() {
        let wasClosing = state == .closing
        state = .closing
        endCall()
        flush()
        if wasClosing { cut() } else { linger() }
    }

    /// Only our side; the peer's bytes run out for a bounded time.
    private func linger() {
        timer?.cancel()
        context?.close(mode: .output, promise: nil)
        timer = schedule(engine.limits.closeTimeout) { $0.cut() }
    }

    // MARK: Ending

    /// Refuses, or says goodbye and waits a bounded time for the client's answer.
    func close(_ code: CloseCode, reason: String) {
        if state == .asking { return refuse(.liveEnds, .other) }
        guard state == .open else { return }
        tellDropped()
        state = .closing
        endCall()
        webSocket.writeClose(code, reason: reason, into: &pending)
        flush()
        timer?.cancel()
        timer = schedule(engine.limits.closeTimeout) { $0.cut() }
    }

    /// Ends the connection without a word.
    func cut() {
        context?.close(promise: nil)
    }

    // MARK: Time

    private func awaitPing() {
        let interval = engine.limits.pingInterval
        guard interval > .zero else { return }
        timer = schedule(interval) { $0.ping() }
    }

    private func ping() {
        guard state == .open else { return }
        isHeard = false
        FrameWriter.writePing(into: &pending)
        flush()
        timer = schedule(engine.limits.pongTimeout) { $0.pongIsDue() }
    }

    private func pongIsDue() {
        guard state == .open else { return }
        guard !isHeard else { return awaitPing() }
        engine.counters.heartbeatTimeouts += 1
        close(.heartbeatTimeout, reason: "no pong in time")
        cut()
    }

    private func schedule(_ delay: Duration, _ body: @escaping (LiveHandler) -> Void) -> Scheduled<Void> {
        engine.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(delay)) { [weak self] in
            if let self { body(self) }
        }
    }

    // MARK: Out

    private var queued: Int { pending.readableBytes + inFlight }

    private func take(_ line: ByteBuffer) {
        guard dropped == 0, queued == 0 || queued + line.readableBytes <= Self.maxQueue else {
            dropped += 1
            return
        }
        FrameWriter.write(.text, line, into: &pending)
        if pending.readableBytes >= Self.writeSize { flush() }
    }

    private func tellDropped() {
        guard dropped > 0 else { return }
        FrameWriter.write(.text, ByteBuffer(string: #"{"type":"dropped","count":\#(dropped)}"#), into: &pending)
        dropped = 0
    }

    private func flush() {
        guard let context, pending.readableBytes > 0 else { return }
        let bytes = pending
        pending = ByteBuffer()
        inFlight += bytes.readableBytes
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenComplete { _ in self.written(bytes.readableBytes) }
        context.writeAndFlush(wrapOutboundOut(bytes), promise: promise)
    }

    private func written(_ count: Int) {
        inFlight -= count
        guard state == .open, dropped > 0, queued <= Self.resumeLevel else { return }
        // It has read on, so it is alive.
        isHeard = true
        tellDropped()
        flush()
    }
}
