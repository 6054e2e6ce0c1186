import Foundation
import Logging
import Model
import NIOCore
import NIOPosix
import Realtime
import Testing
import Wire

@testable import Worker

/// The hub link over a real Unix socket, with a hub played by the test.
@Suite struct HubLinkTests {
    /// Collects what a worker sends, and closes the connection when told to.
    final class FakeHub: ChannelInboundHandler, @unchecked Sendable {
        typealias InboundIn = ByteBuffer
        private var decoder = HubLinkDecoder(maxPayload: 65_536)
        private let sink: AsyncStream<(WorkerFrame, any Channel)>.Continuation

        init(sink: AsyncStream<(WorkerFrame, any Channel)>.Continuation) {
            self.sink = sink
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            decoder.append(unwrapInboundIn(data))
            while let frame = try? decoder.nextWorkerFrame() { sink.yield((frame, context.channel)) }
        }
    }

    struct Setup: Sendable {
        let path: String
        let loop: any EventLoop
        let frames: AsyncStream<(WorkerFrame, any Channel)>
        let server: any Channel
    }

    func listen(on path: String, loop: any EventLoop) async throws -> Setup {
        let (frames, sink) = AsyncStream.makeStream(of: (WorkerFrame, any Channel).self)
        let server = try await ServerBootstrap(group: loop)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(FakeHub(sink: sink))
                }
            }
            .bind(unixDomainSocketPath: path).get()
        return Setup(path: path, loop: loop, frames: frames, server: server)
    }

    func engine(_ path: String, _ loop: any EventLoop, startTimeout: TimeAmount) -> WorkerEngine {
        let child = ChildConfiguration(
            slot: .worker(3), instance: InstanceID(rawValue: 1), configuration: WsdConfiguration(), hubSocket: path,
            listeners: [], serviceStartedAt: 0)
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let engine = WorkerEngine(child: child, boot: BootID(rawValue: 7), eventLoop: loop, logger: logger) { .zero }
        engine.hubLink = HubLinkClient(path: path, engine: engine, startTimeout: startTimeout)
        return engine
    }

    /// A publication that nobody waits for.
    func publish(_ engine: WorkerEngine, _ text: String) {
        let core = ConnectionCore(
            purpose: .simple, id: ClientID(boot: engine.boot, serial: 1), limits: engine.limits, now: .zero)
        let info = ConnectionInfo(address: "", path: "/", connectedAt: 0)
        engine.execute(
            .publish(RoomName("r"), messageID: nil), request: nil, data: ByteBuffer(string: text),
            from: ConnectionHandler(core: core, info: info, engine: engine))
    }

    @Test func replaysWhatIsNotSettledToTheNextHub() async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let path = "/tmp/wsd-test-\(UUID().uuidString.prefix(8)).sock"
        defer { unlink(path) }
        let engine = engine(path, loop, startTimeout: .minutes(1))

        // No hub yet: operations are held.
        let (starts, started) = AsyncStream.makeStream(of: Bool.self)
        try await loop.submit {
            engine.hubLink?.start { started.yield(engine.realtime.isUp) }
            publish(engine, "1")
        }.get()
        let first = try await listen(on: path, loop: loop)
        var frames = first.frames.makeAsyncIterator()
        #expect(await frames.next()?.0 == .hello(version: UInt16(WsdVersion.link), boot: engine.boot, slot: 3))
        #expect(await frames.next()?.0 == .snapshotEnd(replayThrough: 1))
        #expect(await text(frames.next()) == "1")

        // What comes later follows on the same link.
        try await loop.submit { publish(engine, "2") }.get()
        let last = await frames.next()
        #expect(text(last) == "2")

        // The hub settles the first and dies; its successor gets the second alone.
        let channel = try #require(last?.1)
        var ack = ByteBuffer()
        HubLinkEncoder.welcome(boot: BootID(rawValue: 50), isLate: false, into: &ack)
        HubLinkEncoder.ack(acknowledged: 1, settled: 1, into: &ack)
        try await channel.writeAndFlush(ack).get()
        // The start had waited for the link.
        #expect(await starts.first { _ in true } == true)
        try await first.server.close().get()
        try await channel.close(mode: .output).get()
        let second = try await listen(on: path, loop: loop)
        var again = second.frames.makeAsyncIterator()
        #expect(await again.next()?.0 == .hello(version: UInt16(WsdVersion.link), boot: engine.boot, slot: 3))
        #expect(await again.next()?.0 == .snapshotEnd(replayThrough: 2))
        #expect(await text(again.next()) == "2")

        try await withCheckedThrowingContinuation { (done: CheckedContinuation<Void, any Error>) in
            loop.execute { engine.hubLink?.close { done.resume() } }
        }
        try await second.server.close().get()
    }

    private func text(_ frame: (WorkerFrame, any Channel)?) -> String? {
        guard case .operation(_, let payload)? = frame?.0 else { return nil }
        return String(buffer: payload)
    }

    @Test func startDoesNotWaitForAHubForEver() async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let engine = engine("/nowhere/hub.sock", loop, startTimeout: .milliseconds(50))
        let (starts, started) = AsyncStream.makeStream(of: Bool.self)
        try await loop.submit { engine.hubLink?.start { started.yield(engine.realtime.isUp) } }.get()
        #expect(await starts.first { _ in true } == false)
        try await loop.submit { engine.hubLink?.close {} }.get()
    }

    @Test func backoffGrowsAndStartsOver() {
        var generator = SystemRandomNumberGenerator()
        var backoff = ReconnectBackoff()
        let quick = Array(repeating: 10, count: ReconnectBackoff.quickAttempts)
        for step in quick + [20, 40, 80, 100, 100] {
            let delay = backoff.next(using: &generator)
            #expect(delay >= .milliseconds(step) / 2 && delay <= .milliseconds(step))
        }
        backoff.reset()
        let first = backoff.next(using: &generator)
        #expect(first <= .milliseconds(10))
    }
}
