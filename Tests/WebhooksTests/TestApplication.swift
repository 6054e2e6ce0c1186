import Foundation
import Logging
import Model
import NIOCore
import NIOHTTP1
import NIOPosix
import Wire

@testable import Webhooks

/// An application in this process that answers each request as the test wishes.
final class TestApplication: @unchecked Sendable {
    enum Answer {
        case json(String, status: Int = 200)
        /// Never.
        case silence
        /// The connection is cut.
        case cut
        /// So many bytes of white space, with or without saying so beforehand.
        case spaces(Int, announced: Bool)
        /// Once the test calls ``release()``.
        case held
    }

    struct Received: Sendable {
        let path: String
        let headers: HTTPHeaders
        let body: String
        /// Which of the connections it came by.
        let connection: ObjectIdentifier
    }

    let loop: any EventLoop
    private let group: MultiThreadedEventLoopGroup
    private var channel: (any Channel)?
    private var answers: [Answer] = []
    private(set) var received: [Received] = []
    private var heldBack: [() -> Void] = []
    private var expectations: [(count: Int, promise: EventLoopPromise<Void>)] = []

    static let secret = "a secret for tests, long enough"
    let secretFile: String

    init() async throws {
        group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        loop = group.next()
        secretFile = NSTemporaryDirectory() + "wsd-webhook-\(UUID().uuidString)"
        try Data((Self.secret + "\n").utf8).write(to: URL(fileURLWithPath: secretFile))
        let bootstrap = ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                channel.pipeline.configureHTTPServerPipeline().flatMapThrowing {
                    try channel.pipeline.syncOperations.addHandler(RequestHandler(self))
                }
            }
        channel = try await bootstrap.bind(host: "127.0.0.1", port: 0).get()
    }

    /// Gives the port back: connections are refused from now on.
    func stop() async throws {
        try await channel?.close()
    }

    func close() async throws {
        try? await channel?.close()
        try? FileManager.default.removeItem(atPath: secretFile)
        try await group.shutdownGracefully()
    }

    func url(_ path: String) -> String { "http://127.0.0.1:\(channel?.localAddress?.port ?? 0)/\(path)" }

    /// The next answers, in the order requests come; after them `{}`.
    func script(_ answers: Answer...) async throws {
        try await loop.submit { self.answers = answers }.get()
    }

    func release() async throws {
        try await loop.submit {
            let waiting = self.heldBack
            self.heldBack = []
            for answer in waiting { answer() }
        }.get()
    }

    /// Waits until so many requests have come.
    func requests(_ count: Int) async throws -> [Received] {
        let future = loop.flatSubmit {
            let promise = self.loop.makePromise(of: Void.self)
            self.expectations.append((count, promise))
            self.checkExpectations()
            return promise.futureResult
        }
        try await future.get()
        return try await loop.submit { self.received }.get()
    }

    private func checkExpectations() {
        for expectation in expectations where received.count >= expectation.count { expectation.promise.succeed() }
        expectations.removeAll { received.count >= $0.count }
    }

    fileprivate func take(_ request: Received, _ context: ChannelHandlerContext) {
        received.append(request)
        checkExpectations()
        answer(answers.isEmpty ? .json("{}") : answers.removeFirst(), context)
    }

    private func answer(_ answer: Answer, _ context: ChannelHandlerContext) {
        switch answer {
        case .json(let text, let status): respond(ByteBuffer(string: text), status, announced: true, context)
        case .silence: break
        case .cut: context.close(promise: nil)
        case .spaces(let count, let announced):
            respond(ByteBuffer(repeating: 0x20, count: count), 200, announced: announced, context)
        case .held: heldBack.append { self.answer(.json("{}"), context) }
        }
    }

    private func respond(_ body: ByteBuffer, _ status: Int, announced: Bool, _ context: ChannelHandlerContext) {
        var head = HTTPResponseHead(version: .http1_1, status: .init(statusCode: status))
        if announced { head.headers.add(name: "Content-Length", value: "\(body.readableBytes)") }
        context.write(NIOAny(HTTPServerResponsePart.head(head)), promise: nil)
        context.write(NIOAny(HTTPServerResponsePart.body(.byteBuffer(body))), promise: nil)
        context.writeAndFlush(NIOAny(HTTPServerResponsePart.end(nil)), promise: nil)
    }
}

private final class RequestHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart

    private let application: TestApplication
    private var head: HTTPRequestHead?
    private var body = ""

    init(_ application: TestApplication) {
        self.application = application
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            body = ""
        case .body(let piece):
            body += String(buffer: piece)
        case .end:
            guard let head else { return }
            let request = TestApplication.Received(
                path: head.uri, headers: head.headers, body: body, connection: ObjectIdentifier(context.channel))
            application.take(request, context)
        }
    }
}

/// A caller on its loop, for tests off it.
struct TestCaller: Sendable {
    let caller: NIOLoopBound<WebhookCaller>
    var loop: any EventLoop { caller.eventLoop }

    init(
        _ application: TestApplication, _ change: @escaping @Sendable (inout WebhooksConfiguration) -> Void
    ) async throws {
        let loop = application.loop
        caller = try await loop.submit {
            var configuration = WebhooksConfiguration()
            configuration.secretFile = application.secretFile
            change(&configuration)
            let caller = try WebhookCaller(
                configuration: configuration, eventLoop: loop,
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, wallTime: { 1_700_000_000.9 })
            return NIOLoopBound(caller, eventLoop: loop)
        }.get()
    }

    func call(_ call: WebhookCall) async throws -> WebhookOutcome { try await begin(call).get() }

    func begin(_ call: WebhookCall) -> EventLoopFuture<WebhookOutcome> {
        loop.flatSubmit {
            let promise = loop.makePromise(of: WebhookOutcome.self)
            caller.value.call(call) { promise.succeed($0) }
            return promise.futureResult
        }
    }

    func notify(_ event: WebhookEvent) async throws {
        try await loop.submit { caller.value.notify(event) }.get()
    }

    func figures(_ kind: WebhookKind) async throws -> WebhookFigures {
        try await loop.submit { caller.value.figures(kind) }.get()
    }

    func shutdown(within time: Duration = .seconds(5)) async throws {
        try await loop.flatSubmit {
            let promise = loop.makePromise(of: Void.self)
            caller.value.shutdown(within: time) { promise.succeed() }
            return promise.futureResult
        }.get()
    }
}
