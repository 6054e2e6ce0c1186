import Model
import NIOCore
import NIOEmbedded
import Realtime
import Testing
import Wire

@testable import Worker

@Suite struct RecoveryTests {
    static let epoch = V1ConnectionTests.epoch
    static let room = RoomName("r")

    func position(_ offset: UInt64) -> RoomPosition { RoomPosition(epoch: Self.epoch, offset: offset) }

    func worker(_ change: (inout WsdConfiguration) -> Void = { _ in }) -> WorkerHarness {
        let worker = WorkerHarness {
            $0.rooms.defaults.historySize = 1000
            change(&$0)
        }
        worker.connectHub()
        return worker
    }

    func result(_ entries: ClosedRange<UInt64>?, head: UInt64, isPartial: Bool = false) -> JoinResult {
        var result = JoinResult(room: Self.room)
        result.position = position(head)
        result.recovery = .recovered
        result.missed = entries.map { $0.map { HistoryEntry($0, "\($0)") } } ?? []
        result.isPartial = isPartial
        return result
    }

    func resume(_ worker: WorkerHarness, _ channel: EmbeddedChannel, room: String = "r", since: UInt64) throws {
        try worker.send(
            #"{"type":"join","room":"\#(room)","since":{"epoch":"\#(Self.epoch)","offset":\#(since)},"requestId":1}"#,
            to: channel)
    }

    @Test func theReplyComesFirstThenWhatWasMissedThenTheLive() throws {
        let worker = worker()
        let channel = try worker.v1()
        _ = try worker.operations()
        try resume(worker, channel, since: 3)
        let taken = try #require(try worker.operations().last)
        worker.deliver("r", "5", at: position(5))
        worker.reply(taken.sequence, .joined(result(4...5, head: 5)))
        worker.deliver("r", "5", at: position(5))
        worker.deliver("r", "6", at: position(6))
        worker.loop.run()
        let frames = try channel.frames()
        #expect(frames.count == 3)
        #expect(frames[0].contains(#""recovered":true"#) && frames[0].contains(#""requestId":1"#))
        #expect(frames[1].hasPrefix("[") && frames[1].contains(#""offset":4"#) && frames[1].contains(#""offset":5"#))
        #expect(frames[2].contains(#""offset":6"#))
        #expect(worker.engine.counters.resumed == 1 && worker.engine.counters.reconnects == 1)
    }

    @Test func failureIsToldWithItsReason() throws {
        let worker = worker()
        let channel = try worker.v1()
        _ = try worker.operations()
        var failed = result(nil, head: 50)
        failed.recovery = .failed(.expired)
        try resume(worker, channel, since: 3)
        worker.reply(try #require(try worker.operations().last).sequence, .joined(failed))
        worker.loop.run()
        let frames = try channel.frames()
        #expect(frames.count == 1)
        #expect(frames[0].contains(#""recovered":false"#) && frames[0].contains(#""reason":"expired""#))
        #expect(worker.engine.counters.notResumed == 1)
    }

    @Test func pagesFollowAsTheClientReads() throws {
        let worker = worker {
            $0.websocket.outboundQueue = 4096
            $0.websocket.maxMessageSize = 1024
            $0.api.maxBody = 1024
        }
        let channel = try worker.v1()
        _ = try worker.operations()
        let transport = PacedTransport()
        try channel.pipeline.syncOperations.addHandler(transport, position: .first)
        try resume(worker, channel, since: 0)
        let first = try #require(try worker.operations().last)
        worker.reply(first.sequence, .joined(result(1...300, head: 750, isPartial: true)))
        worker.loop.run()
        // More than the queue's bound waits, but it was asked for; the next page is not yet.
        #expect(try worker.handler(channel).handedOver > 17_408)
        #expect(try worker.operations().isEmpty && channel.isActive)
        transport.release()
        worker.loop.run()
        let second = try #require(try worker.operations().last)
        guard case .join(Self.room, let options) = second.request, options.since == position(300) else {
            Issue.record("\(second.request)")
            return
        }
        worker.reply(second.sequence, .joined(result(301...750, head: 750)))
        worker.deliver("r", "751", at: position(751))
        transport.release()
        worker.loop.run()
        transport.release()
        worker.loop.run()
        let frames = transport.written.flatMap(Frames.read)
        #expect(frames.filter { $0.contains("requestId") }.count == 1)
        let offsets = frames.flatMap {
            $0.split(separator: #""offset":"#).dropFirst().map { $0.prefix { $0.isNumber } }
        }
        // The reply's own, then all of them.
        #expect(offsets.dropFirst().map { String($0) } == (1...751).map { String($0) })
        #expect(worker.engine.counters.slowClientsClosed == 0)
        #expect(try worker.handler(channel).backlog == nil)
    }

    @Test func aLaterPageThatIsGoneIsAGap() throws {
        let worker = worker()
        let channel = try worker.v1()
        _ = try worker.operations()
        try resume(worker, channel, since: 0)
        worker.reply(
            try #require(try worker.operations().last).sequence, .joined(result(1...3, head: 9, isPartial: true)))
        worker.loop.run()
        _ = try channel.frames()
        var failed = result(nil, head: 90)
        failed.recovery = .failed(.expired)
        worker.reply(try #require(try worker.operations().last).sequence, .joined(failed))
        worker.deliver("r", "91", at: position(91))
        worker.loop.run()
        let frames = try channel.frames()
        #expect(frames.count == 2 && frames[0].contains(#""type":"gap""#) && frames[1].contains(#""offset":91"#))
    }

    @Test func onlyAFewRoomsAreResumedAtATime() throws {
        let worker = worker()
        let channel = try worker.v1()
        _ = try worker.operations()
        for number in 1...6 { try resume(worker, channel, room: "r\(number)", since: 0) }
        let first = try worker.operations()
        #expect(first.count == Backlog.maxQuestions)
        #expect(try worker.handler(channel).core.isSuspended)
        var rooms: [String] = []
        var waiting = first
        while let next = waiting.first {
            waiting.removeFirst()
            guard case .join(let room, _) = next.request else { continue }
            rooms.append(room.text)
            var done = result(1...2, head: 2)
            done.room = room
            worker.reply(next.sequence, .joined(done))
            worker.loop.run()
            waiting += try worker.operations()
        }
        #expect(rooms == (1...6).map { "r\($0)" })
        #expect(worker.engine.counters.resumed == 6)
        #expect(try worker.handler(channel).backlog == nil)
    }

    @Test func leavingEndsIt() throws {
        let worker = worker()
        let channel = try worker.v1()
        _ = try worker.operations()
        try resume(worker, channel, since: 0)
        let join = try #require(try worker.operations().last)
        try worker.send(#"{"type":"leave","room":"r"}"#, to: channel)
        worker.reply(join.sequence, .joined(result(1...3, head: 9, isPartial: true)))
        worker.loop.run()
        #expect(try worker.operations().map(\.request) == [.leave(Self.room)])
        #expect(try worker.handler(channel).backlog == nil)
        let frames = try channel.frames()
        #expect(frames.count == 1 && frames[0].contains(#""requestId":1"#))
    }

    @Test func theHubsSilenceEndsItToo() throws {
        let worker = worker()
        let channel = try worker.v1()
        try resume(worker, channel, since: 0)
        worker.advance(.seconds(6))
        #expect(try channel.frames().filter { $0.contains("unavailable") }.count == 1)
        #expect(try worker.handler(channel).backlog == nil)
    }
}
