import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOPosix

/// Serves the control API on a bound and listening Unix socket. Confined to the event loop.
final class ControlServer {
    /// Connections at a time; further ones are closed at once. The workers' live connections are among them.
    static let maxConnections = 1024
    /// A connection without a request is closed after this time.
    static let idleTimeout = TimeAmount.seconds(60)
    static let maxHeaderSize = 16 * 1024

    private let eventLoop: any EventLoop
    private let api: ControlAPI
    private let logger: Logger
    private let executor: EventLoopTaskExecutor
    private var listener: (any Channel)?
    private var connections: [ObjectIdentifier: any Channel] = [:]

    init(eventLoop: any EventLoop, api: ControlAPI, logger: Logger) {
        self.eventLoop = eventLoop
        self.api = api
        self.logger = logger
        executor = EventLoopTaskExecutor(eventLoop)
    }

    /// Takes over `socket` and accepts from now on.
    ///
    /// - Parameter access: what the peer of an accepted socket may do.
    func start(socket: CInt, access: @escaping @Sendable (CInt) -> ControlAccess) -> EventLoopFuture<Void> {
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        return ServerBootstrap(group: eventLoop)
            .childChannelInitializer { channel in bound.value.accepted(channel, access) }
            .withBoundSocket(socket)
            .map { bound.value.listener = $0 }
    }

    /// Connections that are still open.
    var connectionCount: Int { connections.count }

    /// Accepts no more; open answers go on.
    func stopAccepting() {
        listener?.close(promise: nil)
        listener = nil
    }

    /// Closes what has no request in progress, and the others after their answer.
    func quiesce() {
        for channel in connections.values {
            channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        }
    }

    private func accepted(
        _ channel: any Channel, _ access: @escaping @Sendable (CInt) -> ControlAccess
    ) -> EventLoopFuture<Void> {
        guard connections.count < Self.maxConnections else {
            return eventLoop.makeFailedFuture(ChannelError.operationUnsupported)
        }
        let key = ObjectIdentifier(channel)
        connections[key] = channel
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        channel.closeFuture.whenComplete { _ in bound.value.connections[key] = nil }

        let allowed: ControlAccess
        do {
            allowed =
                try channel.pipeline.syncOperations.withUnsafeTransportIfAvailable { (socket: CInt) in access(socket) }
                ?? .none
        } catch {
            return eventLoop.makeFailedFuture(error)
        }
        let http = HTTP1Channel(
            responder: { [api] request, writer, channel in
                try await api.respond(to: request, access: allowed, channel: channel, writer: writer)
            },
            configuration: .init(
                idleTimeout: Self.idleTimeout,
                httpDecoderConfiguration: .init(
                    maxHeaderFieldSize: Self.maxHeaderSize, maxHeaderListSize: Self.maxHeaderSize,
                    maxHeaderFieldCount: 100)
            )
        )
        let (logger, executor) = (logger, executor)
        return http.setup(channel: channel, logger: logger).map { value in
            Task(executorPreference: executor) { await http.handle(value: value, logger: logger) }
        }
    }
}
