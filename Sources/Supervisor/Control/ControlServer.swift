import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOPosix

/// Serves the control API on a bound and listening Unix socket. Confined to the event loop.
final class ControlServer {
    /// Connections at a time; further ones are told so and closed. The workers' live connections are among them.
    static let maxConnections = 1024
    /// Those of users who may not change anything, together and of each: the others always find room.
    static let maxOthers = 256
    static let maxOthersPerUser = 64
    /// Connections that are being told so; further ones are closed at once.
    static let maxRefused = 16
    /// One of those is closed after this time, whatever its peer does.
    static let refusalTimeout = TimeAmount.seconds(2)
    /// A connection without a request is closed after this time.
    static let idleTimeout = TimeAmount.seconds(60)
    static let maxHeaderSize = 16 * 1024

    private let eventLoop: any EventLoop
    private let api: ControlAPI
    private let logger: Logger
    private let executor: EventLoopTaskExecutor
    private var listener: (any Channel)?
    private var connections: [ObjectIdentifier: any Channel] = [:]
    private var places = ControlPlaces()

    init(eventLoop: any EventLoop, api: ControlAPI, logger: Logger) {
        self.eventLoop = eventLoop
        self.api = api
        self.logger = logger
        executor = EventLoopTaskExecutor(eventLoop)
    }

    /// Takes over `socket` and accepts from now on.
    ///
    /// - Parameter peer: who is at the other end of an accepted socket.
    func start(socket: CInt, peer: @escaping @Sendable (CInt) -> ControlPeer) -> EventLoopFuture<Void> {
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        return ServerBootstrap(group: eventLoop)
            .childChannelInitializer { channel in bound.value.accepted(channel, peer) }
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
        _ channel: any Channel, _ peer: @escaping @Sendable (CInt) -> ControlPeer
    ) -> EventLoopFuture<Void> {
        let found: ControlPeer?
        do {
            found = try channel.pipeline.syncOperations.withUnsafeTransportIfAvailable { (socket: CInt) in peer(socket)
            }
        } catch {
            return eventLoop.makeFailedFuture(error)
        }
        let peer = found ?? ControlPeer(access: .none)
        let place = places.take(for: peer)
        guard place != .none else { return eventLoop.makeFailedFuture(ChannelError.operationUnsupported) }
        let key = ObjectIdentifier(channel)
        connections[key] = channel
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        channel.closeFuture.whenComplete { _ in
            bound.value.connections[key] = nil
            bound.value.places.leave(place)
        }
        let refusal = place.refusal
        if refusal != nil {
            eventLoop.scheduleTask(in: Self.refusalTimeout) { channel.close(promise: nil) }
        }
        let http = HTTP1Channel(
            responder: { [api] request, writer, channel in
                try await api.respond(
                    to: request, access: peer.access, refusal: refusal, channel: channel, writer: writer)
            },
            configuration: .init(
                idleTimeout: refusal == nil ? Self.idleTimeout : Self.refusalTimeout,
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
