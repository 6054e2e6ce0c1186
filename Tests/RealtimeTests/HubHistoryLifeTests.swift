import Model
import Realtime
import Testing

/// How long a room's history is in memory and in the storage.
struct HubHistoryLifeTests {
    /// A hub whose room `h` has member 1 (link 0) and that many messages.
    private func hub(messages: Int, _ configuration: WsdConfiguration = HubFixture.configuration()) -> HubFixture {
        var hub = HubFixture(configuration)
        hub.link(10, users: [1: "ada", 2: nil])
        hub.perform(.join("h"))
        for number in 1...messages { hub.perform(.publish("h"), data: "m\(number)") }
        return hub
    }

    @Test func idleRoomsLeaveTheMemoryAndExpiredOnesTheStorage() throws {
        var hub = hub(messages: 2, HubFixture.configuration(ttl: .seconds(600)))
        hub.perform(.leave("h"))
        #expect(hub.machine.figures.historyRooms == 1)
        hub.advance(.seconds(75))
        #expect(hub.machine.figures.historyRooms == 0)
        #expect(try hub.storage?.load(RoomName("h"))?.entries.count == 2)
        hub.perform(.publish("h"))
        #expect(hub.position?.offset == 3)
        let epoch = try #require(hub.position?.epoch)
        hub.advance(.seconds(800))
        #expect(try hub.storage?.load(RoomName("h")) == nil)
        hub.perform(.publish("h"))
        #expect(hub.position?.offset == 1)
        #expect(hub.position?.epoch != epoch)
    }

    @Test func aQuietRoomWithMembersKeepsItsEpoch() throws {
        var hub = hub(messages: 2, HubFixture.configuration(ttl: .seconds(60)))
        let position = try #require(hub.position)
        hub.advance(.seconds(3000))
        #expect(try hub.storage?.position(of: RoomName("h")) == position)
        hub.perform(.publish("h"))
        #expect(hub.position == RoomPosition(epoch: position.epoch, offset: 3))
    }

    @Test func inMemoryAloneARoomIsKeptWhileThereIsAnything() throws {
        var hub = HubFixture(HubFixture.configuration(ttl: .seconds(600)), storage: nil)
        hub.link(10)
        hub.perform(.publish("h"), data: "m")
        let position = try #require(hub.position)
        hub.advance(.seconds(500))
        hub.perform(.publish("h"), data: "m")
        #expect(hub.position == RoomPosition(epoch: position.epoch, offset: 2))
        #expect(hub.machine.stagedWrites.isEmpty)
        hub.advance(.seconds(2000))
        #expect(hub.machine.figures.historyRooms == 0)
        hub.perform(.publish("h"), data: "m")
        #expect(hub.position?.epoch != position.epoch)
    }

    @Test func theStorageIsTrimmedNowAndThen() throws {
        var hub = hub(messages: 60, HubFixture.configuration(size: 10))
        let trims = hub.storage?.commits.joined().filter { if case .trim = $0 { true } else { false } }
        #expect(trims?.count == 1)
        hub.advance(.seconds(10))
        #expect(try hub.storage?.load(RoomName("h"))?.entries.map(\.offset) == Array(51...60))
    }

    @Test func aRuleWithoutHistoryForgetsIt() {
        var hub = hub(messages: 2)
        hub.machine.configure(WsdConfiguration())
        hub.told.clear()
        hub.perform(.publish("h"), client: 2)
        #expect(hub.told.delivered.map(\.delivery.position) == [nil])
        #expect(hub.machine.figures.historyRooms == 0)
        hub.machine.configure(HubFixture.configuration())
        hub.perform(.publish("h"), client: 2)
        #expect(hub.position?.offset == 3)
    }

    /// Nothing else than a storage that lost its end brings a worker with more than is recorded.
    @Test func aStorageThatLostItsEndMeansANewEpoch() throws {
        let first = hub(messages: 3)
        let epoch = try #require(first.position?.epoch)
        var hub = HubFixture(HubFixture.configuration(), storage: first.storage, expectedLinks: 3, seed: 2)
        let behind = hub.link(10, ["h": [1]], positions: ["h": RoomPosition(epoch: epoch, offset: 2)])
        #expect(hub.told.delivered.map(\.delivery.position?.offset) == [3])
        let ahead = hub.link(11, ["h": [5]], positions: ["h": RoomPosition(epoch: epoch, offset: 7)])
        #expect(hub.told.commands.map(\.link) == [behind, ahead])
        #expect(hub.told.commands.allSatisfy { $0.command == .membersMissed(RoomName("h")) })
        hub.advance(.seconds(2))
        _ = hub.machine.isServing(now: hub.now)
        hub.perform(.publish("h"), link: behind, data: "new")
        let position = try #require(hub.position)
        #expect(position.epoch != epoch && position.offset == 1)
        #expect(try hub.storage?.load(RoomName("h"))?.entries.map(\.offset) == [1])
        hub.perform(.join("h", since: RoomPosition(epoch: epoch, offset: 1)), client: 2, link: behind)
        #expect(hub.joined?.recovery == .failed(.epochChanged))
    }
}
