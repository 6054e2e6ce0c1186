import Logging
import Model
import NIOCore
import NIOEmbedded
import Synchronization

@testable import Worker

/// A worker with two API keys whose live feeds come from the test.
final class LiveFixture {
    static let observer = "live-test-key-of-an-observer"
    static let publisher = "live-test-key-of-a-publisher"

    let worker: WorkerHarness
    let feeds = Feeds()

    /// The calls that were made, oldest first.
    final class Feeds {
        var calls: [Call] = []
    }

    final class Call {
        let uri: String
        let send: (LiveEvent) -> Void
        var isEnded = false

        init(_ uri: String, _ send: @escaping (LiveEvent) -> Void) {
            self.uri = uri
            self.send = send
        }

        func lines(_ lines: String...) {
            for line in lines { send(.line(ByteBuffer(string: line))) }
            send(.pause)
        }
    }

    init(
        logger: Logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
        _ change: (inout WsdConfiguration) -> Void = { _ in }
    ) {
        worker = WorkerHarness(logger: logger) {
            $0.api.keys = Self.keys
            change(&$0)
        }
        let feeds = feeds
        worker.engine.live.source = LiveSource { uri, receive in
            let call = Call(uri, receive)
            feeds.calls.append(call)
            return { call.isEnded = true }
        }
    }

    static var keys: [APIKey] {
        var (observer, publisher) = (APIKey(), APIKey())
        observer.name = "dashboard"
        observer.sha256 = "eaea70cc442b6df2aff2e7cb7e14a5cf928faa7bc5ff8d78309e290ea74400f8"
        observer.allow = [.observe]
        publisher.name = "backend"
        publisher.sha256 = "48507ee58cf684617ac6b3083dba45baa83669b1515f005c9ba3247e983bf1bf"
        publisher.allow = [.publish, .manage]
        return [observer, publisher]
    }

    /// A socket that has sent a handshake.
    func ask(_ path: String, _ fields: String = "") throws -> EmbeddedChannel {
        let channel = try worker.accept()
        try channel.writeInbound(worker.request(path, fields))
        worker.loop.run()
        return channel
    }

    /// A live connection whose handshake is done and was read.
    func open(_ path: String = "/ws/logs") throws -> (channel: EmbeddedChannel, call: Call) {
        let channel = try ask(path, "Authorization: Bearer \(Self.observer)\r\n")
        guard let call = feeds.calls.last else { throw LiveFixtureError.notAsked }
        call.send(.opened)
        worker.loop.run()
        _ = try channel.readOutbound(as: ByteBuffer.self)
        return (channel, call)
    }

    func text(_ channel: EmbeddedChannel) throws -> String {
        worker.loop.run()
        return try channel.writes().map { String(buffer: $0) }.joined()
    }
}

enum LiveFixtureError: Error {
    case notAsked
}

/// A transport whose kernel buffer is full until it is let go.
final class HeldTransport: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer
    private var held: [(NIOAny, EventLoopPromise<Void>?)] = []
    private var context: ChannelHandlerContext?

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        held.append((data, promise))
    }

    var count: Int { held.count }

    /// Takes what was held when it was called.
    func letGo() {
        let due = held
        held = []
        for (data, promise) in due { context?.write(data, promise: promise) }
        context?.flush()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        for (_, promise) in held { promise?.fail(ChannelError.ioOnClosedChannel) }
        held = []
    }
}

/// Keeps what is logged, at every level.
final class LogRecorder: Sendable {
    private let lines = Mutex<[String]>([])

    var all: [String] { lines.withLock { $0 } }

    func logger() -> Logger {
        var logger = Logger(label: "test") { [self] _ in Handler(recorder: self) }
        logger.logLevel = .trace
        return logger
    }

    private struct Handler: LogHandler {
        let recorder: LogRecorder
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            recorder.lines.withLock { $0.append("\(event.message) \(event.metadata ?? [:])") }
        }
    }
}
