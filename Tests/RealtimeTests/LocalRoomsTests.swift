import Model
import Testing

@testable import Realtime

struct LocalRoomsTests {
    private func rooms() -> LocalRooms<UInt64> { LocalRooms(rules: RoomRules(WsdConfiguration())) }

    @Test(arguments: 1...10 as ClosedRange<UInt64>)
    func agreesWithAPlainModel(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var rooms = rooms()
        var model: [String: [UInt64: Bool]] = [:]
        for _ in 0..<3_000 {
            let name = "room \(Int.random(in: 0..<6, using: &generator))"
            let room = RoomName(name)
            let client = UInt64.random(in: 1...12, using: &generator)
            switch Int.random(in: 0..<12, using: &generator) {
            case 0..<4:
                let isNew = model[name]?[client] != true
                #expect(rooms.join(room, client: client, member: client) == isNew)
                model[name, default: [:]][client] = true
            case 4..<6:
                rooms.beginJoin(room, client: client, member: client, sequence: 7)
                model[name, default: [:]][client] = false
            case 6:
                rooms.completeJoin(room, client: client)
                if model[name]?[client] != nil { model[name]?[client] = true }
            case 7..<10:
                let removed = model[name]?.removeValue(forKey: client) != nil
                #expect(rooms.leave(room, client: client) == removed)
            case 10:
                #expect(Set(rooms.rooms(of: client).map(\.text)) == Set(model.filter { $0.value[client] != nil }.keys))
                rooms.removeClient(client)
                for name in model.keys { model[name]?[client] = nil }
            default:
                #expect(rooms.contains(client, in: room) == (model[name]?[client] ?? false))
                #expect(rooms.isKnown(client, in: room) == (model[name]?[client] != nil))
                #expect((rooms.pendingJoin(of: client, in: room) != nil) == (model[name]?[client] == false))
            }
            model = model.filter { !$0.value.isEmpty }
            let live = model[name, default: [:]].filter(\.value).map(\.key)
            #expect(rooms.count == model.count)
            #expect(rooms.members(of: room).sorted() == live.sorted())
            #expect(rooms.roomCount(of: client) == model.values.count { $0[client] != nil })
        }
        var found: [String: Set<UInt64>] = [:]
        rooms.forEachRoom { found[$0.text] = Set($1) }
        #expect(found == model.mapValues { Set($0.filter(\.value).keys) }.filter { !$0.value.isEmpty })
        #expect(rooms.clientCount == Set(model.values.flatMap(\.keys)).count)
    }

    @Test func membersMayChangeWhileTheyAreWalkedOver() {
        var rooms = rooms()
        for client in 1...5 as ClosedRange<UInt64> { _ = rooms.join(RoomName("r"), client: client, member: client) }
        var seen: [UInt64] = []
        for member in rooms.members(of: RoomName("r")) {
            seen.append(member)
            rooms.removeClient(member)
        }
        #expect(seen == [1, 2, 3, 4, 5])
        #expect(rooms.count == 0)
    }

    @Test func roomNamesAreTheirBytes() {
        let composed = RoomName("\u{e9}"), decomposed = RoomName("e\u{301}")
        #expect(composed != decomposed)
        #expect(composed.text == decomposed.text)
        #expect(Set([composed, decomposed, composed]).count == 2)
    }

    @Test func rulesFollowAReload() {
        var rooms = rooms()
        _ = rooms.join(RoomName("a"), client: 1, member: 1)
        #expect(!rooms.rule(for: RoomName("a")).keepsHistory)
        var configuration = WsdConfiguration()
        var rule = RoomRule(match: "a*")
        rule.historySize = 5
        configuration.rooms.rules = [rule]
        rooms.setRules(RoomRules(configuration))
        #expect(rooms.rule(for: RoomName("a")).historySize == 5)
        #expect(rooms.rule(for: RoomName("ab")).historySize == 5)
        #expect(rooms.rule(for: RoomName("b")).historySize == 0)
    }
}

struct LocalClientsTests {
    private func registration(_ user: String?) -> ClientRegistration {
        ClientRegistration(
            session: SessionID(rawValue: 1), user: user.map { UserName($0) }, addressKey: "", origin: "")
    }

    @Test func usersAreFoundByTheirConnections() {
        var clients = LocalClients<String>()
        clients.insert(1, member: "one", registration: registration("ada"))
        clients.insert(2, member: "two", registration: registration(nil))
        clients.insert(3, member: "three", registration: registration("ada"))
        #expect(clients.members(of: UserName("ada")) == ["one", "three"])
        #expect(clients.userCount == 1)
        #expect(clients.update(2, registration: registration("bob")) == true)
        #expect(clients.update(3, registration: registration("bob")) == true)
        #expect(clients.update(9, registration: registration("bob")) == false)
        #expect(clients.members(of: UserName("ada")) == ["one"])
        #expect(clients.serials(of: UserName("bob")) == [2, 3])
        #expect(clients.user(of: 3) == UserName("bob"))
        #expect(clients.remove(2) == true)
        #expect(clients.remove(2) == false)
        #expect(clients.remove(3) == true)
        #expect(clients.members(of: UserName("bob")) == [])
        #expect(clients.userCount == 1)
        #expect(clients.count == 1)
    }

    @Test(arguments: 1...5 as ClosedRange<UInt64>)
    func agreesWithAPlainModel(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var clients = LocalClients<UInt64>()
        var model: [UInt64: String?] = [:]
        for _ in 0..<2_000 {
            let client = UInt64.random(in: 1...10, using: &generator)
            let user = ["a", "b", "c", nil].randomElement(using: &generator) ?? nil
            switch Int.random(in: 0..<3, using: &generator) {
            case 0:
                clients.insert(client, member: client, registration: registration(user))
                model[client] = .some(user)
            case 1:
                let isKnown = model[client] != nil
                #expect(clients.update(client, registration: registration(user)) == isKnown)
                if isKnown { model[client] = .some(user) }
            default:
                #expect(clients.remove(client) == (model.removeValue(forKey: client) != nil))
            }
            for user in ["a", "b", "c"] {
                let expected = model.filter { $0.value == user }.keys.sorted()
                #expect(clients.serials(of: UserName(user)).sorted() == expected)
            }
        }
    }
}

struct DeliveryFilterTests {
    @Test func onlyGrowingSequencesPass() {
        var filter = DeliveryFilter()
        let origin = BootID(rawValue: 1), other = BootID(rawValue: 2)
        var admitted: [UInt64] = []
        for sequence in [1, 2, 2, 1, 5, 4, 6] as [UInt64] where filter.admit(origin: origin, sequence: sequence) {
            admitted.append(sequence)
        }
        #expect(admitted == [1, 2, 5, 6])
        #expect(filter.admit(origin: other, sequence: 1) == true)
    }

    @Test func longestSilentOriginIsForgottenFirst() {
        var filter = DeliveryFilter(capacity: 3)
        for origin in 1...3 as ClosedRange<UInt64> {
            #expect(filter.admit(origin: BootID(rawValue: origin), sequence: 10) == true)
        }
        #expect(filter.admit(origin: BootID(rawValue: 1), sequence: 11) == true)
        #expect(filter.admit(origin: BootID(rawValue: 4), sequence: 1) == true)
        #expect(filter.count == 3)
        #expect(filter.admit(origin: BootID(rawValue: 1), sequence: 11) == false)
        #expect(filter.admit(origin: BootID(rawValue: 2), sequence: 10) == true)
    }
}
