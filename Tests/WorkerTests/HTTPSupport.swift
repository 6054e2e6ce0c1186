import Logging
import Model
import NIOCore
import NIOPosix
import WebSocketProtocol

@testable import Worker

/// A worker's HTTP side on a real port of its own, with one event loop, as in a worker.
final class HTTPServerFixture: Sendable {
    let http: WorkerHTTP
    let channel: any Channel
    let group: MultiThreadedEventLoopGroup
    var port: Int { channel.localAddress?.port ?? 0 }

    /// What the hooks say and saw; confined to the event loop.
    struct Facts {
        var notReadyReason: String?
        var upgrades: [(head: RequestHead, leftover: String)] = []
        var backendCalls: [String] = []
        var backendAnswer: Result<[UInt8], ClientRefusal> = .success(Array("{}".utf8))
        /// Of dashboards, in the order in which they began.
        var calls: [ControlCall] = []
        var now = MonotonicTime.zero
    }

    /// A call of the control API, answered by the test.
    final class ControlCall {
        let target: String
        let receive: (LiveEvent) -> Void
        var hasEnded = false
        /// What the reading was set to, one after the other.
        var reading: [Bool] = []

        init(_ target: String, _ receive: @escaping (LiveEvent) -> Void) {
            self.target = target
            self.receive = receive
        }
    }

    let facts: NIOLoopBoundBox<Facts>

    static func with(
        _ configuration: WsdConfiguration = WsdConfiguration(),
        _ body: (HTTPServerFixture) async throws -> Void
    ) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        do {
            let fixture = try await HTTPServerFixture(configuration, group)
            try await body(fixture)
            try await fixture.channel.close()
        } catch {
            try await group.shutdownGracefully()
            throw error
        }
        try await group.shutdownGracefully()
    }

    private init(_ configuration: WsdConfiguration, _ group: MultiThreadedEventLoopGroup) async throws {
        self.group = group
        let loop = group.next()
        let facts = try await loop.submit { NIOLoopBoundBox(Facts(), eventLoop: loop) }.get()
        self.facts = facts
        var hooks = WorkerHTTPHooks(
            notReadyReason: { facts.value.notReadyReason },
            metrics: { "wsd_clients 3\n" },
            backend: { request in
                facts.value.backendCalls.append(String(buffer: request))
                return loop.makeSucceededFuture(facts.value.backendAnswer)
            },
            upgrade: { channel, head, leftover in
                facts.value.upgrades.append((head, String(buffer: leftover)))
                let handler = EchoAfterUpgrade()
                try? channel.pipeline.syncOperations.addHandler(handler)
                channel.writeAndFlush(ByteBuffer(string: "upgraded:\(String(buffer: leftover));"), promise: nil)
            }
        )
        hooks.workers = { (2, 3) }
        if configuration.testPageEnabled {
            hooks.handshakes = try await loop.submit {
                NIOLoopBound(HandshakeNotes { facts.value.now }, eventLoop: loop)
            }.get()
        }
        if configuration.http.dashboard {
            hooks.dashboard = try await loop.submit {
                let source = DashboardSource { target, receive in
                    let call = ControlCall(target, receive)
                    facts.value.calls.append(call)
                    return .init(end: { call.hasEnded = true }, setReading: { call.reading.append($0) })
                }
                return NIOLoopBound(DashboardCalls(eventLoop: loop, source: source), eventLoop: loop)
            }.get()
        }
        let http = try await loop.submit { [hooks] in
            WorkerHTTP(configuration: configuration, eventLoop: loop, hooks: hooks, logger: Logger(label: "test"))
        }.get()
        self.http = http
        channel = try await ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(FirstBytes(http: http))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
    }

    /// On the event loop.
    func onLoop<Result: Sendable>(_ body: @escaping @Sendable () -> Result) async throws -> Result {
        try await http.eventLoop.submit(body).get()
    }

    func client() async throws -> HTTPTestClient {
        try await HTTPTestClient.connect(port: port, group: group)
    }

    /// One request on a connection of its own, and everything that came until its end.
    func exchange(_ request: String) async throws -> String {
        let client = try await client()
        try await client.send(request)
        return try await client.readToEnd()
    }

    /// GET with `Connection: close`.
    func get(_ path: String, fields: String = "", method: String = "GET") async throws -> String {
        try await exchange("\(method) \(path) HTTP/1.1\r\nHost: example.org\r\nConnection: close\r\n\(fields)\r\n")
    }
}

/// Stands for the worker's own first handler.
private final class FirstBytes: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    private let http: WorkerHTTP

    init(http: WorkerHTTP) {
        self.http = http
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let (channel, bytes) = (context.channel, unwrapInboundIn(data))
        _ = context.pipeline.syncOperations.removeHandler(self)
        try? http.adopt(channel, firstBytes: bytes)
    }
}

/// Proves that raw bytes arrive.
private final class EchoAfterUpgrade: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        context.writeAndFlush(NIOAny(unwrapInboundIn(data)), promise: nil)
    }
}

/// A client of bytes: sends what it is told, keeps what comes.
final class HTTPTestClient: Sendable {
    private let channel: any Channel
    private let reader: NIOLoopBound<Reader>

    private final class Reader: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        var text = ""
        var waiter: (mark: String, promise: EventLoopPromise<String>)?

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            text += String(buffer: unwrapInboundIn(data))
            check()
        }

        func channelInactive(context: ChannelHandlerContext) {
            waiter?.promise.fail(ChannelError.eof)
            waiter = nil
        }

        /// Takes everything up to and with the mark.
        func check() {
            guard let waiter, let end = text.firstRange(of: waiter.mark)?.upperBound else { return }
            let taken = String(text[..<end])
            text = String(text[end...])
            self.waiter = nil
            waiter.promise.succeed(taken)
        }
    }

    private init(channel: any Channel, reader: NIOLoopBound<Reader>) {
        self.channel = channel
        self.reader = reader
    }

    static func connect(port: Int, group: any EventLoopGroup) async throws -> HTTPTestClient {
        let loop = group.next()
        let reader = try await loop.submit { NIOLoopBound(Reader(), eventLoop: loop) }.get()
        let channel = try await ClientBootstrap(group: loop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(reader.value)
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        return HTTPTestClient(channel: channel, reader: reader)
    }

    func send(_ text: String) async throws {
        try await channel.writeAndFlush(ByteBuffer(string: text))
    }

    func closeOutput() async throws {
        try await channel.setOption(.allowRemoteHalfClosure, value: true).get()
        try await channel.close(mode: .output)
    }

    func read(until mark: String) async throws -> String {
        try await channel.eventLoop.flatSubmit { [channel, reader] in
            let promise = channel.eventLoop.makePromise(of: String.self)
            reader.value.waiter = (mark, promise)
            reader.value.check()
            return promise.futureResult
        }.get()
    }

    func readToEnd() async throws -> String {
        try await channel.closeFuture.get()
        return try await channel.eventLoop.submit { [reader] in reader.value.text }.get()
    }

    func close() async throws {
        try await channel.close()
    }
}

extension String {
    /// The first line of a response.
    var statusLine: Substring { prefix { $0 != "\r\n" } }

    /// What follows the first empty line.
    var body: Substring {
        firstRange(of: "\r\n\r\n").map { self[$0.upperBound...] } ?? ""
    }

    func field(_ name: String) -> String? {
        for line in split(separator: "\r\n", omittingEmptySubsequences: false).dropFirst() {
            if line.isEmpty { return nil }
            let parts = line.split(separator: ":", maxSplits: 1)
            if parts.first?.lowercased() == name.lowercased(), parts.count == 2 {
                return String(parts[1].drop { $0 == " " })
            }
        }
        return nil
    }

    func firstRange(of mark: String) -> Range<Index>? {
        let (bytes, wanted) = (Array(utf8), Array(mark.utf8))
        guard !wanted.isEmpty, bytes.count >= wanted.count else { return nil }
        for start in 0...(bytes.count - wanted.count) where bytes[start...].starts(with: wanted) {
            let lower = utf8.index(startIndex, offsetBy: start)
            return lower..<utf8.index(lower, offsetBy: wanted.count)
        }
        return nil
    }
}
