import Model
import NIOCore
import NIOEmbedded
import Realtime
import Testing
import WebSocketProtocol
import Wire

@testable import Worker

@Suite struct ConnectionHandlerTests {
    @Test func manyFramesOfATurnLeaveInOneWrite() throws {
        let worker = WorkerHarness()
        let channel = try worker.client()
        try worker.send(#"{"type":"joinRoom","roomId":"r"}"#, to: channel)
        for sequence in 1...16 { worker.deliver("r", "\(sequence)", sequence: UInt64(sequence)) }
        #expect(try channel.writes().isEmpty)
        worker.loop.run()
        let writes = try channel.writes()
        #expect(writes.count == 1)
        #expect(writes.flatMap(Frames.read) == (1...16).map(String.init))
    }

    @Test func aFrameIsSharedButNotWhatFollowsIt() throws {
        let worker = WorkerHarness()
        let (first, second) = (try worker.client(), try worker.client())
        for channel in [first, second] { try worker.send(#"{"type":"joinRoom","roomId":"r"}"#, to: channel) }
        worker.deliver("r", #""all""#, sequence: 1)
        try worker.send("nonsense", to: second)
        worker.loop.run()
        #expect(try first.frames() == [#""all""#])
        let seen = try second.frames()
        #expect(seen.count == 2 && seen[0] == #""all""# && seen[1].contains("Invalid message format"))
    }

    @Test func everythingSentIsCounted() throws {
        let worker = WorkerHarness()
        let channel = try worker.client()
        #expect(worker.engine.counters.messagesOut == 1)
        try worker.send(#"{"type":"joinRoom","roomId":"r"}"#, to: channel)
        worker.deliver("r", "1", sequence: 1)
        #expect(worker.engine.counters.messagesOut == 2)
        try worker.handler(channel).close(.goingAway, reason: "")
        worker.deliver("r", "2", sequence: 2)
        #expect(worker.engine.counters.messagesOut == 2)
    }

    @Test func whoMayHaveMissedSomethingIsClosed() throws {
        let worker = WorkerHarness()
        let (member, other) = (try worker.client(), try worker.client())
        try worker.send(#"{"type":"joinRoom","roomId":"r"}"#, to: member)
        worker.engine.closeLosingMembers()
        worker.loop.run()
        #expect(try member.frames() == ["<close 1013 messages were lost>"])
        #expect(try other.frames() == [])
        #expect(worker.engine.counters.lossClosed == 1)
    }

    @Test func deliveriesSkipTheSenderAndDoubles() throws {
        let worker = WorkerHarness()
        let (sender, other) = (try worker.client(), try worker.client())
        for channel in [sender, other] { try worker.send(#"{"type":"joinRoom","roomId":"r"}"#, to: channel) }
        let subject = try worker.handler(sender).core.session.id
        worker.deliver("r", "1", sequence: 5, from: subject)
        worker.deliver("r", "1", sequence: 5, from: subject)
        worker.loop.run()
        #expect(try sender.frames() == [])
        #expect(try other.frames() == ["1"])
    }

    @Test func echoPathEchoes() throws {
        let worker = WorkerHarness()
        let channel = try worker.client("/wsd/echo")
        try worker.send("a", to: channel)
        try worker.send("b", to: channel)
        worker.loop.run()
        #expect(try channel.frames() == ["a", "b"])
    }

    @Test func silentClientIsPingedThenCut() throws {
        let worker = WorkerHarness()
        let channel = try worker.client()
        worker.advance(.milliseconds(24_500))
        #expect(try channel.frames() == [])
        worker.advance(.seconds(1))
        #expect(try channel.frames() == ["<ping>"])
        worker.advance(.milliseconds(10_500))
        #expect(try channel.frames().first?.hasPrefix("<close 4000") == true)
        #expect(!channel.isActive)
        #expect(worker.engine.counters.heartbeatTimeouts == 1)
        #expect(worker.engine.connections.count == 0)
    }

    @Test func speakingClientIsNotPinged() throws {
        let worker = WorkerHarness()
        let channel = try worker.client("/wsd/echo")
        for _ in 0..<4 {
            worker.advance(.seconds(20))
            try worker.send("x", to: channel)
            worker.loop.run()
        }
        #expect(try channel.frames() == ["x", "x", "x", "x"])
    }

    @Test func aPauseOfTheProcessFindsNobodySilent() throws {
        let worker = WorkerHarness()
        let channel = try worker.client()
        worker.advance(.seconds(26))
        #expect(try channel.frames() == ["<ping>"])
        // Stopped for a minute; the pong lies in the socket and is read in the turn after.
        worker.time.now += .seconds(60)
        worker.engine.tick()
        var pong = ByteBuffer()
        Frames.write(.pong, ByteBuffer(), into: &pong)
        try channel.writeInbound(pong)
        worker.advance(.milliseconds(250))
        #expect(channel.isActive)
    }

    @Test func slowClientIsClosedOnceItsQueueIsFull() throws {
        let worker = WorkerHarness {
            $0.websocket.outboundQueue = 40_960
            $0.websocket.maxMessageSize = 1024
            $0.api.maxBody = 1024
        }
        let channel = try worker.client()
        try worker.send(#"{"type":"joinRoom","roomId":"r"}"#, to: channel)
        try channel.pipeline.syncOperations.addHandler(StuckTransport(), position: .first)
        let data = "\"" + String(repeating: "x", count: 10_000) + "\""
        for sequence in 1...5 {
            worker.deliver("r", data, sequence: UInt64(sequence))
            worker.loop.run()
        }
        #expect(channel.isActive && worker.engine.counters.slowClientsClosed == 0)
        worker.deliver("r", data, sequence: 6)
        worker.loop.run()
        #expect(worker.engine.counters.slowClientsClosed == 1)
        #expect(try worker.handler(channel).queuedBytes < 40_960)
        // Whatever it still sends, it is counted once.
        try worker.send(#"{"type":"nonsense"}"#, to: channel)
        worker.loop.run()
        #expect(channel.isActive && worker.engine.counters.slowClientsClosed == 1)
        worker.advance(.milliseconds(2_500))
        #expect(!channel.isActive)
    }

    @Test func closeWaitsForTheAnswerForABoundedTime() throws {
        let worker = WorkerHarness()
        let (polite, mute) = (try worker.client(), try worker.client())
        for channel in [polite, mute] { try worker.handler(channel).close(.policyViolation, reason: "kicked") }
        worker.loop.run()
        for channel in [polite, mute] { #expect(try channel.frames() == ["<close 1008 kicked>"]) }
        try polite.writeInbound(Frames.close(1008))
        worker.loop.run()
        #expect(!polite.isActive && mute.isActive)
        worker.advance(.milliseconds(2_500))
        #expect(!mute.isActive)
    }
}

/// A transport whose kernel buffer is full: the first write is never finished. It holds that one's bytes itself.
private final class StuckTransport: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer
    private var promises: [EventLoopPromise<Void>?] = []

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        promises.append(promise)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        for promise in promises { promise?.fail(ChannelError.ioOnClosedChannel) }
    }
}
