import NIOCore
import NIOPosix

/// A client of wsd that speaks `wsd.v1.json`: reconnects by itself, joins its rooms again where it left off, and sends
/// what was not answered again, so that each message arrives once.
///
/// Safe to use from any thread. Close it with ``close()``; it keeps itself alive until then.
public final class WsdClient: Sendable {
    private let core: ClientCore

    /// Begins to connect at once. `onEvent` is called on `eventLoop` and must not block.
    ///
    /// - Throws: ``WsdClientError/invalidURL(_:)``.
    public init(
        _ configuration: WsdClientConfiguration, on eventLoop: any EventLoop,
        onEvent: @escaping @Sendable (WsdEvent) -> Void
    ) throws(WsdClientError) {
        let core = try ClientCore(configuration: configuration, eventLoop: eventLoop, onEvent: onEvent)
        self.core = core
        eventLoop.execute { core.start() }
    }

    /// Joins a room and keeps it joined; ``WsdEvent/joined(_:)`` and ``WsdEvent/joinFailed(room:_:)`` tell how it went.
    /// - Parameter since: a position seen in an earlier life of the program: what was missed since then follows.
    public func join(_ room: String, since: (epoch: String, offset: UInt64)? = nil) {
        core.eventLoop.execute { [core] in core.join(room, since: since) }
    }

    public func leave(_ room: String) {
        core.eventLoop.execute { [core] in core.leave(room) }
    }

    /// Publishes JSON text to a room and waits until it is certain: recorded where the room has history.
    public func publish(_ room: String, data: String) async throws -> WsdPublication {
        try await publishing(room, data: data).get()
    }

    /// The same without waiting.
    public func publishing(_ room: String, data: String) -> EventLoopFuture<WsdPublication> {
        core.eventLoop.flatSubmit { [core] in core.publish(room: room, data: data) }.flatMapThrowing { text in
            let read = Array(text.utf8).withUnsafeBytes { bytes in
                JSONObject(bytes).map {
                    WsdPublication(
                        epoch: $0.text("epoch"), offset: $0.number("offset") ?? 0,
                        isDuplicate: $0.raw("duplicate") == "true")
                }
            }
            guard let read else { throw WsdClientError.malformedAnswer }
            return read
        }
    }

    /// Asks the server, or the application behind it, and returns the answer's `data` as JSON text.
    /// - Parameters:
    ///   - type: `ping`, `history`, `presence`, …, or one of the application's own.
    ///   - members: further members of the command, as JSON text (`"room":"lobby","limit":10`).
    public func request(_ type: String, _ members: String = "") async throws -> String {
        let body = #""type":\#(ClientStateMachine.quoted(type))"# + (members.isEmpty ? "" : "," + members)
        return try await core.eventLoop.flatSubmit { [core] in core.request(body) }.get()
    }

    /// Ends the connection for good.
    public func close() {
        core.eventLoop.execute { [core] in core.close() }
    }

    /// Loses the connection, as a broken network would.
    package func loseConnection() {
        core.eventLoop.execute { [core] in core.abort() }
    }

    public func statistics() async throws -> WsdClientStatistics {
        try await core.eventLoop.submit { [core] in core.statistics }.get()
    }
}
