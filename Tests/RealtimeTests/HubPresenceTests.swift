import Model
import Realtime
import Testing

/// Who is there, who has only gone for a moment, who types, who has read what.
struct HubPresenceTests {
    /// Room `r` with ada (client 1, link 0) and bob (client 1, link 1), both of a dialect that may return.
    private func hub(_ change: (inout WsdConfiguration) -> Void = { _ in }) -> HubFixture {
        var configuration = HubFixture.configuration()
        change(&configuration)
        var hub = HubFixture(configuration)
        hub.link(10, users: [1: "ada"], mayReturn: true)
        hub.link(11, users: [1: "bob"], mayReturn: true)
        hub.perform(.join("r"), link: 0)
        hub.perform(.join("r"), link: 1)
        hub.told.clear()
        return hub
    }

    private func connect(_ hub: inout HubFixture, _ client: UInt64, link: Int, user: String?, session: UInt64) {
        hub.perform(.connect(HubFixture.registration(session, user)), client: client, link: link)
        hub.told.clear()
    }

    @Test func joinsSayWhoItIs() {
        var hub = hub()
        connect(&hub, 2, link: 0, user: "eve", session: 7)
        hub.perform(.join("r", presence: true), client: 2, link: 0)
        #expect(hub.joined?.members == 3)
        #expect(Set(hub.joined?.presence?.map { $0.user?.text } ?? []) == ["ada", "bob", "eve"])
        #expect(hub.deliveries == ["userJoined 2→[1, 0]"] || hub.deliveries == ["userJoined 2→[0, 1]"])
        #expect(hub.told.delivered[0].delivery.user == UserName("eve"))
        #expect(hub.told.delivered[0].text == "{\"name\":\"eve\"}")
        hub.perform(.presence(RoomName("r"), countOnly: true))
        #expect(hub.lastReply == .presence(members: 3, clients: nil))
        hub.perform(.presence(RoomName("nobody"), countOnly: false))
        #expect(hub.lastReply == .presence(members: 0, clients: []))
    }

    @Test func aReturnWithinTheGraceTimeIsNeitherLeaveNorJoin() {
        var hub = hub()
        hub.perform(.disconnect(mayReturn: true), link: 0)
        hub.advance(.seconds(4))
        #expect(hub.deliveries == [])
        #expect(hub.machine.memberCount(of: RoomName("r")) == 1)
        hub.perform(.presence(RoomName("r"), countOnly: false), link: 1)
        guard case .presence(let members, let clients) = hub.lastReply else { return #expect(Bool(false)) }
        #expect(members == 2)
        #expect(clients?.count == 2)
        connect(&hub, 5, link: 1, user: "ada", session: 77)
        hub.perform(.join("r", session: 10_001, presence: true), client: 5, link: 1)
        #expect(hub.joined?.members == 2)
        #expect(hub.joined?.presence?.compactMap { $0.user?.text }.sorted() == ["ada", "bob"])
        hub.advance(.seconds(10))
        #expect(hub.deliveries == [])
        #expect(hub.machine.figures.returned == 1)
        #expect(hub.machine.figures.departed == 0)
        // The others know it under its first id.
        hub.perform(.presence(RoomName("r"), countOnly: false), link: 1)
        guard case .presence(_, let now) = hub.lastReply else { return }
        let ada = ClientID(boot: BootID(rawValue: 10), serial: 1)
        #expect(now?.contains { $0.client == ada } == true)
        hub.perform(.leave("r"), client: 5, link: 1)
        #expect(hub.told.delivered.map(\.delivery.subject) == [ada])
    }

    @Test func aConnectionStillBelievedAliveGivesItsPlace() {
        var hub = hub()
        connect(&hub, 5, link: 1, user: "ada", session: 77)
        hub.perform(.join("r", session: 10_001), client: 5, link: 1)
        #expect(hub.deliveries == [])
        #expect(
            hub.told.commands.map(\.command) == [
                .close(client: 1, .replaced, reason: "resumed by a newer connection")
            ])
        #expect(hub.told.commands.map(\.link) == [0])
        #expect(hub.machine.memberCount(of: RoomName("r")) == 2)
        // What its worker says of it afterwards is no news.
        hub.perform(.leave("r"), link: 0)
        hub.perform(.disconnect(mayReturn: true), link: 0)
        hub.advance(.seconds(10))
        #expect(hub.deliveries == [])
        hub.perform(.leave("r"), client: 5, link: 1)
        #expect(hub.told.delivered.map(\.delivery.subject) == [ClientID(boot: BootID(rawValue: 10), serial: 1)])
    }

    @Test func anotherUserTakesNoPlaceOver() {
        var hub = hub()
        connect(&hub, 5, link: 1, user: "eve", session: 77)
        hub.perform(.join("r", session: 10_001), client: 5, link: 1)
        #expect(hub.told.commands.isEmpty)
        #expect(hub.machine.memberCount(of: RoomName("r")) == 3)
    }

    @Test func whoDoesNotReturnIsMissedOnce() {
        var hub = hub()
        hub.perform(.disconnect(mayReturn: true), link: 0)
        hub.advance(.seconds(5))
        #expect(hub.deliveries == ["userLeft 1→[1]"])
        #expect(hub.told.delivered[0].delivery.user == UserName("ada"))
        connect(&hub, 5, link: 0, user: "ada", session: 77)
        hub.perform(.join("r", session: 10_001), client: 5, link: 0)
        #expect(hub.deliveries == ["userJoined 5→[1]"])
    }

    @Test func anotherUserDoesNotInheritThePlace() {
        var hub = hub()
        hub.perform(.disconnect(mayReturn: true), link: 0)
        connect(&hub, 5, link: 0, user: "eve", session: 77)
        hub.perform(.join("r", session: 10_001), client: 5, link: 0)
        #expect(hub.deliveries == ["userJoined 5→[1]"])
        hub.advance(.seconds(5))
        #expect(hub.deliveries.count == 2)
    }

    @Test func withoutGraceTheLeaveIsToldAtOnce() {
        var hub = hub { $0.rooms.presenceGrace = .zero }
        hub.perform(.disconnect(mayReturn: true), link: 0)
        #expect(hub.deliveries == ["userLeft 1→[1]"])
        var patient = self.hub()
        patient.perform(.disconnect(mayReturn: false), link: 0)
        #expect(patient.deliveries == ["userLeft 1→[1]"])
    }

    @Test func clientsOfADeadWorkerMayReturnElsewhere() {
        var hub = hub()
        hub.end(0)
        #expect(hub.deliveries == [])
        connect(&hub, 5, link: 1, user: "ada", session: 77)
        hub.perform(.join("r", session: 10_001), client: 5, link: 1)
        hub.advance(.seconds(10))
        #expect(hub.deliveries == [])
    }

    @Test func aWorkerThatOnlyLostItsLinkReturnsSilently() {
        var hub = hub()
        hub.end(0)
        hub.link(10, ["r": [1]], users: [1: "ada"], mayReturn: true)
        hub.advance(.seconds(10))
        #expect(hub.deliveries == [])
        #expect(hub.machine.memberCount(of: RoomName("r")) == 2)
    }

    @Test func theRoomIsEmptyOnlyWhenNobodyMayReturn() {
        var hub = hub { $0.webhooks.roomEmpty.url = "http://localhost/" }
        hub.perform(.disconnect(mayReturn: true), link: 0)
        hub.perform(.leave("r"), link: 1)
        #expect(hub.told.commands.isEmpty)
        hub.advance(.seconds(5))
        #expect(hub.told.commands.map(\.command) == [.roomEmpty(RoomName("r"))])
        #expect(hub.machine.roomCount == 0)
    }

    // MARK: Typing

    @Test func typingIsToldAndStopsByItself() {
        var hub = hub()
        let typing = HubRequest.typing(RoomName("r"), true)
        hub.perform(typing)
        hub.advance(.seconds(2))
        hub.perform(typing)
        #expect(hub.deliveries == ["typingStarted 1→[1]"])
        hub.advance(.seconds(2))
        hub.perform(typing)
        #expect(hub.deliveries.count == 2)
        hub.advance(.seconds(5))
        #expect(hub.deliveries.count == 2)
        hub.advance(.seconds(1))
        #expect(hub.deliveries.last == "typingStopped 1→[1]")
        hub.advance(.seconds(20))
        #expect(hub.deliveries.count == 3)
    }

    @Test func typingEndsWithTheMembership() {
        var hub = hub { $0.rooms.presenceGrace = .zero }
        for end in [HubRequest.leave("r"), .disconnect(mayReturn: true), .typing(RoomName("r"), false)] {
            hub.perform(.join("r"))
            hub.perform(.typing(RoomName("r"), true))
            hub.told.clear()
            hub.perform(end)
            #expect(hub.told.delivered.first?.delivery.kind == .typingStopped)
            hub.told.clear()
            hub.perform(.typing(RoomName("r"), false))
            hub.perform(.typing(RoomName("elsewhere"), true))
            #expect(hub.deliveries == [])
        }
    }

    @Test func typingIsNotToldInBigRooms() {
        var hub = hub { $0.rooms.announceMax = 1 }
        hub.perform(.typing(RoomName("r"), true))
        #expect(hub.deliveries == [])
    }

    // MARK: Read marks

    private func read(_ hub: inout HubFixture, _ offset: UInt64, _ room: String = "h", client: UInt64 = 1) {
        hub.perform(.read(RoomName(room), offset: offset), client: client)
    }

    @Test func readMarksGrowAndLast() throws {
        var hub = hub()
        hub.perform(.join("h"), link: 0)
        hub.perform(.join("h"), link: 1)
        for _ in 0..<5 { hub.perform(.publish("h"), link: 1) }
        hub.told.clear()
        read(&hub, 3)
        #expect(hub.deliveries == ["read 1→[1]"])
        #expect(hub.told.delivered[0].delivery.offset == 3)
        #expect(hub.told.delivered[0].delivery.user == UserName("ada"))
        read(&hub, 3)
        read(&hub, 2)
        #expect(hub.deliveries.count == 1)
        read(&hub, 6)
        #expect(hub.refusal == .invalidPosition)
        read(&hub, 5)
        #expect(hub.deliveries.count == 2)
        #expect(try hub.storage?.load(RoomName("h"))?.readMarks == [UserName("ada"): 5])
        hub.storage?.failsToCommit = true
        for _ in 0..<2 { hub.perform(.publish("h"), link: 1) }
        hub.told.clear()
        read(&hub, 5)
        #expect(hub.told.delivered == [])

        var second = HubFixture(storage: hub.storage, seed: 2)
        second.storage?.failsToCommit = false
        second.link(12, ["h": [1, 2]], users: [1: "ada", 2: "bob"])
        second.told.clear()
        read(&second, 5)
        #expect(second.deliveries == [])
        second.perform(.publish("h"))
        second.storage?.failsToCommit = true
        read(&second, 6)
        #expect(second.refusal == .storageFailed)
        second.storage?.failsToCommit = false
        second.told.clear()
        read(&second, 6)
        #expect(second.deliveries == ["read 1→[0]"])
    }

    @Test func anonymousReadersAndRoomsWithoutHistory() {
        var hub = hub()
        hub.perform(.join("r"), client: 9)
        hub.told.clear()
        read(&hub, 7, "r", client: 9)
        #expect(hub.told.delivered.map(\.delivery.offset) == [7])
        #expect(hub.told.delivered[0].delivery.user == nil)
        read(&hub, 7, "r", client: 9)
        read(&hub, 8, "r", client: 10)
        read(&hub, 8, "nobody", client: 9)
        #expect(hub.told.delivered.count == 1)
        #expect(hub.refusal == nil)
        #expect(hub.storage?.commits.isEmpty == true)
    }
}
