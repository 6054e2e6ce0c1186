import Model
import NIOCore
import NIOEmbedded
import Realtime
import Testing
import WebSocketProtocol
import Wire

@testable import Worker

@Suite struct V1ConnectionTests {
    static let epoch = RoomEpoch(rawValue: 77)

    @Test func isChosenInTheHandshakeAndGreets() throws {
        let worker = WorkerHarness()
        let channel = try worker.accept()
        try channel.writeInbound(worker.request("/ws", "Sec-WebSocket-Protocol: other, wsd.v1.json\r\n"))
        worker.loop.run()
        let writes = try channel.writes()
        #expect(writes.count == 1)
        let text = String(buffer: writes[0])
        #expect(text.contains("Sec-WebSocket-Protocol: wsd.v1.json\r\n"))
        let core = try worker.handler(channel).core
        #expect(core.purpose == .v1 && core.session.session.rawValue > 0)
        #expect(text.contains(#""type":"connected""#))
        #expect(text.contains(#""session":"\#(core.session.session)""#))
        #expect(text.contains(#""messagesPerSecond":10"#))
    }

    @Test func carriesOutABatchInOrder() throws {
        let worker = WorkerHarness()
        worker.connectHub()
        let channel = try worker.v1()
        _ = try worker.operations()
        try worker.send(
            """
            [{"type":"ping","requestId":1},{"type":"publish","room":"a","data":1},{"type":"nonsense"},
             {"type":"publish","room":"b","data":2,"messageId":"m"},{"type":"broadcast","data":3}]
            """, to: channel)
        worker.loop.run()
        let operations = try worker.operations()
        #expect(
            operations.map(\.request) == [
                .publish(RoomName("a"), nil, includesSender: true),
                .publish(RoomName("b"), MessageID("m"), includesSender: true), .broadcast,
            ])
        #expect(operations.map(\.data) == ["1", "2", "3"])
        let frames = try channel.frames()
        #expect(frames.count == 2)
        #expect(frames[0].contains(#""requestId":1"#) && frames[0].contains(#""time":"#))
        #expect(frames[1].contains(#""code":"unknown_type""#))
    }

    @Test func answersAsTheHubDoes() throws {
        let worker = WorkerHarness { $0.rooms.defaults.historySize = 10 }
        worker.connectHub()
        let channel = try worker.v1()
        _ = try worker.operations()
        let room = RoomName("r")
        let position = RoomPosition(epoch: Self.epoch, offset: 4)
        let requests: [(String, HubReply, String)] = [
            (
                #""type":"publish","room":"r","data":1"#, .published(position: position, isRepetition: true),
                #""duplicate":true"#
            ),
            (
                #""type":"history","room":"r""#,
                .history(HistoryPage(room: room, position: position, entries: [], hasMore: false)), #""more":false"#
            ),
            (#""type":"presenceCount","room":"r""#, .presence(members: 12, clients: nil), #""members":12"#),
            (#""type":"presence","room":"r""#, .refused(ClientRefusal(.unavailable)), #""code":"unavailable""#),
        ]
        for (index, (command, answer, expected)) in requests.enumerated() {
            try worker.send("{\(command),\"requestId\":\(index)}", to: channel)
            let taken = try #require(try worker.operations().last)
            #expect(taken.operation.wantsReply)
            worker.reply(taken.sequence, answer)
            worker.loop.run()
            let frames = try channel.frames()
            #expect(frames.count == 1 && frames[0].contains("\"requestId\":\(index)") && frames[0].contains(expected))
        }
        #expect(try worker.handler(channel).core.session.unanswered == 0)
        #expect(worker.engine.currentCounters().errorsByCode == ["unavailable": 1])
    }

    @Test func theAcknowledgementIsEnoughWithoutHistory() throws {
        let worker = WorkerHarness()
        worker.connectHub()
        let channel = try worker.v1()
        try worker.send(#"{"type":"publish","room":"r","data":1,"requestId":"x"}"#, to: channel)
        let taken = try #require(try worker.operations().last)
        #expect(!taken.operation.wantsReply)
        worker.loop.run()
        #expect(try channel.frames() == [])
        worker.acknowledge(taken.sequence)
        worker.loop.run()
        let frames = try channel.frames()
        #expect(frames.count == 1 && frames[0].contains(#""requestId":"x""#) && frames[0].contains(#""room":"r""#))
    }

    @Test func bothDialectsShareARoom() throws {
        let worker = WorkerHarness()
        worker.connectHub()
        let (simple, v1) = (try worker.client(), try worker.v1())
        try worker.send(#"{"type":"joinRoom","roomId":"r"}"#, to: simple)
        try worker.join("r", v1)
        worker.deliver("r", #"{"a": 1}"#, sequence: 1)
        worker.loop.run()
        #expect(try simple.frames() == [#"{"a": 1}"#])
        let seen = try v1.frames()
        #expect(seen.count == 1 && seen[0].contains(#""type":"message""#) && seen[0].contains(#""data":{"a": 1}"#))
        // Typing is nothing that the simple dialect knows.
        var typing = HubDelivery(
            origin: BootID(rawValue: 99), sequence: 2, kind: .typingStarted,
            subject: ClientID(boot: BootID(rawValue: 99), serial: 1), room: RoomName("r"))
        typing.user = UserName("ada")
        worker.engine.deliver(typing, payload: ByteBuffer())
        worker.loop.run()
        #expect(try simple.frames() == [])
        #expect(try v1.frames().first?.contains(#""type":"typing""#) == true)
    }

    @Test func thePublisherGetsItsOwnMessageOnlyWhereAsked() throws {
        let worker = WorkerHarness()
        worker.connectHub()
        let channel = try worker.v1()
        try worker.join("r", channel)
        let own = try worker.handler(channel).core.session.id
        worker.deliver("r", "1", sequence: 1, from: own)
        var delivery = HubDelivery(
            origin: BootID(rawValue: 99), sequence: 2, kind: .message, subject: own, room: RoomName("r"))
        delivery.includesSubject = true
        worker.engine.deliver(delivery, payload: ByteBuffer(string: "2"))
        worker.loop.run()
        let frames = try channel.frames()
        #expect(frames.count == 1 && frames[0].contains(#""data":2"#))
    }

    @Test func binaryIsNotTaken() throws {
        let worker = WorkerHarness()
        let channel = try worker.v1()
        var frame = ByteBuffer()
        Frames.write(.binary, ByteBuffer(string: "{}"), into: &frame)
        try channel.writeInbound(frame)
        worker.loop.run()
        #expect(try channel.frames().first?.contains("unsupported_data") == true)
        #expect(channel.isActive)
    }

    @Test func tellsWhenToComeBack() throws {
        let worker = WorkerHarness()
        let (simple, v1) = (try worker.client(), try worker.v1())
        worker.engine.beginDrain(code: .serviceRestart, spread: .zero, deadline: .seconds(30))
        worker.loop.run()
        #expect(try simple.frames() == ["<close 1012 restart>"])
        let frames = try v1.frames()
        #expect(frames.count == 2 && frames[1] == "<close 1012 restart>")
        #expect(frames[0].contains(#""type":"reconnect""#) && frames[0].contains(#""code":1012"#))
    }

    @Test func limitsTheRateAndClosesWhoGoesOn() throws {
        let worker = WorkerHarness {
            $0.limits.messageRate = RateLimit(perSecond: 10, burst: 2)
            $0.limits.abuseThreshold = 3
        }
        let channel = try worker.v1()
        for number in 1...5 { try worker.send(#"{"type":"ping","requestId":\#(number)}"#, to: channel) }
        worker.loop.run()
        let frames = try channel.frames()
        #expect(frames.count == 5)
        #expect(frames[2].contains("rate_limited") && frames[2].contains(#""retryAfter":"#))
        #expect(frames[2].contains(#""temporary":true"#))
        try worker.send(#"{"type":"ping","requestId":6}"#, to: channel)
        worker.loop.run()
        #expect(try channel.frames() == ["<close 4007 rate limit exceeded>"])
        #expect(worker.engine.counters.rateLimited == 4)
    }

    @Test func aPauseEarnsTokensBack() throws {
        let worker = WorkerHarness { $0.limits.messageRate = RateLimit(perSecond: 10, burst: 1) }
        let channel = try worker.client()
        for _ in 0..<3 {
            try worker.send(#"{"type":"joinRoom","roomId":"r"}"#, to: channel)
            // Finer than the worker's coarse clock.
            worker.time.now += .milliseconds(101)
        }
        #expect(worker.engine.counters.rateLimited == 0)
    }
}
