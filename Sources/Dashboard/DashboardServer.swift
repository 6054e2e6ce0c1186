import ControlClient
import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
import WebAssets

/// Serves the dashboard on 127.0.0.1 and passes its calls on to the control socket.
package final class DashboardServer: Sendable {
    typealias Connection = NIOAsyncChannel<HTTPServerRequestPart, HTTPServerResponsePart>

    package let port: Int
    private let client: ControlClient
    private let gate: Mutex<DashboardGate>
    private let connections = Mutex(0)
    private let listener: NIOAsyncChannel<Connection, Never>

    /// Listens; nobody is served before ``run()``.
    ///
    /// - Parameters:
    ///   - port: 0: one that is free.
    ///   - isReadOnly: it only shows.
    /// Throws ``ControlClientError/system(_:)`` where the port cannot be had.
    package static func listening(port: Int, isReadOnly: Bool, client: ControlClient) async throws -> DashboardServer {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        do {
            let listener = try await ServerBootstrap(group: group)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
                .bind(host: "127.0.0.1", port: port) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        var limits = NIOHTTPDecoderLimitConfiguration()
                        limits.maxHeaderListSize = DashboardLimits.head
                        limits.maxHeaderFieldSize = DashboardLimits.head
                        try channel.pipeline.syncOperations.configureHTTPServerPipeline(
                            withErrorHandling: true, withEncoderConfiguration: .init(),
                            withDecoderLimitConfiguration: limits)
                        return try Connection(wrappingChannelSynchronously: channel)
                    }
                }
            return DashboardServer(listener, isReadOnly, client)
        } catch let error as IOError {
            throw ControlClientError.system(
                "127.0.0.1:\(port) cannot be listened on: \(String(cString: strerror(error.errnoCode))). Choose another --port."
            )
        }
    }

    private init(_ listener: NIOAsyncChannel<Connection, Never>, _ isReadOnly: Bool, _ client: ControlClient) {
        self.listener = listener
        self.client = client
        port = listener.channel.localAddress?.port ?? 0
        gate = Mutex(DashboardGate(port: port, isReadOnly: isReadOnly))
    }

    /// An address that lets one browser in; the one before no longer does.
    package func newAddress() -> String {
        "http://127.0.0.1:\(port)/?token=\(gate.withLock { $0.newToken() })"
    }

    func decide(_ request: DashboardGate.Request) -> DashboardGate.Verdict {
        gate.withLock { $0.decide(request) }
    }

    /// Serves until the task is cancelled.
    package func run() async throws {
        try await listener.executeThenClose { accepted in
            try await withThrowingDiscardingTaskGroup { group in
                for try await connection in accepted {
                    group.addTask { await self.serve(connection) }
                }
            }
        }
    }

    private func serve(_ connection: Connection) async {
        let hasRoom = connections.withLock { count in
            count += 1
            return count <= DashboardLimits.connections
        }
        defer { connections.withLock { $0 -= 1 } }
        // What fails here is one connection's: the browser has gone, or sent no HTTP.
        try? await connection.executeThenClose { inbound, _ in
            guard hasRoom else { return }
            let conversation = DashboardConversation(server: self, client: client, channel: connection.channel)
            try await conversation.run(inbound)
        }
    }
}
