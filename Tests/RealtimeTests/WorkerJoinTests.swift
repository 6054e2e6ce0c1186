import Model
import Realtime
import Testing

/// Joins that wait for the hub's reply.
struct WorkerJoinTests {
    private func fixture() -> WorkerFixture {
        var fixture = WorkerFixture()
        fixture.bringUp()
        return fixture
    }

    @Test func aPendingMemberGetsNothingUntilTheReply() {
        var fixture = fixture()
        #expect(fixture.join("hall", since: 3) == .accepted)
        let operation = fixture.sent()[0]
        #expect(operation.wantsReply)
        #expect(fixture.worker.isMember(1, of: RoomName("hall")))
        #expect(fixture.deliver("hall", offset: 4) == nil)
        var snapshot: [String] = []
        fixture.worker.forEachRoom { room, _ in snapshot.append(room.text) }
        #expect(snapshot == [])
        let answer = fixture.reply(WorkerFixture.joined("hall", at: 5, missed: 4...5), to: operation.sequence)
        #expect(answer?.membership == .began)
        #expect(answer?.request.id?.json == "j")
        #expect(fixture.deliver("hall", offset: 5) == nil)
        #expect(fixture.deliver("hall", offset: 6) == [1])
        #expect(fixture.acknowledge().isEmpty)
        var positions: [String: UInt64] = [:]
        fixture.worker.forEachPosition { positions[$0.text] = $1.offset }
        #expect(positions == ["hall": 6])
    }

    @Test func pendingRoomsCount() {
        var fixture = fixture()
        for room in ["h1", "h2", "h3"] { #expect(fixture.join(room) == .accepted) }
        #expect(fixture.join("h4") == .refused(.tooManyRooms))
        #expect(fixture.join("h3", since: 1) == .accepted)
        let sequence = fixture.sent()[0].sequence
        #expect(fixture.reply(.refused(ClientRefusal(.unavailable)), to: sequence)?.membership == .ended)
        #expect(fixture.join("h4") == .accepted)
    }

    @Test func pagesFollowUntilTheJoinIsComplete() {
        var fixture = fixture()
        _ = fixture.join("hall", since: 0)
        let room = RoomName("hall")
        let first = fixture.sent()[0].sequence
        let answer = fixture.reply(
            WorkerFixture.joined("hall", at: 50, missed: 1...10, isPartial: true), to: first)
        let next = RoomPosition(epoch: WorkerFixture.epoch, offset: 10)
        #expect(answer?.membership == .partial(next))
        #expect(fixture.deliver("hall", offset: 51) == nil)
        #expect(fixture.acknowledge().isEmpty)
        #expect(fixture.worker.continueJoin(1, room: room, from: next, now: fixture.now) { ($0, 30) } == true)
        #expect(fixture.worker.continueJoin(1, room: room, from: next, now: fixture.now) { ($0, 30) } == false)
        // However long the hub takes.
        fixture.now = .zero + .seconds(100)
        #expect(fixture.expire() == [])
        let operation = fixture.sent()[0]
        var options = JoinOptions()
        options.since = next
        #expect(operation.request == .join(room, options))
        let last = fixture.reply(WorkerFixture.joined("hall", at: 51, missed: 11...51), to: operation.sequence)
        #expect(last?.membership == .began)
        #expect(last?.request.id == nil)
        #expect(last?.request.purpose == .continuation(room, options))
        #expect(fixture.deliver("hall", offset: 52) == [1])
    }

    @Test func leavingOrClosingWhilePendingEndsIt() {
        var fixture = fixture()
        _ = fixture.join("hall", client: 1, since: 1)
        _ = fixture.join("hall", client: 2)
        #expect(fixture.execute(.leave(RoomName("hall")), request: "l") == .accepted)
        fixture.worker.disconnect(2, mayReturn: false, now: .zero) { ($0, 30) }
        let operations = fixture.sent()
        #expect(operations.map(\.name) == ["join hall", "join hall", "leave hall", "leave hall", "disconnect"])
        let answer = fixture.reply(WorkerFixture.joined("hall", at: 9, missed: 2...9), to: operations[0].sequence)
        #expect(answer?.membership == .withdrawn)
        guard case .joined(let result)? = answer?.reply else { return #expect(Bool(false)) }
        #expect(result.missed.isEmpty)
        #expect(result.recovery == .notAsked)
        let gone = fixture.reply(WorkerFixture.joined("hall", at: 9), to: operations[1].sequence)
        #expect(gone?.membership == .withdrawn)
        #expect(fixture.acknowledge().map(\.request.id?.json) == ["l"])
        #expect(fixture.worker.rooms.count == 0)
    }

    @Test func askingAgainWithoutSinceChangesNothing() {
        var fixture = fixture()
        _ = fixture.join("hall", request: "1")
        _ = fixture.join("hall", request: "2")
        let first = fixture.sent().map(\.sequence)
        #expect(fixture.reply(WorkerFixture.joined("hall", at: 3), to: first[0])?.membership == .began)
        #expect(fixture.reply(WorkerFixture.joined("hall", at: 3), to: first[1])?.membership == .unchanged)
        _ = fixture.join("hall", request: "3")
        #expect(fixture.deliver("hall", offset: 4) == [1])
        let again = fixture.sent()[0].sequence
        #expect(fixture.reply(.refused(ClientRefusal(.rateLimited)), to: again)?.membership == .unchanged)
        #expect(fixture.deliver("hall", offset: 5) == [1])
    }

    @Test func aMemberThatAsksWithSinceIsServedFromThere() {
        var fixture = fixture()
        _ = fixture.join("hall", client: 2)
        _ = fixture.join("hall")
        for operation in fixture.sent() {
            _ = fixture.reply(WorkerFixture.joined("hall", at: 3), to: operation.sequence)
        }
        _ = fixture.join("hall", since: 1)
        #expect(fixture.deliver("hall", offset: 4) == [2])
        let sequence = fixture.sent()[0].sequence
        let answer = fixture.reply(WorkerFixture.joined("hall", at: 4, missed: 2...4), to: sequence)
        #expect(answer?.membership == .began)
        #expect(fixture.deliver("hall", offset: 5) == [1, 2])
        // A failure ends it, and the hub is told.
        _ = fixture.join("hall", since: 1)
        let failing = fixture.sent()[0].sequence
        #expect(fixture.reply(.refused(ClientRefusal(.unavailable)), to: failing)?.membership == .ended)
        #expect(fixture.sent().map(\.name) == ["leave hall"])
        #expect(fixture.deliver("hall", offset: 6) == [2])
    }

    @Test func theLatestOfSeveralJoinsCounts() {
        var fixture = fixture()
        _ = fixture.join("hall", since: 1, request: "1")
        _ = fixture.join("hall", since: 2, request: "2")
        let sequences = fixture.sent().map(\.sequence)
        #expect(
            fixture.reply(WorkerFixture.joined("hall", at: 4, missed: 2...4), to: sequences[0])?.membership
                == .withdrawn)
        #expect(fixture.deliver("hall", offset: 5) == nil)
        let answer = fixture.reply(WorkerFixture.joined("hall", at: 5, missed: 3...5), to: sequences[1])
        #expect(answer?.membership == .began)
        #expect(fixture.deliver("hall", offset: 6) == [1])
    }

    @Test func anExpiredJoinIsFollowedByALeave() {
        var fixture = fixture()
        _ = fixture.join("hall", request: "1")
        let sequence = fixture.sent()[0].sequence
        fixture.now = .zero + .seconds(5)
        #expect(fixture.expire() == ["1"])
        #expect(!fixture.worker.isMember(1, of: RoomName("hall")))
        #expect(fixture.reply(WorkerFixture.joined("hall", at: 3), to: sequence) == nil)
        #expect(fixture.sent().map(\.name) == ["leave hall"])
        #expect(fixture.deliver("hall", offset: 4) == nil)
        #expect(fixture.join("hall", request: "2") == .accepted)
    }

    @Test func aLostAnswerIsAskedForAgain() {
        var fixture = fixture()
        _ = fixture.join("hall", since: 2, request: "1")
        let operation = fixture.sent()[0]
        // The hub carried it out and the link broke; its successor on the same hub acknowledges without a reply.
        #expect(fixture.acknowledge().isEmpty)
        let again = fixture.sent()[0]
        #expect(again.request == operation.request)
        #expect(again.sequence > operation.sequence)
        let answer = fixture.reply(WorkerFixture.joined("hall", at: 3, missed: 3...3), to: again.sequence)
        #expect(answer?.membership == .began)
        #expect(answer?.request.id?.json == "1")
    }

    @Test func repetitionsAreBounded() {
        var fixture = fixture()
        _ = fixture.join("hall", request: "1")
        var answers: [(request: PendingRequest, refusal: ClientRefusal?)] = []
        var names: [String] = []
        for _ in 0..<6 {
            names += fixture.sent().map(\.name)
            answers += fixture.acknowledge()
        }
        #expect(names == ["join hall", "join hall", "join hall", "join hall", "leave hall"])
        #expect(answers.map(\.request.id?.json) == ["1"])
        #expect(answers.first?.refusal == ClientRefusal(.unavailable))
        #expect(!fixture.worker.isMember(1, of: RoomName("hall")))
    }

    @Test func theBackendMakesMembers() {
        var fixture = fixture()
        let room = RoomName("hall")
        #expect(fixture.worker.subscribe(1, to: room, isPlain: false, now: .zero) { ($0, 30) } == .accepted)
        #expect(fixture.worker.subscribe(1, to: room, isPlain: false, now: .zero) { ($0, 30) } == .done)
        let sequence = fixture.sent()[0].sequence
        fixture.now = .zero + .seconds(60)
        #expect(fixture.expire() == [])
        let answer = fixture.reply(WorkerFixture.joined("hall", at: 3), to: sequence)
        #expect(answer?.membership == .began)
        #expect(answer?.request.purpose == .subscription(room, JoinOptions()))
        #expect(fixture.worker.subscribe(2, to: room, isPlain: true, now: .zero) { ($0, 30) } == .accepted)
        #expect(fixture.worker.unsubscribe(1, from: room, now: .zero) { ($0, 30) } == true)
        #expect(fixture.worker.unsubscribe(1, from: room, now: .zero) { ($0, 30) } == false)
        #expect(fixture.sent().map(\.name) == ["plain hall", "leave hall"])
        #expect(fixture.acknowledge().map(\.request.purpose) == [.subscription(room, .plain)])
    }

    @Test func aPlainMembersPositionIsLearnt() {
        var fixture = fixture()
        _ = fixture.joinPlain("hall", request: "1")
        let operation = fixture.sent()[0]
        #expect(operation.wantsReply)
        #expect(fixture.deliver("hall", offset: 8) == [1])
        #expect(fixture.reply(WorkerFixture.joined("hall", at: 7), to: operation.sequence)?.membership == .unchanged)
        #expect(fixture.worker.rooms.position(of: RoomName("hall"))?.offset == 8)
        #expect(fixture.deliver("hall", offset: 8) == nil)
    }
}

/// Positions and lost links.
struct WorkerPositionTests {
    private func fixture(_ rooms: String...) -> WorkerFixture {
        var fixture = WorkerFixture()
        fixture.bringUp()
        for (index, room) in rooms.enumerated() {
            _ = fixture.join(room, client: UInt64(index + 1))
            let position: UInt64? = room.hasPrefix("h") ? 10 : nil
            _ = fixture.reply(WorkerFixture.joined(room, at: position), to: fixture.sent()[0].sequence)
        }
        fixture.acknowledge()
        return fixture
    }

    @Test func whatIsNotAboveThePositionIsDropped() {
        var fixture = fixture("hall")
        #expect(fixture.deliver("hall", offset: 10) == nil)
        #expect(fixture.deliver("hall", offset: 11, sequence: 1) == [1])
        // Replayed by its origin or caught up: the position decides, not the sequence.
        #expect(fixture.deliver("hall", offset: 11, sequence: 9) == nil)
        #expect(fixture.deliver("hall", offset: 12, sequence: 1) == [1])
        #expect(fixture.deliver("hall", offset: 3, epoch: RoomEpoch(rawValue: 5)) == [1])
        #expect(fixture.worker.rooms.position(of: RoomName("hall"))?.epoch == RoomEpoch(rawValue: 5))
    }

    @Test func aPositionLastsAsLongAsALiveMember() {
        var fixture = fixture("hall")
        fixture.execute(.leave(RoomName("hall")))
        #expect(fixture.deliver("hall", offset: 11) == nil)
        #expect(fixture.worker.rooms.position(of: RoomName("hall")) == nil)
        _ = fixture.join("hall")
        let sequence = fixture.sent()[1].sequence
        #expect(fixture.deliver("hall", offset: 12) == nil)
        _ = fixture.reply(WorkerFixture.joined("hall", at: 12), to: sequence)
        #expect(fixture.deliver("hall", offset: 12) == nil)
        #expect(fixture.deliver("hall", offset: 13) == [1])
    }

    @Test func onlyMembersOfRoomsWithoutHistoryLoseBadly() {
        var fixture = fixture("hall", "plain")
        _ = fixture.join("chat", client: 3)
        fixture.worker.linkLost()
        _ = fixture.worker.beginLink()
        #expect(fixture.worker.welcomed(isLate: true) == true)
        var losing: [UInt64] = []
        fixture.worker.forEachLosingMember { losing.append($0) }
        #expect(losing == [2])
    }

    @Test func missedMessagesAreToldToTheRoom() {
        var fixture = fixture("hall")
        #expect(fixture.worker.membersMissed(RoomName("hall")) == [1])
        #expect(fixture.worker.membersMissed(RoomName("nowhere")) == [])
        #expect(fixture.deliver("hall", offset: 500) == [1])
        #expect(fixture.deliver("hall", offset: 499) == nil)
    }
}

struct AutoReadTests {
    private func fixture() -> WorkerFixture {
        var fixture = WorkerFixture(clients: 1...1)
        fixture.connect(4, user: "ada")
        fixture.connect(5, user: "ada")
        fixture.connect(6, user: "bob")
        fixture.bringUp()
        for client in [1, 4, 5] as [UInt64] { _ = fixture.join("room", client: client) }
        for operation in fixture.sent() {
            _ = fixture.reply(WorkerFixture.joined("room", at: 1), to: operation.sequence)
        }
        fixture.acknowledge()
        return fixture
    }

    private func marks(_ fixture: inout WorkerFixture) -> [String] {
        fixture.worker.markRead(now: fixture.now) { ($0, 30) }
        return fixture.sent().map { "\($0.name) by \($0.client)" }
    }

    @Test func deliveredIsReadOnceForEachUserAndNotTooOften() {
        var fixture = fixture()
        #expect(fixture.worker.nextReadMark == nil)
        for offset in 2...9 as ClosedRange<UInt64> { _ = fixture.deliver("room", offset: offset) }
        #expect(fixture.worker.nextReadMark == fixture.now)
        #expect(marks(&fixture) == ["read room 9 by 4"])
        #expect(fixture.worker.nextReadMark == nil)
        _ = fixture.deliver("room", offset: 10)
        #expect(marks(&fixture) == [])
        fixture.now = fixture.now + .milliseconds(500)
        #expect(fixture.worker.nextReadMark == fixture.now)
        #expect(marks(&fixture) == ["read room 10 by 4"])
    }

    @Test func newcomersHaveNotReadWhatTheyWereNotGiven() {
        var fixture = fixture()
        _ = fixture.deliver("room", offset: 2)
        _ = fixture.join("room", client: 6)
        _ = fixture.reply(WorkerFixture.joined("room", at: 2), to: fixture.sent()[0].sequence)
        #expect(marks(&fixture) == ["read room 2 by 4"])
        _ = fixture.join("room", client: 6, since: 1)
        _ = fixture.reply(WorkerFixture.joined("room", at: 2, missed: 2...2), to: fixture.sent()[0].sequence)
        fixture.now = fixture.now + .seconds(1)
        #expect(marks(&fixture) == ["read room 2 by 4", "read room 2 by 6"])
    }

    @Test func marksWaitForTheHub() {
        var fixture = fixture()
        _ = fixture.deliver("room", offset: 2)
        fixture.worker.linkLost()
        #expect(fixture.worker.nextReadMark == nil)
        #expect(marks(&fixture) == [])
        _ = fixture.worker.beginLink()
        _ = fixture.worker.welcomed(isLate: false)
        _ = fixture.sent()
        #expect(marks(&fixture) == ["read room 2 by 4"])
    }

    @Test func inALargeRoomEveryonesTurnComes() {
        var fixture = WorkerFixture(heldBytes: 1 << 24, clients: 1...1)
        for client in 1...2500 as ClosedRange<UInt64> {
            fixture.connect(client, user: "user \(client)")
            _ = fixture.joinPlain("room", client: client)
        }
        fixture.bringUp()
        _ = fixture.deliver("room", offset: 2)
        var readers: [Int] = []
        for _ in 0..<4 {
            readers.append(marks(&fixture).count)
            fixture.now = fixture.now + .milliseconds(500)
        }
        #expect(readers == [1000, 1000, 500, 0])
    }
}
