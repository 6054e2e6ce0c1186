import Model
import NIOCore
import WebSocketProtocol

/// What the plain HTTP side asks of the worker around it. All are called on the worker's event loop.
struct WorkerHTTPHooks: Sendable {
    /// `nil`: ready. Otherwise why not, as a short sentence (`The hub is away.`). A lame duck is not ready.
    var notReadyReason: @Sendable () -> String?
    /// Prometheus text of this worker's counters.
    var metrics: @Sendable () -> String
    /// Asks the hub on behalf of the backend: a `BackendRequest` as JSON; a `BackendResponse` as JSON comes back, or why not.
    var backend: @Sendable (ByteBuffer) -> EventLoopFuture<Result<[UInt8], ClientRefusal>>
    /// This worker's number, and how many live, where that is known.
    var workers: @Sendable () -> (own: Int, living: Int?) = { (1, nil) }
    /// What became of the test page's attempts; `nil`: there is no test page.
    var handshakes: NIOLoopBound<HandshakeNotes>?
    /// Calls of the control API for the dashboard; `nil`: it is off.
    var dashboard: NIOLoopBound<DashboardCalls>?
    /// A later request of a kept-alive connection asks for a WebSocket, rightly or not: decide as for a first head.
    ///
    /// All HTTP handlers have left the pipeline; nothing was answered yet. `leftover` holds what the client sent behind
    /// the head (usually empty). The channel is the worker's from here on.
    var upgrade: @Sendable (_ channel: any Channel, _ head: RequestHead, _ leftover: ByteBuffer) -> Void
}
