internal import Model

/// Which clients of which link are in which room. Links and rooms are small dense numbers here.
struct HubRooms {
    struct Room {
        var name: RoomName
        var memberCount = 0
        /// Links with at least one member.
        var links: [(link: Int, members: Set<UInt64>)] = []
    }

    private(set) var rooms: [Room] = []
    private var free: [Int] = []
    private var indexes: [RoomName: Int] = [:]
    /// Rooms with members, for each link.
    private var roomsOfLink: [Int: Set<Int>] = [:]

    /// Rooms with members.
    var count: Int { indexes.count }

    func index(of name: RoomName) -> Int? { indexes[name] }

    /// Adds a member; the room, and whether it is new there.
    mutating func insert(_ client: UInt64, link: Int, room name: RoomName) -> (room: Int, inserted: Bool) {
        let index = indexes[name] ?? makeRoom(name)
        let place: Int
        if let known = rooms[index].links.firstIndex(where: { $0.link == link }) {
            place = known
        } else {
            place = rooms[index].links.count
            rooms[index].links.append((link, []))
            roomsOfLink[link, default: []].insert(index)
        }
        let inserted = rooms[index].links[place].members.insert(client).inserted
        if inserted { rooms[index].memberCount += 1 }
        return (index, inserted)
    }

    /// Takes a member out; `false` when it was none. A room without members goes.
    mutating func remove(_ client: UInt64, link: Int, room index: Int) -> Bool {
        guard let place = rooms[index].links.firstIndex(where: { $0.link == link }),
            rooms[index].links[place].members.remove(client) != nil
        else { return false }
        rooms[index].memberCount -= 1
        if rooms[index].links[place].members.isEmpty {
            rooms[index].links.remove(at: place)
            roomsOfLink[link]?.remove(index)
        }
        dropIfEmpty(index)
        return true
    }

    /// Takes all members of a link out. Rooms and members in ascending order, for the same result on each run.
    mutating func removeLink(_ link: Int) -> [(room: RoomName, members: [UInt64], before: Int)] {
        let left = roomsOfLink.removeValue(forKey: link) ?? []
        return left.sorted().compactMap { index in
            guard let place = rooms[index].links.firstIndex(where: { $0.link == link }) else { return nil }
            let members = rooms[index].links.remove(at: place).members
            let before = rooms[index].memberCount
            rooms[index].memberCount -= members.count
            let name = rooms[index].name
            dropIfEmpty(index)
            return (name, members.sorted(), before)
        }
    }

    /// All memberships of a link, in ascending order.
    func memberships(of link: Int) -> [(room: Int, members: [UInt64])] {
        (roomsOfLink[link] ?? []).sorted().compactMap { index in
            rooms[index].links.first { $0.link == link }.map { (index, $0.members.sorted()) }
        }
    }

    /// Links with a member of the room, leaving out the one whose only member is `excluded`.
    func targets(of index: Int, except excluded: (link: Int, client: UInt64)?, into targets: inout [Int]) {
        for entry in rooms[index].links {
            if let excluded, entry.link == excluded.link, entry.members.count == 1,
                entry.members.contains(excluded.client)
            {
                continue
            }
            targets.append(entry.link)
        }
    }

    /// Each room with its number of members.
    func forEach(_ body: (RoomName, Int) -> Void) {
        for room in rooms where room.memberCount > 0 { body(room.name, room.memberCount) }
    }

    private mutating func makeRoom(_ name: RoomName) -> Int {
        let index: Int
        if let reused = free.popLast() {
            index = reused
            rooms[index] = Room(name: name)
        } else {
            index = rooms.count
            rooms.append(Room(name: name))
        }
        indexes[name] = index
        return index
    }

    private mutating func dropIfEmpty(_ index: Int) {
        guard rooms[index].memberCount == 0 else { return }
        indexes[rooms[index].name] = nil
        rooms[index] = Room(name: RoomName(""))
        free.append(index)
    }
}
