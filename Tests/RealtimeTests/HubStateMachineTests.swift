import Model
import Realtime
import Testing

/// Links, order and membership in rooms without history.
struct HubStateMachineTests {
    @Test func messageGoesToLinksWithAnotherMember() {
        var hub = HubFixture(members: [[1], [1, 2], []])
        hub.perform(.publish("r"), client: 1, link: 0)
        hub.perform(.publish("r"), client: 1, link: 1)
        hub.perform(.publish("r"), client: 9, link: 2)
        hub.perform(.publish("nobody"), client: 9, link: 2)
        hub.perform(.publish("r", includesSender: true), client: 1, link: 0)
        #expect(hub.told.delivered.map(\.links) == [[1], [0, 1], [0, 1], [0, 1]])
        #expect(hub.told.delivered.map(\.delivery.kind) == [.message, .message, .message, .message])
        #expect(hub.told.delivered.map(\.payload) == [.ofOperation, .ofOperation, .ofOperation, .ofOperation])
        #expect(hub.told.delivered.map(\.delivery.includesSubject) == [false, false, false, true])
        #expect(hub.told.replies.count == 5)
        #expect(hub.machine.figures.publications == 5)
    }

    @Test func aMessageSaysWhoSentItAndWhen() {
        var hub = HubFixture()
        let link = hub.link(10, ["r": [1, 2]], users: [1: "ada", 2: nil])
        hub.perform(.publish("r", id: "m"), client: 1, link: link)
        let delivery = hub.told.delivered[0].delivery
        #expect(delivery.user == UserName("ada"))
        #expect(delivery.messageID == MessageID("m"))
        #expect(delivery.time == hub.wallTime)
        #expect(delivery.position == nil)
    }

    @Test func broadcastGoesToEveryRegisteredLink() {
        var hub = HubFixture(members: [[], [], []])
        _ = hub.machine.linkOpened(boot: BootID(rawValue: 50), slot: 5)
        hub.perform(.broadcast, client: 1, link: 1)
        #expect(hub.deliveries == ["broadcast 1→[0, 1, 2]"])
        #expect(hub.told.delivered[0].delivery.origin == BootID(rawValue: 11))
    }

    @Test func joinsAndLeavesAreAnnouncedOnceToTheOthers() {
        var hub = HubFixture(members: [[1], [2], []])
        hub.perform(.plainJoin("r"), client: 7, link: 2)
        hub.perform(.plainJoin("r"), client: 7, link: 2)
        hub.perform(.leave("r"), client: 7, link: 2)
        hub.perform(.leave("r"), client: 7, link: 2)
        #expect(hub.deliveries == ["userJoined 7→[0, 1]", "userLeft 7→[0, 1]"])
        #expect(hub.told.delivered.map(\.delivery.sequence) == [1, 3])
        #expect(hub.machine.acknowledged(2) == 4)
        #expect(hub.machine.membershipCount == 2)
    }

    @Test func announcementsStopAtTheBound() {
        var configuration = HubFixture.configuration()
        configuration.rooms.announceMax = 3
        var hub = HubFixture(members: [[1, 2], [], []], configuration)
        hub.perform(.plainJoin("r"), client: 1, link: 1)
        hub.perform(.plainJoin("r"), client: 2, link: 1)
        hub.perform(.leave("r"), client: 2, link: 1)
        hub.perform(.leave("r"), client: 1, link: 1)
        #expect(hub.told.delivered.map(\.delivery.sequence) == [1, 4])
        configuration.rooms.announceMax = 0
        var silent = HubFixture(members: [[1], [2]], configuration)
        silent.perform(.plainJoin("r"), client: 3, link: 1)
        silent.end(1)
        #expect(silent.deliveries == [])
    }

    @Test func endOfALinkIsAnnouncedForEachMemberWithTheHubAsOrigin() {
        var hub = HubFixture(members: [[1], [5, 3, 4], []])
        hub.end(1)
        #expect(hub.deliveries == ["userLeft 3→[0]", "userLeft 4→[0]", "userLeft 5→[0]"])
        #expect(hub.told.delivered.allSatisfy { $0.delivery.origin == HubFixture.boot })
        #expect(hub.told.delivered.map(\.delivery.sequence) == [1, 2, 3])
        hub.end(1)
        #expect(hub.deliveries.count == 3)
    }

    @Test func replayIsAnnouncedButTheSnapshotDecides() {
        var hub = HubFixture(members: [[1]])
        let link = hub.link(20, ["r": [7]], replayThrough: 3)
        #expect(hub.perform(.leave("r"), client: 7, link: link, sequence: 2) == .done)
        #expect(hub.perform(.plainJoin("r"), client: 7, link: link, sequence: 3) == .done)
        #expect(hub.deliveries == ["userLeft 7→[0]", "userJoined 7→[0]"])
        #expect(hub.told.delivered.allSatisfy { $0.delivery.origin == BootID(rawValue: 20) })
        #expect(hub.machine.memberCount(of: RoomName("r")) == 2)
        hub.perform(.leave("r"), client: 7, link: link, sequence: 4)
        #expect(hub.machine.memberCount(of: RoomName("r")) == 1)
    }

    @Test func aReplayedJoinThatTheSnapshotDoesNotKnowIsMadeAndUnmade() {
        var hub = HubFixture(members: [[1]])
        let link = hub.link(20, replayThrough: 3)
        hub.perform(.join("r"), client: 7, link: link, sequence: 1)
        #expect(hub.joined?.members == 2)
        #expect(hub.machine.memberCount(of: RoomName("r")) == 2)
        hub.perform(.leave("r"), client: 7, link: link, sequence: 2)
        #expect(hub.machine.memberCount(of: RoomName("r")) == 1)
        hub.perform(.join("r"), client: 8, link: link, sequence: 3)
        hub.perform(.confirm, client: 8, link: link, sequence: 4)
        #expect(hub.machine.memberCount(of: RoomName("r")) == 2)
        #expect(hub.deliveries == ["userJoined 7→[0]", "userLeft 7→[0]", "userJoined 8→[0]"])
    }

    @Test func returningWorkerIsAnnouncedAgainAndItsSeenOperationsAreDropped() {
        var hub = HubFixture(members: [[1], [5]])
        hub.perform(.publish("r"), client: 5, link: 1, sequence: 8)
        hub.end(1)
        hub.told.clear()
        let link = hub.link(11, ["r": [5, 6]], replayThrough: 10)
        #expect(hub.deliveries == ["userJoined 5→[0, 1]", "userJoined 6→[0, 1]"])
        #expect(hub.told.delivered.allSatisfy { $0.delivery.origin == HubFixture.boot })
        hub.told.clear()
        #expect(hub.machine.acknowledged(link) == 0)
        #expect(hub.perform(.publish("r"), client: 5, link: link, sequence: 8) == .duplicate)
        #expect(hub.machine.acknowledged(link) == 8)
        #expect(hub.told.order == ["reply"])
        #expect(hub.perform(.plainJoin("r"), client: 6, link: link, sequence: 9) == .done)
        #expect(hub.perform(.publish("r"), client: 5, link: link, sequence: 10) == .done)
        #expect(hub.told.delivered.map(\.delivery.kind) == [.message])
        #expect(hub.machine.acknowledged(link) == 10)
    }

    /// The join was carried out, but the link broke before the worker could hear of it: it is not in the snapshot.
    @Test func aRepeatedJoinIsAnsweredAndMade() {
        var hub = HubFixture(members: [[1], []])
        hub.perform(.join("r"), client: 5, link: 1, sequence: 3)
        hub.end(1)
        hub.told.clear()
        let link = hub.link(11, replayThrough: 3)
        #expect(hub.perform(.join("r"), client: 5, link: link, sequence: 3) == .duplicate)
        #expect(hub.joined?.members == 2)
        #expect(hub.deliveries == ["userJoined 5→[0]"])
        #expect(hub.told.delivered[0].delivery.origin == HubFixture.boot)
        #expect(hub.machine.memberCount(of: RoomName("r")) == 2)
    }

    @Test func framesOutOfOrderAreRefused() {
        var hub = HubFixture(members: [[1]])
        #expect(hub.machine.register([1], room: RoomName("r"), link: 0) == false)
        let again = hub.machine.registrationEnded(0, replayThrough: 0, now: .zero, wallTime: 0, output: hub.told)
        #expect(!again)
        let registration = HubFixture.registration(1, nil)
        #expect(hub.machine.registerClient(1, registration, link: 0) == false)
        let position = RoomPosition(epoch: RoomEpoch(rawValue: 1), offset: 1)
        #expect(hub.machine.registerPosition(position, room: RoomName("h"), link: 0) == false)
        #expect(hub.machine.register([1], room: RoomName("r"), link: 77) == false)
        let link = hub.machine.linkOpened(boot: BootID(rawValue: 30), slot: 3)
        #expect(hub.perform(.publish("r"), link: link) == .outOfOrder)
        #expect(hub.perform(.publish("r"), link: -1) == .outOfOrder)
        #expect(hub.perform(.publish("h"), link: -1) == .outOfOrder)
    }

    @Test func gatheringEndsWithTheLastWorkerOrWithTime() {
        func machine(registered: Int) -> HubStateMachine {
            var hub = HubFixture(expectedLinks: 2)
            for boot in 0..<registered { hub.link(UInt64(boot)) }
            return hub.machine
        }
        var full = machine(registered: 2), partial = machine(registered: 1)
        #expect(full.isServing(now: .zero) == true)
        #expect(partial.gatherDeadline == MonotonicTime.zero + HubLinkTiming.gatherMaximum)
        #expect(partial.isServing(now: .zero + .milliseconds(999)) == false)
        #expect(partial.isServing(now: .zero + .milliseconds(1000)) == true)
        #expect(partial.isServing(now: .zero) == true)
    }

    @Test func aWorkerThatComesAfterTheBeginIsLate() {
        var hub = HubFixture(expectedLinks: 1)
        for boot in 0..<2 as Range<UInt64> {
            let link = hub.link(boot)
            #expect(hub.machine.isServing(now: .zero) == true)
            #expect(hub.machine.isLate(link) == (boot == 1))
        }
    }

    @Test func emptyRoomsAreForgotten() {
        var hub = HubFixture(members: [[1], []])
        for round in 0..<100 {
            hub.perform(.plainJoin("room \(round)"), client: 1, link: 1)
            hub.perform(.leave("room \(round)"), client: 1, link: 1)
        }
        #expect(hub.machine.roomCount == 1)
        hub.end(0)
        #expect(hub.machine.roomCount == 0)
        #expect(hub.machine.membershipCount == 0)
        var summaries = 0
        hub.machine.forEachSummary { _ in summaries += 1 }
        #expect(summaries == 0)
    }

    @Test func theLastToLeaveIsReportedWhereTheWebhookIsSet() {
        var configuration = HubFixture.configuration()
        configuration.webhooks.roomEmpty.url = "http://localhost/"
        var hub = HubFixture(members: [[1], [2]], configuration)
        hub.perform(.leave("r"), client: 1, link: 0)
        #expect(hub.told.commands.isEmpty)
        hub.end(1)
        #expect(hub.told.commands.map(\.command) == [.roomEmpty(RoomName("r"))])
        #expect(hub.told.commands.map(\.link) == [0])
    }
}

struct LinkBackpressureTests {
    @Test func onlyALinkThatMovesIsWaitedFor() {
        let policy = LinkBackpressure(linkQueue: 1000)
        let now = MonotonicTime.zero + .seconds(10)
        func holds(_ queued: Int, silent: Duration, waited: Bool = false) -> Bool {
            policy.holdsUp(queued: queued, lastProgress: now - silent, isWaitedFor: waited, now: now)
        }
        #expect(!holds(500, silent: .zero))
        #expect(holds(501, silent: .milliseconds(99)))
        #expect(!holds(501, silent: .milliseconds(100)))
        #expect(holds(251, silent: .zero, waited: true))
        #expect(!holds(250, silent: .zero, waited: true))
    }

    @Test func aBurstAloneCutsNoLink() {
        let policy = LinkBackpressure(linkQueue: 1000)
        let now = MonotonicTime.zero + .seconds(10)
        func isGivenUp(_ queued: Int, silent: Duration) -> Bool {
            policy.isGivenUp(queued: queued, lastProgress: now - silent, now: now)
        }
        #expect(!isGivenUp(1000, silent: .seconds(1)))
        #expect(isGivenUp(1001, silent: .milliseconds(100)))
        #expect(!isGivenUp(4003, silent: .milliseconds(99)))
        #expect(isGivenUp(4004, silent: .zero))
    }
}
