import Model
import Realtime
import Testing

/// Rooms with history: recording, resume, catching up, what a failing storage means.
struct HubHistoryTests {
    private func data(_ entries: [HistoryEntry]) -> [String] {
        entries.map { String(decoding: $0.data, as: UTF8.self) }
    }

    /// A hub whose room `h` has member 1 (link 0) and the messages `m1`…, published by client 1.
    private func hub(messages: Int, _ configuration: WsdConfiguration = HubFixture.configuration()) -> HubFixture {
        var hub = HubFixture(configuration)
        hub.link(10, users: [1: "ada", 2: nil])
        hub.perform(.join("h"))
        for number in 1...max(1, messages) where messages > 0 { hub.perform(.publish("h"), data: "m\(number)") }
        return hub
    }

    @Test func messagesAreRecordedBeforeTheyAreDelivered() throws {
        var hub = hub(messages: 0)
        let link = hub.link(11, ["h": [5]])
        hub.told.clear()
        let operations = [
            hub.make(.publish("h", id: "a", includesSender: true)), hub.make(.publish("h"), client: 5, link: link),
        ]
        hub.turn(operations, data: ["x", "y"])
        let writes = try #require(hub.storage?.commits.last)
        #expect(writes.count == 2)
        let positions = hub.told.delivered.map(\.delivery.position?.offset)
        #expect(positions == [1, 2])
        #expect(hub.told.delivered.map(\.text) == ["x", "y"])
        // Also to the sender's own link: positions have no gaps there.
        #expect(hub.told.delivered.map(\.links) == [[0, 1], [0, 1]])
        #expect(hub.told.delivered.map(\.delivery.includesSubject) == [true, false])
        #expect(hub.told.delivered.map(\.delivery.user) == [UserName("ada"), nil])
        guard case .append(let room, let entry, let origin, _) = writes[0] else { return #expect(Bool(false)) }
        #expect(room == RoomName("h"))
        #expect(entry.messageID == MessageID("a"))
        #expect(origin == OperationOrigin(boot: BootID(rawValue: 10), sequence: 2))
    }

    @Test func aJoinBeginsTheHistory() throws {
        let hub = hub(messages: 0)
        let position = try #require(hub.joined?.position)
        #expect(position.offset == 0)
        #expect(try hub.storage?.position(of: RoomName("h")) == position)
    }

    @Test func whatCannotBeRecordedIsRefusedAndNeverDelivered() {
        var hub = hub(messages: 1)
        hub.told.clear()
        hub.storage?.failsToCommit = true
        hub.turn(
            [hub.make(.publish("h", id: "x")), hub.make(.publish("h", id: "x")), hub.make(.publish("r"))],
            data: ["1", "2", ""])
        #expect(hub.told.delivered.isEmpty)
        #expect(
            hub.told.replies.prefix(2).map(\.reply)
                == Array(repeating: .refused(ClientRefusal(.storageFailed)), count: 2))
        #expect(hub.told.replies.count == 3)
        hub.storage?.failsToCommit = false
        hub.perform(.publish("h", id: "x"), data: "3")
        #expect(hub.position?.offset == 2)
        #expect(hub.told.delivered.map(\.text) == ["3"])
        #expect(hub.machine.figures.storageFailures == 2)
    }

    @Test func aHistoryThatCouldNotBeginBeginsLater() throws {
        var hub = HubFixture()
        hub.link(10)
        hub.storage?.failsToCommit = true
        hub.perform(.join("h"))
        let epoch = try #require(hub.joined?.position?.epoch)
        hub.perform(.publish("h"))
        #expect(hub.refusal == .storageFailed)
        hub.storage?.failsToCommit = false
        hub.perform(.publish("h"))
        #expect(hub.position == RoomPosition(epoch: epoch, offset: 1))
        #expect(hub.storage?.commits.map(\.count) == [2])
    }

    @Test func aStorageThatCannotBeReadRefuses() {
        var hub = HubFixture()
        hub.link(10)
        hub.storage?.failsToRead = true
        hub.perform(.publish("h"))
        #expect(hub.refusal == .storageFailed)
        hub.perform(.join("h"))
        #expect(hub.refusal == .storageFailed)
        #expect(hub.machine.memberCount(of: RoomName("h")) == 0)
        hub.perform(.history(RoomName("h"), HistoryQuery()))
        #expect(hub.refusal == .storageFailed)
        hub.perform(.plainJoin("h"))
        #expect(hub.machine.memberCount(of: RoomName("h")) == 1)
        hub.storage?.failsToRead = false
        hub.perform(.publish("h"))
        #expect(hub.position?.offset == 1)
    }

    @Test func resumeBringsWhatWasMissed() throws {
        var hub = hub(messages: 5)
        let epoch = try #require(hub.position?.epoch)
        hub.perform(.join("h", since: RoomPosition(epoch: epoch, offset: 2)), client: 2)
        let result = try #require(hub.joined)
        #expect(result.recovery == .recovered)
        #expect(data(result.missed) == ["m3", "m4", "m5"])
        #expect(result.position?.offset == 5)
        #expect(!result.isPartial)
        #expect(hub.told.order.suffix(2) == ["reply", "userJoined"])
        hub.perform(.join("h", since: RoomPosition(epoch: epoch, offset: 5)), client: 2)
        #expect(hub.joined?.recovery == .recovered)
        #expect(hub.joined?.missed == [])
        #expect(hub.machine.figures.resumesRecovered == 2)
    }

    @Test(
        arguments: [
            (1, RecoveryFailure.expired), (2, nil), (5, nil), (6, .ahead), (UInt64.max, .ahead), (0, .expired),
        ] as [(UInt64, RecoveryFailure?)])
    func resumeFailsWithItsReason(offset: UInt64, failure: RecoveryFailure?) throws {
        var hub = hub(messages: 5, HubFixture.configuration(size: 3))
        let epoch = try #require(hub.position?.epoch)
        hub.perform(.join("h", since: RoomPosition(epoch: epoch, offset: offset)), client: 2)
        #expect(hub.joined?.recovery == (failure.map { .failed($0) } ?? .recovered))
        #expect(hub.machine.memberCount(of: RoomName("h")) == 2)
        hub.perform(.join("h", since: RoomPosition(epoch: RoomEpoch(rawValue: 1), offset: 3)), client: 2)
        #expect(hub.joined?.recovery == .failed(.epochChanged))
        hub.perform(.join("r", since: RoomPosition(epoch: epoch, offset: 3)), client: 2)
        #expect(hub.joined?.recovery == .failed(.noHistory))
        #expect(hub.joined?.position == nil)
    }

    @Test func aLongAbsenceIsRecoveredInPages() throws {
        var configuration = HubFixture.configuration()
        configuration.history.recoveryPage = 250
        var hub = hub(messages: 5, configuration)
        var since = RoomPosition(epoch: try #require(hub.position?.epoch), offset: 0)
        var seen: [String] = []
        var pages = 0
        while true {
            hub.perform(.join("h", since: since), client: 2)
            let result = try #require(hub.joined)
            seen += data(result.missed)
            pages += 1
            #expect(hub.machine.memberCount(of: RoomName("h")) == (result.isPartial ? 1 : 2))
            guard result.isPartial else { break }
            since.offset = try #require(result.missed.last?.offset)
        }
        #expect(seen == ["m1", "m2", "m3", "m4", "m5"])
        #expect(pages == 3)
        #expect(hub.machine.figures.resumesRecovered == 1)
    }

    @Test func messagesExpire() throws {
        var hub = hub(messages: 3, HubFixture.configuration(ttl: .seconds(60)))
        let epoch = try #require(hub.position?.epoch)
        hub.advance(.seconds(50))
        hub.perform(.publish("h"), data: "m4")
        hub.advance(.seconds(20))
        hub.perform(.join("h", since: RoomPosition(epoch: epoch, offset: 2)), client: 2)
        #expect(hub.joined?.recovery == .failed(.expired))
        hub.perform(.history(RoomName("h"), HistoryQuery()))
        guard case .history(let page) = hub.lastReply else { return #expect(Bool(false)) }
        #expect(data(page.entries) == ["m4"])
        #expect(try hub.storage?.load(RoomName("h"))?.entries.map(\.offset) == [4])
    }

    @Test func aKnownMessageIdIsNotDeliveredAgain() {
        var hub = hub(messages: 1)
        hub.told.clear()
        hub.turn([hub.make(.publish("h", id: "a")), hub.make(.publish("h", id: "a"))], data: ["x", "x"])
        hub.perform(.publish("h", id: "a"), data: "x")
        #expect(hub.told.delivered.count == 1)
        let repetitions = hub.told.replies.map { reply -> Bool? in
            if case .published(let position, let isRepetition) = reply.reply, position?.offset == 2 {
                isRepetition
            } else {
                nil
            }
        }
        #expect(repetitions == [false, true, true])
        #expect(hub.machine.figures.repetitions == 2)
        // Another room, another id.
        hub.perform(.publish("h2", id: "a"))
        #expect(hub.position?.offset == 1)
        hub.advance(.seconds(301))
        hub.perform(.publish("h", id: "a"), data: "x")
        #expect(hub.position?.offset == 3)
    }

    @Test func idsAreKnownBeyondTheKeptMessagesAndAfterARestart() throws {
        let configuration = HubFixture.configuration(size: 2)
        var first = hub(messages: 0, configuration)
        for number in 1...5 { first.perform(.publish("h", id: "id\(number)")) }
        var second = HubFixture(configuration, storage: first.storage, seed: 2)
        second.link(12)
        second.perform(.publish("h", id: "id1"))
        #expect(second.lastReply == .published(position: second.position, isRepetition: true))
        #expect(second.position?.offset == 1)
        second.perform(.publish("h"))
        #expect(second.position == first.position.map { RoomPosition(epoch: $0.epoch, offset: 6) })
    }

    @Test func aReplayedPublicationIsRecordedOnce() {
        let first = hub(messages: 3)
        var second = HubFixture(storage: first.storage, seed: 2)
        let link = second.link(10, replayThrough: 5)
        #expect(second.perform(.publish("h"), link: link, sequence: 4, data: "m3") == .done)
        #expect(second.position == first.position)
        #expect(second.told.delivered.isEmpty)
        second.perform(.publish("h"), link: link, sequence: 5, data: "m4")
        #expect(second.position?.offset == 4)
    }

    /// The link broke; the worker did not hear whether its publications were taken.
    @Test func aRepeatedPublicationGetsItsAnswerAgain() {
        var hub = hub(messages: 1)
        hub.storage?.failsToCommit = true
        hub.perform(.publish("h"))
        hub.storage?.failsToCommit = false
        hub.end(0)
        hub.told.clear()
        let link = hub.link(10, replayThrough: 3)
        #expect(hub.perform(.publish("h"), link: link, sequence: 2) == .duplicate)
        #expect(hub.position?.offset == 1)
        #expect(hub.perform(.publish("h"), link: link, sequence: 3) == .duplicate)
        #expect(hub.refusal == .storageFailed)
        #expect(hub.told.delivered.isEmpty)
    }

    /// A driver that does not carry out what it staged (the link broke) leaves no hole.
    @Test func whatIsRecordedIsDeliveredInItsPlace() {
        var hub = hub(messages: 1)
        let link = hub.link(11)
        hub.told.clear()
        let lost = hub.make(.publish("h")), next = hub.make(.publish("h"), client: 5, link: link)
        for (data, place) in [("x", lost), ("y", next)] {
            hub.machine.stage(
                place.operation, payload: Array(data.utf8), from: place.link, now: hub.now, wallTime: hub.wallTime)
        }
        hub.commit()
        _ = hub.machine.received(
            next.operation, from: link, now: hub.now, wallTime: hub.wallTime, output: hub.told)
        #expect(hub.told.delivered.map(\.text) == ["x", "y"])
        #expect(hub.told.delivered.map(\.delivery.position?.offset) == [2, 3])
        #expect(hub.position?.offset == 3)
    }

    /// Between a worker's first `register` and the end of its snapshot nothing may overtake what it missed.
    @Test func aLinkThatIsRegisteringIsGivenNothingOfTheRoom() throws {
        var hub = hub(messages: 3)
        var position = try #require(hub.position)
        position.offset = 2
        let link = hub.machine.linkOpened(boot: BootID(rawValue: 11), slot: 1)
        #expect(hub.machine.register([1], room: RoomName("h"), link: link) == true)
        hub.told.clear()
        hub.perform(.publish("h"), data: "m4")
        #expect(hub.told.delivered.map(\.links) == [[0]])
        #expect(hub.machine.registerPosition(position, room: RoomName("h"), link: link) == true)
        let isTaken = hub.machine.registrationEnded(
            link, replayThrough: 0, now: hub.now, wallTime: hub.wallTime, output: hub.told)
        #expect(isTaken)
        #expect(hub.told.delivered.map(\.links) == [[0], [link], [link]])
        #expect(hub.told.delivered.map(\.text) == ["m4", "m3", "m4"])
    }

    @Test func pagesOfHistory() {
        var hub = hub(messages: 9, HubFixture.configuration(size: 7))
        func page(_ change: (inout HistoryQuery) -> Void) -> String {
            var query = HistoryQuery()
            change(&query)
            hub.perform(.history(RoomName("h"), query))
            guard case .history(let page) = hub.lastReply else { return "?" }
            return page.entries.map { "\($0.offset)" }.joined(separator: ",") + (page.hasMore ? "+" : "")
        }
        #expect(page { _ in } == "3,4,5,6,7,8,9")
        #expect(page { $0.limit = 3 } == "3,4,5+")
        #expect(page { ($0.from, $0.limit) = (5, 3) } == "6,7,8+")
        #expect(page { ($0.from, $0.limit) = (6, 3) } == "7,8,9")
        #expect(page { $0.from = 9 } == "")
        #expect(page { $0.from = .max } == "")
        #expect(page { $0.limit = 0 } == "+")
        #expect(page { $0.limit = -5 } == "+")
        #expect(page { $0.reverse = true } == "9,8,7,6,5,4,3")
        #expect(page { ($0.reverse, $0.limit) = (true, 2) } == "9,8+")
        #expect(page { ($0.reverse, $0.from, $0.limit) = (true, 5, 2) } == "4,3")
        #expect(page { ($0.reverse, $0.from) = (true, 3) } == "")
        #expect(page { ($0.reverse, $0.from) = (true, 0) } == "")
        hub.perform(.history(RoomName("r"), HistoryQuery()))
        #expect(hub.refusal == .noHistory)
    }

    @Test func aWorkerThatRegistersCatchesUp() throws {
        let first = hub(messages: 4)
        var position = try #require(first.position)
        var second = HubFixture(storage: first.storage, expectedLinks: 2, seed: 2)
        position.offset = 2
        let link = second.link(10, ["h": [1]], positions: ["h": position])
        #expect(second.told.delivered.map(\.text) == ["m3", "m4"])
        #expect(second.told.delivered.map(\.links) == [[link], [link]])
        #expect(second.told.delivered.map(\.delivery.position?.offset) == [3, 4])
        #expect(second.told.delivered.allSatisfy { $0.delivery.user == UserName("ada") })
        second.told.clear()
        // One that has everything costs no more than a look at the position.
        let loads = second.storage?.loads
        position.offset = 4
        var third = HubFixture(storage: first.storage, expectedLinks: 2, seed: 3)
        third.link(11, ["h": [1]], positions: ["h": position])
        #expect(third.told.order.isEmpty)
        #expect(third.storage?.loads == loads)
    }

    @Test(arguments: ["epoch", "old", "ahead", "read", "bytes"])
    func aWorkerThatCannotCatchUpIsTold(reason: String) throws {
        var configuration = HubFixture.configuration(size: 3)
        configuration.hub.linkQueue = reason == "bytes" ? 100 : configuration.hub.linkQueue
        let first = hub(messages: 6, configuration)
        var position = try #require(first.position)
        switch reason {
        case "epoch": position.epoch = RoomEpoch(rawValue: 5)
        case "ahead": position.offset = 7
        case "old": position.offset = 2
        default: position.offset = 4
        }
        var second = HubFixture(configuration, storage: first.storage, seed: 2)
        second.storage?.failsToRead = reason == "read"
        let link = second.link(10, ["h": [1]], positions: ["h": position])
        #expect(second.told.commands.map(\.command) == [.membersMissed(RoomName("h"))])
        #expect(second.told.commands.map(\.link) == [link])
        #expect(second.told.delivered.isEmpty)
        #expect(second.machine.figures.gaps == 1)
    }

    @Test func aPlainJoinLearnsThePosition() {
        var hub = hub(messages: 2)
        hub.told.clear()
        hub.perform(.plainJoin("h"), client: 2, wantsReply: false)
        #expect(hub.joined?.position?.offset == 2)
        hub.told.clear()
        hub.perform(.plainJoin("r"), client: 2, wantsReply: false)
        #expect(hub.told.replies.isEmpty)
    }
}
