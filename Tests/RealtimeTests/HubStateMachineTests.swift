import Model
import Realtime
import Testing

struct HubStateMachineTests {
    private struct Told: Equatable {
        var kind: HubDeliveryKind
        var subject: UInt64
        var origin: UInt64
        var sequence: UInt64
        var links: [Int]
    }

    /// A serving hub (boot 99) with links 0, 1, 2 of the boots 10, 11, 12; members of room `r` by link.
    private struct Hub {
        var machine: HubStateMachine
        var told: [Told] = []

        init(_ members: [[UInt64]], announceMax: Int = 200) {
            machine = HubStateMachine(
                boot: BootID(rawValue: 99), announceMax: announceMax, expectedLinks: members.count, now: .zero)
            for (index, clients) in members.enumerated() { _ = join(UInt64(10 + index), clients) }
            _ = machine.isServing(now: .zero + .seconds(1))
        }

        mutating func join(_ boot: UInt64, _ clients: [UInt64], replayThrough: UInt64 = 0) -> Int {
            let link = machine.linkOpened(boot: BootID(rawValue: boot), slot: 1)
            #expect(machine.register(clients, room: RoomName("r"), link: link) == true)
            var noted: [(HubDelivery, [Int])] = []
            let isRegistered = machine.registrationEnded(link, replayThrough: replayThrough) { noted.append(($0, $1)) }
            #expect(isRegistered)
            for (delivery, links) in noted { note(delivery, links) }
            return link
        }

        mutating func note(_ delivery: HubDelivery, _ links: [Int]) {
            told.append(
                Told(
                    kind: delivery.kind, subject: delivery.subject.serial, origin: delivery.origin.rawValue,
                    sequence: delivery.sequence, links: links))
        }

        @discardableResult
        mutating func receive(
            _ kind: HubOperationKind, _ client: UInt64, _ sequence: UInt64, link: Int, room: String = "r"
        ) -> HubStateMachine.Outcome {
            var noted: [(HubDelivery, [Int])] = []
            let operation = HubOperation(sequence: sequence, kind: kind, client: client, room: RoomName(room))
            let outcome = machine.received(operation, from: link) { noted.append(($0, $1)) }
            for (delivery, links) in noted { note(delivery, links) }
            return outcome
        }

        mutating func end(_ link: Int) {
            var noted: [(HubDelivery, [Int])] = []
            machine.linkEnded(link) { noted.append(($0, $1)) }
            for (delivery, links) in noted { note(delivery, links) }
        }
    }

    @Test func messageGoesToLinksWithAnotherMember() {
        var hub = Hub([[1], [1, 2], []])
        hub.receive(.publish, 1, 1, link: 0)
        hub.receive(.publish, 1, 1, link: 1)
        hub.receive(.publish, 9, 1, link: 2)
        hub.receive(.publish, 9, 2, link: 2, room: "nobody")
        #expect(hub.told.map(\.links) == [[1], [0, 1], [0, 1]])
        #expect(hub.told.map(\.kind) == [.message, .message, .message])
    }

    @Test func broadcastGoesToEveryRegisteredLink() {
        var hub = Hub([[], [], []])
        _ = hub.machine.linkOpened(boot: BootID(rawValue: 50), slot: 5)
        hub.receive(.broadcast, 1, 1, link: 1)
        #expect(hub.told == [Told(kind: .broadcast, subject: 1, origin: 11, sequence: 1, links: [0, 1, 2])])
    }

    @Test func joinsAndLeavesAreAnnouncedOnceToTheOthers() {
        var hub = Hub([[1], [2], []])
        hub.receive(.join, 7, 1, link: 2)
        hub.receive(.join, 7, 2, link: 2)
        hub.receive(.leave, 7, 3, link: 2)
        hub.receive(.leave, 7, 4, link: 2)
        #expect(
            hub.told == [
                Told(kind: .userJoined, subject: 7, origin: 12, sequence: 1, links: [0, 1]),
                Told(kind: .userLeft, subject: 7, origin: 12, sequence: 3, links: [0, 1]),
            ])
        #expect(hub.machine.acknowledged(2) == 4)
        #expect(hub.machine.membershipCount == 2)
    }

    @Test func announcementsStopAtTheBound() {
        var hub = Hub([[1, 2], [], []], announceMax: 3)
        hub.receive(.join, 1, 1, link: 1)
        hub.receive(.join, 2, 2, link: 1)
        hub.receive(.leave, 2, 3, link: 1)
        hub.receive(.leave, 1, 4, link: 1)
        #expect(hub.told.map(\.sequence) == [1, 4])
        var silent = Hub([[1], [2]], announceMax: 0)
        silent.receive(.join, 3, 1, link: 1)
        silent.end(1)
        #expect(silent.told == [])
    }

    @Test func endOfALinkIsAnnouncedForEachMemberWithTheHubAsOrigin() {
        var hub = Hub([[1], [5, 3, 4], []])
        hub.end(1)
        #expect(hub.told.map(\.subject) == [3, 4, 5])
        #expect(hub.told.map(\.origin) == [99, 99, 99])
        #expect(hub.told.map(\.sequence) == [1, 2, 3])
        #expect(hub.told.allSatisfy { $0.kind == .userLeft && $0.links == [0] })
        hub.end(1)
        #expect(hub.told.count == 3)
    }

    @Test func replayIsAnnouncedButTheSnapshotDecides() {
        var hub = Hub([[1]])
        let link = hub.join(20, [7], replayThrough: 3)
        #expect(hub.receive(.leave, 7, 2, link: link) == .done)
        #expect(hub.receive(.join, 7, 3, link: link) == .done)
        #expect(hub.told.map(\.kind) == [.userLeft, .userJoined])
        #expect(hub.told.allSatisfy { $0.origin == 20 && $0.links == [0] })
        #expect(hub.machine.memberCount(of: RoomName("r")) == 2)
        hub.receive(.leave, 7, 4, link: link)
        #expect(hub.machine.memberCount(of: RoomName("r")) == 1)
    }

    @Test func returningWorkerIsAnnouncedAgainAndItsSeenOperationsAreDropped() {
        var hub = Hub([[1], [5]])
        hub.receive(.publish, 5, 8, link: 1)
        hub.end(1)
        hub.told = []
        let link = hub.join(11, [5, 6], replayThrough: 10)
        #expect(hub.told.map(\.kind) == [.userJoined, .userJoined])
        #expect(hub.told.map(\.origin) == [99, 99])
        hub.told = []
        #expect(hub.receive(.publish, 5, 8, link: link) == .duplicate)
        #expect(hub.receive(.join, 6, 9, link: link) == .done)
        #expect(hub.receive(.publish, 5, 10, link: link) == .done)
        #expect(hub.told.map(\.kind) == [.message])
        #expect(hub.machine.acknowledged(link) == 10)
    }

    @Test func framesOutOfOrderAreRefused() {
        var hub = Hub([[1]])
        #expect(hub.machine.register([1], room: RoomName("r"), link: 0) == false)
        let again = hub.machine.registrationEnded(0, replayThrough: 0) { _, _ in }
        #expect(!again)
        #expect(hub.machine.register([1], room: RoomName("r"), link: 77) == false)
        let link = hub.machine.linkOpened(boot: BootID(rawValue: 30), slot: 3)
        #expect(hub.receive(.publish, 1, 1, link: link) == .outOfOrder)
        #expect(hub.receive(.publish, 1, 1, link: -1) == .outOfOrder)
    }

    @Test func gatheringEndsWithTheLastWorkerOrWithTime() {
        func machine(registered: Int) -> HubStateMachine {
            var machine = HubStateMachine(boot: BootID(rawValue: 9), announceMax: 1, expectedLinks: 2, now: .zero)
            for boot in 0..<registered {
                let link = machine.linkOpened(boot: BootID(rawValue: UInt64(boot)), slot: boot)
                _ = machine.registrationEnded(link, replayThrough: 0) { _, _ in }
            }
            return machine
        }
        var full = machine(registered: 2), partial = machine(registered: 1)
        #expect(full.isServing(now: .zero) == true)
        #expect(partial.gatherDeadline == MonotonicTime.zero + HubLinkTiming.gatherMaximum)
        #expect(partial.isServing(now: .zero + .milliseconds(999)) == false)
        #expect(partial.isServing(now: .zero + .milliseconds(1000)) == true)
        #expect(partial.isServing(now: .zero) == true)
    }

    @Test func aWorkerThatComesAfterTheBeginIsLate() {
        var machine = HubStateMachine(boot: BootID(rawValue: 9), announceMax: 1, expectedLinks: 1, now: .zero)
        for boot in 0..<2 {
            let link = machine.linkOpened(boot: BootID(rawValue: UInt64(boot)), slot: boot)
            _ = machine.registrationEnded(link, replayThrough: 0) { _, _ in }
            #expect(machine.isServing(now: .zero) == true)
            #expect(machine.isLate(link) == (boot == 1))
        }
    }

    @Test func emptyRoomsAreForgotten() {
        var hub = Hub([[1], []])
        for round in 0..<100 as Range<UInt64> {
            hub.receive(.join, 1, round * 2 + 1, link: 1, room: "room \(round)")
            hub.receive(.leave, 1, round * 2 + 2, link: 1, room: "room \(round)")
        }
        #expect(hub.machine.roomCount == 1)
        hub.end(0)
        #expect(hub.machine.roomCount == 0)
        #expect(hub.machine.membershipCount == 0)
    }

    @Test func operatorReachesAllMembers() {
        var hub = Hub([[1], [2], []])
        var links: [Int] = []
        hub.machine.publishedByOperator(room: RoomName("r")) { delivery, targets in
            #expect(delivery.subject == ClientID(boot: BootID(rawValue: 99), serial: 0))
            links = targets
        }
        #expect(links == [0, 1])
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
