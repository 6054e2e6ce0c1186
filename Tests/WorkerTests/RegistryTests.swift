import Model
import NIOCore
import NIOEmbedded
import Realtime
import Testing
import WebSocketProtocol
import Webhooks
import Wire

@testable import Worker

/// What the hub and the application are told of connections, and what the hub's commands do to them.
@Suite struct RegistryTests {
    @Test func everyClientButTheEchoIsRegistered() throws {
        let worker = WorkerHarness()
        worker.connectHub()
        let simple = try worker.client("/ws", "Origin: http://x\r\n")
        _ = try worker.client("/wsd/echo")
        let taken = try worker.operations()
        guard case .connect(let registration)? = taken.first?.request, taken.count == 1 else {
            Issue.record("not registered once")
            return
        }
        #expect(registration.addressKey == "192.0.2.1" && registration.origin == "http://x")
        #expect(registration.session == (try worker.handler(simple).core.session.session))
        simple.close(promise: nil)
        worker.loop.run()
        #expect(try worker.operations().map(\.request) == [.disconnect(mayReturn: false)])
    }

    enum End: CaseIterable {
        case broken, closedByClient, closedWithoutCode, kicked, drained
    }

    @Test(arguments: End.allCases, [true, false])
    func saysWhoMayReturn(_ end: End, isV1: Bool) throws {
        let worker = WorkerHarness()
        worker.connectHub()
        let channel = try isV1 ? worker.v1() : worker.client()
        _ = try worker.operations()
        switch end {
        case .broken:
            channel.close(promise: nil)
        case .closedByClient:
            try channel.writeInbound(Frames.close(1000))
        case .closedWithoutCode:
            var frame = ByteBuffer()
            Frames.write(.close, ByteBuffer(), into: &frame)
            try channel.writeInbound(frame)
        case .kicked:
            try worker.handler(channel).close(.policyViolation, reason: "")
            try channel.writeInbound(Frames.close(1008))
        case .drained:
            try worker.handler(channel).close(.serviceRestart, reason: "")
            try channel.writeInbound(Frames.close(1012))
        }
        worker.loop.run()
        let mayReturn = isV1 && (end == .broken || end == .drained)
        #expect(try worker.operations().map(\.request) == [.disconnect(mayReturn: mayReturn)])
    }

    @Test func theHubsCommandsAreCarriedOut() throws {
        let worker = WorkerHarness()
        worker.connectHub()
        let (simple, v1) = (try worker.client(), try worker.v1())
        let serials = try [simple, v1].map { try worker.handler($0).serial }
        _ = try worker.operations()
        for serial in serials { worker.engine.commanded(.subscribe(client: serial, RoomName("r"))) }
        let joins = try worker.operations()
        #expect(joins.count == 2)
        var result = JoinResult(room: RoomName("r"))
        result.position = RoomPosition(epoch: V1ConnectionTests.epoch, offset: 3)
        worker.acknowledge(joins[0].sequence)
        worker.reply(joins[1].sequence, .joined(result))
        worker.loop.run()
        #expect(try simple.frames() == [])
        let joined = try v1.frames()
        #expect(joined.count == 1 && joined[0].contains(#""type":"joined""#) && joined[0].contains(#""offset":3"#))
        #expect(worker.engine.realtime.rooms.members(of: RoomName("r")).count == 2)

        for serial in serials { worker.engine.commanded(.unsubscribe(client: serial, RoomName("r"))) }
        worker.loop.run()
        #expect(try v1.frames().first?.contains(#""type":"left""#) == true)
        #expect(worker.engine.realtime.rooms.count == 0)

        worker.engine.commanded(.close(client: serials[1], .replaced, reason: "replaced by a newer connection"))
        worker.loop.run()
        #expect(try v1.frames() == ["<close 4004 replaced by a newer connection>"])
        #expect(try simple.frames() == [])
    }

    @Test func lostDeliveriesCloseMembersOfRoomsWithoutHistoryOnly() throws {
        let worker = WorkerHarness()
        worker.connectHub()
        let (lossy, safe) = (try worker.v1(), try worker.v1())
        try worker.join("a", lossy)
        try worker.join("b", safe, position: RoomPosition(epoch: V1ConnectionTests.epoch, offset: 1))
        worker.engine.closeLosingMembers()
        worker.loop.run()
        let frames = try lossy.frames()
        #expect(frames.count == 2 && frames[0].contains("reconnect") && frames[1] == "<close 1013 messages were lost>")
        #expect(try safe.frames() == [])
        #expect(worker.engine.counters.lossClosed == 1)
    }

    @Test func membersThatMissedSomethingAreToldOrClosed() throws {
        let worker = WorkerHarness()
        worker.connectHub()
        let (simple, v1) = (try worker.client(), try worker.v1())
        try worker.send(#"{"type":"joinRoom","roomId":"r"}"#, to: simple)
        try worker.join("r", v1, position: RoomPosition(epoch: V1ConnectionTests.epoch, offset: 1))
        worker.engine.commanded(.membersMissed(RoomName("r")))
        worker.deliver("r", "9", at: RoomPosition(epoch: V1ConnectionTests.epoch, offset: 9))
        worker.loop.run()
        #expect(try simple.frames() == ["<close 1013 messages were lost>"])
        let frames = try v1.frames()
        #expect(frames.count == 2 && frames[0].contains(#""type":"gap""#) && frames[1].contains(#""offset":9"#))
        #expect(worker.engine.counters.gaps == 1)
    }

    @Test func theApplicationHearsOfEnds() throws {
        let fake = FakeApplication()
        let worker = WorkerHarness(application: fake.application([.disconnect, .roomEmpty]))
        let channel = try worker.client()
        let id = try worker.handler(channel).core.session.id
        channel.close(promise: nil)
        worker.loop.run()
        worker.engine.commanded(.roomEmpty(RoomName("r")))
        guard fake.events.count == 2, case .disconnect(id, user: nil) = fake.events[0],
            case .roomEmpty(RoomName("r")) = fake.events[1]
        else {
            Issue.record("\(fake.events)")
            return
        }
    }

    @Test func messagesToAUserReachAllOfItsConnections() throws {
        let fake = FakeApplication()
        let worker = WorkerHarness(application: fake.application([.connect]))
        worker.connectHub()
        let users = ["ada", "ada", "bob"]
        let channels = try users.map { user in
            let channel = try worker.v1()
            fake.answer(user: user)
            worker.loop.run()
            #expect(try channel.frames().first?.contains(#""user":"\#(user)""#) == true)
            return channel
        }
        let delivery = HubDelivery(
            origin: BootID(rawValue: 99), sequence: 1, kind: .direct,
            subject: try worker.handler(channels[2]).core.session.id, room: RoomName("ada"))
        worker.engine.deliver(delivery, payload: ByteBuffer(string: "1"))
        worker.loop.run()
        #expect(try channels.map { try $0.frames().count } == [1, 1, 0])
        var found = 0
        worker.engine.answer(.clients(ClientFilter(user: "ada"))) { page, _ in
            if case .clients(let clients) = page { found += clients.count { $0.user == "ada" } }
        }
        #expect(found == 2 && worker.engine.currentCounters().users == 2)
    }
}

extension RegistryTests {
    @Test func nothingIsKeptTwiceOfWhoIsSettled() throws {
        let worker = WorkerHarness()
        worker.connectHub()
        let channel = try worker.v1()
        let serial = try worker.handler(channel).serial
        #expect(worker.engine.admission.count == 0)
        // It can be recalled: a later word of the hub counts.
        worker.engine.admission.hubReplied(.rejected(.tooManyConnections, reason: "too many"), serial: serial)
        worker.loop.run()
        #expect(try channel.frames() == ["<close 4006 too many>"])
        #expect(worker.engine.admission.count == 0)
    }

    @Test func whereNoTokenCanBeCheckedNoneIsGood() throws {
        let worker = WorkerHarness()
        let channel = try worker.v1()
        try worker.send(#"{"type":"auth","token":"t","requestId":1}"#, to: channel)
        worker.loop.run()
        let frames = try channel.frames()
        #expect(frames.count == 2 && frames[0].contains("invalid_token") && frames[1].hasPrefix("<close 4001"))
    }
}
