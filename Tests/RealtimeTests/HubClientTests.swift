import Model
import Realtime
import Testing

/// The registry: limits over all workers, and whose connections are whose.
struct HubClientTests {
    private func hub(links: Int = 2, _ change: (inout LimitsConfiguration) -> Void = { _ in }) -> HubFixture {
        var configuration = HubFixture.configuration()
        change(&configuration.limits)
        var hub = HubFixture(configuration)
        for link in 0..<links { hub.link(UInt64(10 + link)) }
        return hub
    }

    private func connect(
        _ hub: inout HubFixture, _ client: UInt64, link: Int = 0, user: String? = nil, address: String = "10.0.0.1",
        origin: String = "https://a"
    ) -> CloseCode? {
        let session = UInt64(link) * 1000 + client
        let registration = HubFixture.registration(session, user, address: address, origin: origin)
        hub.perform(.connect(registration), client: client, link: link)
        return hub.rejection
    }

    @Test func limitsCountOverAllWorkers() {
        var hub = hub {
            $0.connections = 5
            $0.connectionsPerAddress = 2
            $0.connectionsPerOrigin = 3
        }
        #expect(connect(&hub, 1, link: 0, address: "a", origin: "x") == nil)
        #expect(connect(&hub, 1, link: 1, address: "a", origin: "x") == nil)
        #expect(connect(&hub, 2, link: 1, address: "a", origin: "x") == .tooManyConnections)
        #expect(connect(&hub, 3, link: 1, address: "b", origin: "x") == nil)
        #expect(connect(&hub, 4, link: 1, address: "b", origin: "x") == .tooManyConnections)
        #expect(connect(&hub, 5, link: 0, address: "", origin: "") == nil)
        #expect(connect(&hub, 6, link: 0, address: "", origin: "") == nil)
        #expect(connect(&hub, 7, link: 0, address: "c", origin: "") == .tooManyConnections)
        let figures = hub.machine.figures
        #expect(figures.clients == 5)
        #expect([figures.refusedPerAddress, figures.refusedPerOrigin, figures.refusedTotal] == [1, 1, 1])
        hub.perform(.disconnect(mayReturn: false), client: 1, link: 0)
        #expect(connect(&hub, 2, link: 1, address: "a", origin: "x") == nil)
        hub.end(1)
        #expect(hub.machine.figures.clients == 2)
        #expect(connect(&hub, 8, link: 0, address: "b", origin: "x") == nil)
    }

    @Test func theOldestOfAUserMakesWay() {
        var hub = hub { $0.connectionsPerUser = 2 }
        for (client, link) in [(1, 0), (1, 1), (2, 0), (2, 1)] as [(UInt64, Int)] {
            #expect(connect(&hub, client, link: link, user: "ada") == nil)
        }
        let close = HubCommand.close(client: 1, .replaced, reason: "replaced by a newer connection")
        #expect(hub.told.commands.map(\.command) == [close, close])
        #expect(hub.told.commands.map(\.link) == [0, 1])
        #expect(hub.machine.figures.replaced == 2)
        // Still connected, but no longer the user's.
        #expect(hub.machine.figures.clients == 4)
        #expect(hub.backend(.disconnectUser(UserName("ada"), .refusedByApplication, reason: "")) == [.connections(2)])
        hub.perform(.disconnect(mayReturn: false), client: 1, link: 0)
        #expect(hub.machine.figures.clients == 3)
        #expect(connect(&hub, 3, user: "bob") == nil)
        #expect(hub.machine.figures.users == 2)
    }

    @Test func theNewestOfAUserIsRefusedWhereThatIsThePolicy() {
        var hub = hub {
            $0.connectionsPerUser = 1
            $0.perUserPolicy = .refuseNewest
        }
        #expect(connect(&hub, 1, user: "ada") == nil)
        #expect(connect(&hub, 1, link: 1, user: "ada") == .tooManyForUser)
        #expect(connect(&hub, 2) == nil)
        #expect(connect(&hub, 3, user: "bob") == nil)
        hub.perform(.identify(HubFixture.registration(2, "bob")), client: 2)
        #expect(hub.rejection == .tooManyForUser)
        hub.perform(.identify(HubFixture.registration(2, "eve")), client: 2)
        #expect(hub.lastReply == .admitted)
        hub.perform(.identify(HubFixture.registration(2, "eve")), client: 2)
        #expect(hub.lastReply == .admitted)
        #expect(hub.machine.figures.users == 3)
        #expect(hub.machine.figures.refusedPerUser == 2)
    }

    @Test func identityChangesWhoseConnectionItIs() {
        var hub = hub()
        _ = connect(&hub, 1)
        hub.perform(.identify(HubFixture.registration(1, "ada")), client: 1)
        hub.perform(.direct(UserName("ada"), nil), client: 9, link: 1)
        #expect(hub.deliveries == ["direct 9→[0]"])
        #expect(hub.told.delivered[0].delivery.room == RoomName("ada"))
        hub.perform(.identify(HubFixture.registration(1, "bob")), client: 1)
        hub.told.clear()
        hub.perform(.direct(UserName("ada"), nil), client: 9, link: 1)
        #expect(hub.deliveries == [])
        #expect(hub.machine.figures.users == 1)
    }

    @Test func theSnapshotCountsWhateverTheLimits() {
        var hub = hub(links: 0) { $0.connectionsPerAddress = 1 }
        let link = hub.link(10, users: [1: "ada", 2: "ada"], replayThrough: 1)
        #expect(hub.machine.figures.clients == 2)
        hub.perform(.connect(HubFixture.registration(10_001, "ada")), client: 1, link: link, sequence: 1)
        #expect(hub.lastReply == .admitted)
        #expect(hub.machine.figures.clients == 2)
        #expect(connect(&hub, 3, link: link) == .tooManyConnections)
    }

    @Test func connectingTooOftenIsRefused() {
        var hub = hub { $0.connectRate = RateLimit(perSecond: 1, burst: 2) }
        #expect(connect(&hub, 1) == nil)
        #expect(connect(&hub, 2) == nil)
        #expect(connect(&hub, 3) == .tooManyConnections)
        #expect(connect(&hub, 4, address: "b") == nil)
        hub.advance(.seconds(1))
        #expect(connect(&hub, 5) == nil)
        #expect(hub.machine.figures.refusedByRate == 1)
    }

    @Test func ratesCountOverAllConnections() {
        var hub = hub {
            $0.userRate = RateLimit(perSecond: 1, burst: 2)
            $0.addressRate = RateLimit(perSecond: 1, burst: 3)
        }
        _ = connect(&hub, 1, link: 0, user: "ada", address: "a")
        _ = connect(&hub, 1, link: 1, user: "ada", address: "b")
        _ = connect(&hub, 2, link: 1, user: "bob", address: "b")
        hub.perform(.publish("r"), client: 1, link: 0)
        hub.perform(.publish("h"), client: 1, link: 1)
        hub.perform(.publish("h"), client: 1, link: 0)
        #expect(hub.refusal == .rateLimited)
        guard case .refused(let refusal) = hub.lastReply else { return }
        #expect(refusal.retryAfter == .seconds(1))
        hub.perform(.broadcast, client: 1, link: 0)
        #expect(hub.refusal == .rateLimited)
        hub.perform(.direct(UserName("bob"), nil), client: 2, link: 1)
        hub.perform(.typing(RoomName("r"), true), client: 2, link: 1)
        hub.perform(.read(RoomName("h"), offset: 1), client: 2, link: 1)
        #expect(hub.refusal == .rateLimited)
        #expect(hub.machine.figures.rateLimited == 3)
        hub.advance(.seconds(1))
        hub.perform(.publish("r"), client: 1, link: 0)
        #expect(hub.refusal == nil)
    }

    @Test func whatIsReplayedIsNotLimited() {
        var hub = hub(links: 0) { $0.userRate = RateLimit(perSecond: 1, burst: 1) }
        let link = hub.link(10, users: [1: "ada"], replayThrough: 3)
        for room in ["r", "h", "r"] {
            hub.perform(.publish(room), link: link)
            #expect(hub.refusal == nil)
        }
        hub.perform(.publish("h"), link: link)
        #expect(hub.refusal == nil)
        hub.perform(.publish("h"), link: link)
        #expect(hub.refusal == .rateLimited)
    }
}
