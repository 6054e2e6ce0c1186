import Model
import Realtime
import Testing

struct WorkerRealtimeTests {
    @Test func plainMembershipIsLocalAtOnceAndBounded() {
        var fixture = WorkerFixture(roomsPerClient: 2)
        #expect(fixture.joinPlain("a") == .accepted)
        #expect(fixture.joinPlain("a") == .done)
        #expect(fixture.joinPlain("b") == .accepted)
        #expect(fixture.joinPlain("c") == .refused(.tooManyRooms))
        #expect(fixture.worker.rooms.members(of: RoomName("a")) == [1])
        #expect(fixture.execute(.leave(RoomName("c"))) == .done)
        #expect(fixture.execute(.leave(RoomName("a"))) == .accepted)
        #expect(fixture.worker.rooms.members(of: RoomName("a")) == [])
        #expect(fixture.joinPlain("a", client: 99) == .refused(.unavailable))
    }

    @Test func nothingIsSentWithoutALink() {
        var fixture = WorkerFixture(clients: 1...1)
        _ = fixture.joinPlain("a")
        fixture.execute(.broadcast)
        #expect(!fixture.worker.hasUnsent)
        #expect(fixture.sent().isEmpty)
        #expect(fixture.worker.beginLink() == 3)
        #expect(fixture.worker.hasUnsent)
        #expect(fixture.sent().map(\.name) == ["connect", "plain a", "broadcast"])
        #expect(!fixture.worker.isUp)
        #expect(fixture.worker.welcomed(isLate: true) == false)
        #expect(fixture.worker.isUp)
        fixture.worker.linkLost()
        #expect(fixture.worker.beginLink() == 3)
        #expect(fixture.sent().map(\.name) == ["connect", "plain a", "broadcast"])
        #expect(fixture.worker.welcomed(isLate: false) == false)
        fixture.worker.linkLost()
        _ = fixture.worker.beginLink()
        #expect(fixture.worker.welcomed(isLate: true) == true)
    }

    @Test func answersComeWithTheAcknowledgement() {
        var fixture = WorkerFixture()
        fixture.bringUp()
        _ = fixture.joinPlain("a", request: "1")
        fixture.execute(.broadcast)
        fixture.execute(.direct(UserName("ada"), messageID: nil), request: "\"x\"")
        #expect(fixture.sent().map(\.wantsReply) == [false, false, false])
        let answers = fixture.acknowledge()
        #expect(answers.map(\.request.id?.json) == ["1", "\"x\""])
        #expect(answers.allSatisfy { $0.refusal == nil } == true)
        #expect(answers.first?.request.room == RoomName("a"))
        #expect(fixture.worker.heldCount == 0)
        #expect(fixture.worker.heldBytes == 0)
    }

    @Test func whatNeedsDataIsAnsweredByAReply() {
        var fixture = WorkerFixture()
        fixture.bringUp()
        let room = RoomName("hall")
        fixture.execute(.publish(room, messageID: MessageID("m")), request: "1", bytes: 5, includesSender: true)
        fixture.execute(.publish(room, messageID: nil), bytes: 5)
        fixture.execute(.history(room, HistoryQuery()), request: "2")
        fixture.execute(.presence(room, countOnly: true), request: "3")
        #expect(fixture.execute(.presence(room, countOnly: true)) == .done)
        #expect(fixture.execute(.ping, request: "4") == .done)
        #expect(fixture.execute(.call(type: "x", timeout: nil), request: "5") == .refused(.unknownType))
        let operations = fixture.sent()
        #expect(operations.map(\.name) == ["publish hall+", "publish hall", "history hall", "presence hall"])
        #expect(operations.map(\.wantsReply) == [true, false, true, true])
        let position = RoomPosition(epoch: WorkerFixture.epoch, offset: 8)
        let first = fixture.reply(.published(position: position, isRepetition: true), to: operations[0].sequence)
        #expect(first?.request.id?.json == "1")
        #expect(first?.reply == .published(position: position, isRepetition: true))
        #expect(fixture.reply(.published(position: position, isRepetition: true), to: operations[0].sequence) == nil)
        let refused = fixture.reply(.refused(ClientRefusal(.storageFailed)), to: operations[1].sequence)
        #expect(refused?.request.id == nil)
        #expect(refused?.request.command == .publish(room, messageID: nil))
        _ = fixture.reply(.presence(members: 3, clients: nil), to: operations[3].sequence)
        // The reply to the query was lost with a link: nobody knows.
        let answers = fixture.acknowledge()
        #expect(answers.map(\.request.id?.json) == ["2"])
        #expect(answers.first?.refusal == ClientRefusal(.unavailable))
    }

    @Test func repeatedPlainJoinIsAnsweredOnlyOnceTheFirstIsInForce() {
        var fixture = WorkerFixture()
        fixture.bringUp()
        _ = fixture.joinPlain("a")
        #expect(fixture.joinPlain("a", request: "2") == .accepted)
        #expect(fixture.sent().map(\.name) == ["plain a", "confirm"])
        fixture.acknowledge()
        #expect(fixture.joinPlain("a", request: "3") == .done)
        #expect(fixture.execute(.leave(RoomName("z")), request: "4") == .done)
    }

    @Test func withoutAHubEveryoneIsToldInTime() {
        var fixture = WorkerFixture(clients: 1...1)
        _ = fixture.joinPlain("a")
        _ = fixture.join("b", request: "0")
        fixture.execute(.publish(RoomName("a"), messageID: nil), request: "1")
        fixture.execute(.publish(RoomName("a"), messageID: nil))
        fixture.execute(.leave(RoomName("a")))
        #expect(fixture.execute(.typing(RoomName("a"), true)) == .done)
        #expect(fixture.execute(.read(RoomName("a"), offset: 1), request: "9") == .refused(.unavailable))
        fixture.now = .zero + .seconds(4)
        #expect(fixture.expire() == [])
        #expect(fixture.worker.nextDeadline == MonotonicTime.zero + .seconds(5))
        fixture.now = .zero + .seconds(5)
        #expect(fixture.expire() == [nil, "0", "1", nil])
        #expect(fixture.worker.nextDeadline == nil)
        #expect(!fixture.worker.isMember(1, of: RoomName("b")))
        _ = fixture.worker.beginLink()
        #expect(fixture.sent().map(\.name) == ["connect", "plain a", "leave a"])
    }

    @Test func sentPublicationIsReplayedThoughItsRequestRanOut() {
        var fixture = WorkerFixture()
        fixture.bringUp()
        fixture.execute(.publish(RoomName("a"), messageID: nil), request: "1")
        fixture.execute(.publish(RoomName("a"), messageID: nil))
        let operations = fixture.sent()
        fixture.worker.linkLost()
        fixture.now = .zero + .seconds(9)
        #expect(fixture.expire() == ["1"])
        _ = fixture.worker.beginLink()
        #expect(fixture.sent() == operations)
        #expect(fixture.reply(.published(position: nil, isRepetition: false), to: operations[0].sequence) == nil)
        #expect(fixture.acknowledge().isEmpty)
    }

    @Test func aboveTheBoundNewOperationsAreRefusedButNobodyIsKeptInARoom() {
        var fixture = WorkerFixture(heldBytes: 2000, clients: 1...1)
        let publish = ClientCommand.publish(RoomName("a"), messageID: nil)
        #expect(fixture.joinPlain("a") == .accepted)
        #expect(fixture.execute(publish, bytes: 1200) == .accepted)
        #expect(fixture.execute(publish, bytes: 1200) == .refused(.unavailable))
        #expect(fixture.execute(publish, bytes: 4000) == .refused(.unavailable))
        #expect(fixture.execute(.leave(RoomName("a"))) == .accepted)
    }

    /// The leaves are for the next hub, which does not know the rooms; before one that may return they would be told.
    @Test(arguments: [(true, ["disconnect?", "leave a", "leave b"]), (false, ["leave a", "leave b", "disconnect"])])
    func closedClientLeavesItsRooms(mayReturn: Bool, operations: [String]) {
        var fixture = WorkerFixture()
        _ = fixture.joinPlain("a")
        _ = fixture.join("b")
        var told: [String] = []
        for _ in 0..<2 {
            fixture.worker.disconnect(1, mayReturn: mayReturn, now: fixture.now) {
                told.append($0.name)
                return ($0, 30)
            }
        }
        #expect(told == operations)
        #expect(fixture.worker.rooms.count == 0)
        #expect(fixture.worker.clients.count == 2)
    }

    @Test func theRegistryIsToldOfClientsAndDecides() {
        var fixture = WorkerFixture(clients: 1...1)
        fixture.bringUp()
        let ada = WorkerFixture.registration(user: "ada")
        #expect(
            fixture.worker.identify(1, registration: ada, wantsReply: true, now: .zero) { ($0, 9) } == .accepted)
        let operations = fixture.sent()
        #expect(operations.first?.request == .identify(ada))
        #expect(fixture.worker.connections(of: UserName("ada")) == [1])
        fixture.now = .zero + .seconds(60)
        #expect(fixture.expire() == [])
        let answer = fixture.reply(.rejected(.tooManyForUser, reason: "x"), to: operations[0].sequence)
        #expect(answer?.request.purpose == .identify)
        #expect(answer?.request.client == 1)
        var snapshot: [UInt64: ClientRegistration] = [:]
        fixture.worker.forEachClient { snapshot[$0] = $1 }
        // The connection ends; until then the hub knows it as it was.
        #expect(snapshot == [1: WorkerFixture.registration(user: nil)])
    }

    @Test func aLostVerdictAboutAnAdmittedConnectionIsNotAskedForAgain() {
        var fixture = WorkerFixture(clients: 1...1)
        fixture.bringUp()
        _ = fixture.worker.connect(
            2, member: 2, registration: WorkerFixture.registration(user: nil), wantsReply: true, now: .zero
        ) { ($0, 9) }
        _ = fixture.sent()
        fixture.worker.registrationHolds(2)
        let answers = fixture.acknowledge()
        #expect(answers.map(\.request.purpose) == [.connect])
        #expect(answers.first?.refusal == nil)
    }

    @Test func backendCallsAreAnsweredByTicket() {
        var fixture = WorkerFixture()
        fixture.bringUp()
        #expect(fixture.worker.callBackend(ticket: 7, payloadBytes: 10, now: .zero) { ($0, 9) } == true)
        #expect(fixture.worker.callBackend(ticket: 8, payloadBytes: 10, now: .zero) { ($0, 9) } == true)
        let operations = fixture.sent()
        #expect(operations.map(\.client) == [0, 0])
        let answer = fixture.reply(.backend([1]), to: operations[0].sequence)
        #expect(answer?.request.purpose == .backend(ticket: 7))
        fixture.now = .zero + .seconds(5)
        var expired: [PendingRequest.Purpose] = []
        fixture.worker.expire(now: fixture.now, encode: { ($0, 9) }) { expired.append($0.purpose) }
        #expect(expired == [.backend(ticket: 8)])
    }

    @Test func deliveriesFindTheirReceivers() {
        var fixture = WorkerFixture(clients: 1...1)
        fixture.connect(4, user: "ada")
        fixture.connect(5, user: "ada")
        fixture.bringUp()
        _ = fixture.joinPlain("a", client: 1)
        _ = fixture.joinPlain("a", client: 4)
        var delivery = HubDelivery(
            origin: BootID(rawValue: 1), sequence: 1, kind: .message,
            subject: ClientID(boot: BootID(rawValue: 1), serial: 4), room: RoomName("a"))
        #expect(fixture.worker.receive(delivery, bytes: 10, now: .zero)?.excluded == 4)
        #expect(fixture.worker.receive(delivery, bytes: 10, now: .zero)?.members == nil)
        delivery.sequence = 2
        delivery.includesSubject = true
        #expect(fixture.worker.receive(delivery, bytes: 10, now: .zero)?.excluded == 0)
        delivery.sequence = 3
        delivery.kind = .direct
        delivery.room = RoomName("ada")
        #expect(fixture.worker.receive(delivery, bytes: 10, now: .zero)?.members == [4, 5])
        delivery.sequence = 4
        delivery.kind = .broadcast
        #expect(fixture.worker.receive(delivery, bytes: 10, now: .zero)?.isEveryone == true)
        delivery.sequence = 5
        delivery.kind = .message
        #expect(fixture.worker.receive(delivery, bytes: 10, now: .zero)?.members == nil)
        let traffic = fixture.worker.rooms.traffic(of: RoomName("a"))
        #expect(traffic?.messages == 2)
        #expect(traffic?.bytes == 20)
        #expect(traffic?.deliveries == 4)
    }
}
