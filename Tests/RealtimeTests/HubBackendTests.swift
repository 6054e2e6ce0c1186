import Model
import Realtime
import Testing

/// What the backend and operators ask of the hub.
struct HubBackendTests {
    private func hub() -> HubFixture {
        var hub = HubFixture()
        hub.link(10, ["r": [1], "h": [1]], users: [1: "ada"])
        hub.link(11, ["r": [1, 2]], users: [1: "ada", 2: "bob"])
        return hub
    }

    private let data = Array("{}".utf8)

    @Test func publishesInAUsersNameOrNobodys() {
        var hub = hub()
        let results = hub.backend(
            .publish(RoomName("r"), data: data, messageID: nil, user: nil),
            .publish(RoomName("h"), data: data, messageID: MessageID("a"), user: UserName("eve")),
            .publish(RoomName("h"), data: data, messageID: MessageID("a"), user: UserName("eve")),
            .publish(RoomName("nobody"), data: data, messageID: nil, user: nil))
        guard case .published(let position, false, 1) = results[1] else { return #expect(Bool(false)) }
        #expect(position?.offset == 1)
        #expect(
            results == [
                .published(position: nil, isRepetition: false, members: 3), results[1],
                .published(position: position, isRepetition: true, members: 1),
                .published(position: nil, isRepetition: false, members: 0),
            ])
        #expect(hub.deliveries == ["message 0→[0, 1]", "message 0→[0]"])
        #expect(hub.told.delivered.map(\.delivery.user) == [nil, UserName("eve")])
        let sequences = hub.told.delivered.map(\.delivery.sequence)
        #expect(sequences == sequences.sorted() && Set(sequences).count == 2)
    }

    @Test func aFullDiskRefusesOnlyWhatHasToBeRecorded() {
        var hub = hub()
        hub.storage?.failsToCommit = true
        let results = hub.backend(
            .publish(RoomName("h"), data: data, messageID: nil, user: nil), .removeHistory(RoomName("h")),
            .publish(RoomName("r"), data: data, messageID: nil, user: nil))
        #expect(results[0] == .refused(ClientRefusal(.storageFailed)))
        #expect(results[1] == .refused(ClientRefusal(.storageFailed)))
        #expect(hub.deliveries == ["message 0→[0, 1]"])
    }

    @Test func historyIsReadAndRemoved() throws {
        var hub = hub()
        let publish = BackendCall.publish(RoomName("h"), data: data, messageID: nil, user: nil)
        let results = hub.backend(publish, publish, .removeHistory(RoomName("h")), publish)
        #expect(results[2] == .historyRemoved(count: 2))
        guard case .history(let page) = hub.backend(.history(RoomName("h"), HistoryQuery()))[0] else {
            return #expect(Bool(false))
        }
        #expect(page.entries.map(\.offset) == [3])
        #expect(page.position.offset == 3)
        #expect(hub.backend(.removeHistory(RoomName("r"))) == [.refused(ClientRefusal(.noHistory))])
        #expect(hub.backend(.history(RoomName("r"), HistoryQuery())) == [.refused(ClientRefusal(.noHistory))])
        _ = hub.backend(.removeHistory(RoomName("h")))
        #expect(try hub.storage?.load(RoomName("h"))?.entries == [])
        var second = HubFixture(storage: hub.storage, seed: 2)
        second.link(12)
        second.perform(.publish("h"))
        #expect(second.position?.offset == 4)
    }

    /// So that a batch cannot keep the hub from everything else.
    @Test func aBatchIsAnsweredUpToABound() {
        var hub = hub()
        let big = [UInt8](repeating: 48, count: 400_000)
        let question = BackendCall.history(RoomName("h"), HistoryQuery())
        let publish = BackendCall.publish(RoomName("h"), data: big, messageID: nil, user: nil)
        _ = hub.backend(publish)
        let sequence = hub.machine.nextOwnSequence()
        let calls = Array(repeating: question, count: 100) + [.broadcast(data: data, user: nil)]
        let results = hub.machine.carryOut(
            calls, sequence: sequence, from: nil, isRepeated: false, now: hub.now, wallTime: hub.wallTime,
            output: hub.told)
        let answered = results.prefix { if case .history = $0 { true } else { false } }
        #expect((1...4).contains(answered.count))
        #expect(
            results[answered.count..<100].allSatisfy {
                if case .refused(let refusal) = $0 { refusal.code == .unavailable } else { false }
            })
        #expect(results[100] == .connections(3))
    }

    @Test func roomsAreListedInOrderWhateverTheNumber() {
        var hub = hub()
        let names = (0..<500).map { "x\($0)" }
        hub.link(12, Dictionary(uniqueKeysWithValues: names.map { ($0, [1]) }), users: [:])
        let sorted = names.sorted()
        for limit in [0, 1, 3, 100, 499, 500, 501] {
            guard case .rooms(let rooms, let hasMore) = hub.backend(.rooms(prefix: "x", limit: limit))[0] else {
                return #expect(Bool(false))
            }
            #expect(rooms.map(\.name.text) == Array(sorted.prefix(limit)))
            #expect(hasMore == (limit < 500))
        }
    }

    @Test func broadcastsAndMessagesToUsers() {
        var hub = hub()
        let results = hub.backend(
            .broadcast(data: data, user: nil),
            .direct(UserName("ada"), data: data, messageID: MessageID("m"), from: UserName("eve")),
            .direct(UserName("nobody"), data: data, messageID: nil, from: nil))
        #expect(results == [.connections(3), .connections(2), .connections(0)])
        #expect(hub.deliveries == ["broadcast 0→[0, 1]", "direct 0→[0, 1]"])
        #expect(hub.told.delivered[1].delivery.room == RoomName("ada"))
        #expect(hub.told.delivered[1].delivery.user == UserName("eve"))
    }

    @Test func commandsGoToTheWorkersOfTheConnections() {
        var hub = hub()
        let ada = UserName("ada"), room = RoomName("x")
        let bob = ClientID(boot: BootID(rawValue: 11), serial: 2)
        let results = hub.backend(
            .disconnectUser(ada, .refusedByApplication, reason: "why"), .subscribe(ada, room), .unsubscribe(ada, room),
            .disconnectClient(bob, .normal, reason: ""),
            .disconnectClient(ClientID(boot: BootID(rawValue: 11), serial: 3), .normal, reason: ""),
            .disconnectClient(ClientID(boot: BootID(rawValue: 12), serial: 1), .normal, reason: ""))
        #expect(results == [2, 2, 2, 1, 0, 0].map { .connections($0) })
        let close = HubCommand.close(client: 1, .refusedByApplication, reason: "why")
        #expect(
            hub.told.commands.map(\.command) == [
                close, close, .subscribe(client: 1, room), .subscribe(client: 1, room), .unsubscribe(client: 1, room),
                .unsubscribe(client: 1, room), .close(client: 2, .normal, reason: ""),
            ])
        #expect(hub.told.commands.map(\.link) == [0, 1, 0, 1, 0, 1, 1])
    }

    @Test func questions() {
        var hub = hub()
        _ = hub.backend(.publish(RoomName("h2"), data: data, messageID: nil, user: nil))
        let results = hub.backend(
            .presence(RoomName("r"), countOnly: true), .presence(RoomName("h"), countOnly: false),
            .rooms(prefix: "h", limit: 1), .rooms(prefix: "", limit: 10), .user(UserName("bob")), .info)
        #expect(results[0] == .presence(members: 3, clients: nil))
        let ada = PresenceEntry(
            client: ClientID(boot: BootID(rawValue: 10), serial: 1), user: UserName("ada"),
            info: "{\"name\":\"ada\"}")
        #expect(results[1] == .presence(members: 1, clients: [ada]))
        guard case .rooms(let some, let hasMore) = results[2], case .rooms(let all, _) = results[3],
            case .user(let connections) = results[4], case .info(let figures) = results[5]
        else { return #expect(Bool(false)) }
        #expect(some.map(\.name.text) == ["h"])
        #expect(hasMore)
        #expect(all.map(\.name.text) == ["h", "h2", "r"])
        #expect(all.map(\.members) == [1, 0, 3])
        #expect(all.map(\.messages) == [0, 1, 0])
        #expect(connections.map(\.rooms) == [[RoomName("r")]])
        #expect(figures.clients == 3)
        #expect(figures.users == 2)
        #expect(figures.historyMessages == 1)
        #expect(figures.historyBytes == 2)
    }

    @Test func aWorkersCallThatIsRepeatedSendsNothingTwice() {
        var hub = hub()
        let calls: [BackendCall] = [
            .publish(RoomName("h"), data: data, messageID: nil, user: nil),
            .publish(RoomName("r"), data: data, messageID: nil, user: nil), .broadcast(data: data, user: nil),
            .removeHistory(RoomName("h2")),
        ]
        func call(_ hub: inout HubFixture, link: Int) -> [BackendResult] {
            var operation = HubOperation(sequence: 5, client: 0, request: .backend)
            operation.wantsReply = true
            hub.machine.stage(calls, sequence: 5, from: link, now: hub.now, wallTime: hub.wallTime)
            hub.commit()
            let outcome = hub.machine.received(
                operation, from: link, now: hub.now, wallTime: hub.wallTime, output: hub.told)
            return hub.machine.carryOut(
                calls, sequence: 5, from: link, isRepeated: outcome == .duplicate, now: hub.now,
                wallTime: hub.wallTime, output: hub.told)
        }
        let first = call(&hub, link: 0)
        #expect(hub.told.delivered.count == 3)
        #expect(hub.told.delivered[0].delivery.origin == BootID(rawValue: 10))
        #expect(hub.told.delivered[0].delivery.sequence == 5)
        hub.end(0)
        let link = hub.link(10, ["r": [1], "h": [1]], replayThrough: 5)
        hub.told.clear()
        let again = call(&hub, link: link)
        #expect(hub.told.delivered == [])
        guard case .published(let position, _, _) = first[0], case .published(let same, true, _) = again[0] else {
            return #expect(Bool(false))
        }
        #expect(position == same)
        #expect(again[3] == .historyRemoved(count: 0))
        // And by the next hub.
        var second = HubFixture(storage: hub.storage, seed: 2)
        let other = second.link(10, ["r": [1]], replayThrough: 5)
        let replayed = call(&second, link: other)
        guard case .published(let recorded, false, _) = replayed[0] else { return #expect(Bool(false)) }
        #expect(recorded == position)
        #expect(second.told.delivered.map(\.delivery.room.text) == ["r", ""])
    }
}
