import Glibc
import Hummingbird
import Logging
import Model
import NIOCore
import NIOHTTP1
import WebSocketProtocol

/// The plain HTTP side of a worker: routes, static folder, keep-alive. One value serves all connections of a worker.
///
/// Its routes are Hummingbird's, the connection below them is ours (`HTTPConnectionHandler`): Hummingbird's `HTTP1Channel`
/// ends only by closing its channel, while here a later request of a kept-alive connection may turn it into a WebSocket
/// (nginx reuses upstream connections).
final class WorkerHTTP: Sendable {
    let configuration: WsdConfiguration
    let eventLoop: any EventLoop
    let executor: EventLoopExecutor
    let hooks: WorkerHTTPHooks
    let trustedProxies: TrustedProxies
    /// What TLS connections are told in `Strict-Transport-Security` (RFC 6797); `nil`: nothing.
    let strictTransport: String?
    private let site: WorkerSite
    private let boundRoutes: NIOLoopBound<WorkerRoutes>
    private let logger: Logger
    /// Open HTTP connections; confined to the event loop.
    private let open: NIOLoopBoundBox<Connections>

    private struct Connections {
        var handlers: [ObjectIdentifier: HTTPConnectionHandler] = [:]
        var isDraining = false
    }

    /// Call on `eventLoop`, the worker's only one.
    init(configuration: WsdConfiguration, eventLoop: any EventLoop, hooks: WorkerHTTPHooks, logger: Logger) {
        self.configuration = configuration
        self.eventLoop = eventLoop
        self.hooks = hooks
        self.logger = logger
        executor = EventLoopExecutor(eventLoop)
        let hsts = configuration.tls.hsts.milliseconds / 1000
        strictTransport = hsts > 0 ? "max-age=\(hsts)" : nil
        trustedProxies = TrustedProxies(configuration.http.trustedProxies)
        site = WorkerSite(configuration: configuration, hooks: hooks, trustedProxies: trustedProxies)
        boundRoutes = NIOLoopBound(
            WorkerRoutes(configuration, eventLoop: eventLoop, logger: logger), eventLoop: eventLoop)
        open = NIOLoopBoundBox(Connections(), eventLoop: eventLoop)
    }

    /// Makes `channel` a plain HTTP connection, starting with `firstBytes` (everything read so far, untouched).
    ///
    /// Call on the event loop, after the caller's own handlers left the pipeline. The channel closes itself (idle, error,
    /// `Connection: close`, `drain`) or comes back through `hooks.upgrade`.
    func adopt(_ channel: any Channel, firstBytes: ByteBuffer) throws {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderListSize = configuration.websocket.maxHeaderSize
        limits.maxHeaderFieldSize = configuration.websocket.maxHeaderSize
        limits.maxHeaderFieldCount = HTTPLimits.maxFields
        let handlers = HTTPConnectionHandler.Pipeline(
            encoder: HTTPResponseEncoder(configuration: .framedByHandler),
            decoder: ByteToMessageHandler(
                HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes, limitConfiguration: limits)
            ),
            pipelining: HTTPServerPipelineHandler()
        )
        let handler = HTTPConnectionHandler(http: self, pipeline: handlers, logger: logger)
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(handlers.encoder)
        try pipeline.addHandler(handlers.decoder)
        try pipeline.addHandler(handlers.pipelining)
        try pipeline.addHandler(handler)
        pipeline.fireDecrypted(firstBytes)
    }

    /// Ends all connections: idle ones at once, others after their answer. Call on the event loop.
    func drain() {
        open.value.isDraining = true
        for handler in open.value.handlers.values { handler.drain() }
    }

    /// What other servers answer. Call on the event loop.
    var routes: WorkerRoutes { boundRoutes.value }

    /// Ends the answers that would go on for ever. Call on the event loop.
    func endStreams() { hooks.dashboard?.value.end() }

    /// Tells the test page how a plain request was answered that was to be a handshake. Call on the event loop.
    func answered(_ head: HTTPRequestHead, _ status: Int) {
        guard let notes = hooks.handshakes, head.uri.contains(HandshakeNotes.parameter) else { return }
        notes.value.take(RequestHead(head), status: status, reason: nil)
    }

    /// Open plain HTTP connections. Call on the event loop.
    var connectionCount: Int { open.value.handlers.count }

    /// Whether answers end their connection. Call on the event loop.
    var isDraining: Bool { open.value.isDraining }

    func opened(_ handler: HTTPConnectionHandler) {
        open.value.handlers[ObjectIdentifier(handler)] = handler
    }

    func closed(_ handler: HTTPConnectionHandler) {
        open.value.handlers[ObjectIdentifier(handler)] = nil
    }

    /// Seconds since 1970, for the Date field.
    func now() -> Int64 { Int64(time(nil)) }

    /// The answer to a request; never throws.
    func respond(to request: Request, peer: SocketAddress?) async -> Response {
        let context = WorkerRequestContext(logger: logger, peer: peer)
        do {
            return try await site.respond(to: request, context: context)
        } catch {
            logger.error("A request failed", metadata: ["error": "\(error)", "http.path": "\(request.uri.path)"])
            return .sentence(.internalServerError, "The request failed; the log says why.")
        }
    }
}
