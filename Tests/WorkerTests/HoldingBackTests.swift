import Model
import NIOCore
import NIOEmbedded
import Realtime
import Testing
import Wire

@testable import Worker

/// A client that asks for more than it reads, or than the hub can take, waits; it loses nothing.
@Suite struct HoldingBackTests {
    func worker(_ change: (inout WsdConfiguration) -> Void = { _ in }) -> WorkerHarness {
        let worker = WorkerHarness {
            $0.limits.messageRate = nil
            $0.websocket.outboundQueue = 64 * 1024
            $0.websocket.maxMessageSize = 32 * 1024
            $0.api.maxBody = 32 * 1024
            change(&$0)
        }
        worker.connectHub()
        return worker
    }

    func page(_ bytes: Int) -> HistoryPage {
        let position = RoomPosition(epoch: V1ConnectionTests.epoch, offset: 1)
        let entry = HistoryEntry(1, "\"" + String(repeating: "x", count: bytes) + "\"")
        return HistoryPage(room: RoomName("r"), position: position, entries: [entry], hasMore: false)
    }

    @Test func onlyAFewLongAnswersAreAskedForAtOnce() throws {
        let worker = worker()
        let channel = try worker.v1()
        _ = try worker.operations()
        let transport = PacedTransport()
        try channel.pipeline.syncOperations.addHandler(transport, position: .first)
        for number in 1...20 {
            try worker.send(#"{"type":"history","room":"r","requestId":\#(number)}"#, to: channel)
        }
        var asked = try worker.operations()
        #expect(asked.count == Backlog.maxQuestions)
        var answered = 0
        while !asked.isEmpty {
            for question in asked { worker.reply(question.sequence, .history(page(30_000))) }
            answered += asked.count
            worker.loop.run()
            transport.release()
            worker.loop.run()
            transport.release()
            worker.loop.run()
            asked = try worker.operations()
            #expect(asked.count <= Backlog.maxQuestions)
        }
        #expect(answered == 20)
        let answers: [String] = transport.written.flatMap { Frames.read($0) }
        #expect(answers.filter { $0.contains("requestId") }.count == 20)
        #expect(worker.engine.counters.slowClientsClosed == 0)
        #expect(try !worker.handler(channel).core.isSuspended && worker.handler(channel).backlog == nil)
    }

    @Test func whoDoesNotReadItsEchoIsNotReadEither() throws {
        let worker = worker()
        let channel = try worker.client("/wsd/echo")
        let transport = PacedTransport()
        try channel.pipeline.syncOperations.addHandler(transport, position: .first)
        let text = String(repeating: "x", count: 20_000)
        for _ in 0..<3 { try worker.send(text, to: channel) }
        worker.loop.run()
        for _ in 0..<4 { try worker.send(text, to: channel) }
        worker.loop.run()
        #expect(try worker.handler(channel).core.isSuspended)
        #expect(worker.engine.counters.slowClientsClosed == 0)
        for _ in 0..<40 {
            transport.release()
            worker.loop.run()
        }
        let echoes: [String] = transport.written.flatMap { Frames.read($0) }
        #expect(echoes.filter { $0 == text }.count == 7)
        #expect(try !worker.handler(channel).core.isSuspended)
    }

    @Test func whoNeverReadsIsGivenUp() throws {
        let worker = worker()
        let channel = try worker.client("/wsd/echo")
        try channel.pipeline.syncOperations.addHandler(PacedTransport(), position: .first)
        for _ in 0..<5 {
            try worker.send(String(repeating: "x", count: 20_000), to: channel)
            worker.loop.run()
        }
        #expect(try worker.handler(channel).core.isSuspended)
        worker.advance(.seconds(30))
        #expect(channel.isActive && worker.engine.counters.slowClientsClosed == 0)
        worker.advance(.seconds(60))
        #expect(!channel.isActive && worker.engine.counters.slowClientsClosed == 1)
    }

    /// The channel has written a part: less is left than a client may have due, but it goes on only when all has left.
    @Test func whoStopsReadingInTheMiddleIsGivenUp() throws {
        let worker = worker()
        let channel = try worker.client("/wsd/echo")
        try channel.pipeline.syncOperations.addHandler(PacedTransport(), position: .first)
        for _ in 0..<5 {
            try worker.send(String(repeating: "x", count: 20_000), to: channel)
            worker.loop.run()
        }
        let handler = try worker.handler(channel)
        #expect(handler.core.isSuspended)
        for left in (1...12).reversed() {
            handler.core.outbound = ByteBuffer(repeating: 0, count: left)
            worker.advance(.seconds(10))
            #expect(channel.isActive && worker.engine.counters.slowClientsClosed == 0)
        }
        worker.advance(.seconds(90))
        #expect(!channel.isActive && worker.engine.counters.slowClientsClosed == 1)
    }

    @Test(arguments: [true, false])
    func publishersWaitForTheHub(isHubLost: Bool) throws {
        let worker = worker { $0.hub.heldBytes = 64 * 1024 }
        let channel = try worker.v1()
        worker.acknowledge(try #require(try worker.operations().last).sequence)
        _ = try channel.frames()
        let data = String(repeating: "x", count: 4000)
        for number in 1...30 {
            try worker.send(
                #"{"type":"publish","room":"r","data":"\#(data)","requestId":\#(number)}"#, to: channel)
        }
        worker.loop.run()
        let first = try worker.operations()
        #expect((5..<15).contains(first.count))
        #expect(try channel.frames().isEmpty && worker.handler(channel).core.isSuspended)
        if isHubLost {
            // What follows is accepted for the next hub, up to the bound.
            worker.engine.realtime.linkLost()
            worker.engine.releaseHeld()
            worker.loop.run()
            let refused = try channel.frames()
            #expect(!refused.isEmpty && refused.allSatisfy { $0.contains("unavailable") })
            #expect(try !worker.handler(channel).core.isSuspended)
            return
        }
        var taken = first
        var count = 0
        while let last = taken.last {
            count += taken.count
            worker.acknowledge(last.sequence)
            worker.loop.run()
            taken = try worker.operations()
        }
        #expect(count == 30)
        #expect(try channel.frames().filter { $0.contains("requestId") && !$0.contains("error") }.count == 30)
        #expect(try !worker.handler(channel).core.isSuspended)
    }

    @Test func aThousandUnansweredRequestsAreEnough() throws {
        let worker = worker()
        let channel = try worker.v1()
        _ = try worker.operations()
        for number in 1...1500 {
            try worker.send(#"{"type":"publish","room":"r","data":1,"requestId":\#(number)}"#, to: channel)
        }
        let first = try worker.operations()
        #expect(first.count == ClientSession.maxUnanswered)
        for taken in first.prefix(600) { worker.acknowledge(taken.sequence) }
        #expect(try worker.operations().count == 1500 - ClientSession.maxUnanswered)
        #expect(try !worker.handler(channel).core.isSuspended)
    }
}

/// A transport that takes what is written when it is let.
final class PacedTransport: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer
    private var waiting: [EventLoopPromise<Void>?] = []
    var written: [ByteBuffer] = []

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        written.append(unwrapOutboundIn(data))
        waiting.append(promise)
    }

    func release() {
        let promises = waiting
        waiting = []
        for promise in promises { promise?.succeed() }
    }

    func handlerRemoved(context: ChannelHandlerContext) { release() }
}
