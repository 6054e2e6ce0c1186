import Model
import Realtime
import Testing

struct LocalRoomsTests {
    @Test(arguments: 1...10 as ClosedRange<UInt64>)
    func agreesWithAPlainModel(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var rooms = LocalRooms<UInt64>()
        var model: [String: Set<UInt64>] = [:]
        for _ in 0..<3_000 {
            let name = "room \(Int.random(in: 0..<6, using: &generator))"
            let client = UInt64.random(in: 1...12, using: &generator)
            switch Int.random(in: 0..<10, using: &generator) {
            case 0..<5:
                let inserted = model[name, default: []].insert(client).inserted
                #expect(rooms.join(RoomName(name), client: client, member: client) == inserted)
            case 5..<8:
                let removed = model[name]?.remove(client) != nil
                #expect(rooms.leave(RoomName(name), client: client) == removed)
            case 8:
                let left = Set(rooms.removeClient(client).map(\.text))
                #expect(left == Set(model.filter { $0.value.contains(client) }.keys))
                for name in left { model[name]?.remove(client) }
            default:
                #expect(rooms.contains(client, in: RoomName(name)) == (model[name]?.contains(client) ?? false))
            }
            model = model.filter { !$0.value.isEmpty }
            #expect(rooms.count == model.count)
            #expect(Set(rooms.members(of: RoomName(name))) == model[name, default: []])
            #expect(rooms.members(of: RoomName(name)).count == model[name, default: []].count)
            #expect(rooms.roomCount(of: client) == model.values.count { $0.contains(client) })
        }
        var found: [String: Set<UInt64>] = [:]
        rooms.forEachRoom { found[$0.text] = Set($1) }
        #expect(found == model)
        #expect(rooms.clientCount == Set(model.values.joined()).count)
    }

    @Test func membersMayChangeWhileTheyAreWalkedOver() {
        var rooms = LocalRooms<UInt64>()
        for client in 1...5 as ClosedRange<UInt64> { _ = rooms.join(RoomName("r"), client: client, member: client) }
        var seen: [UInt64] = []
        for member in rooms.members(of: RoomName("r")) {
            seen.append(member)
            _ = rooms.removeClient(member)
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
