internal import Model

/// Which clients of which link are in which room, and what else is known of a room. Links and rooms are small dense
/// numbers here.
struct HubRooms {
    /// A client that is gone and may return: the others still believe it to be there.
    struct Lingering {
        /// Under which it was announced.
        var client: ClientID
        var user: UserName?
        var info: String?
    }

    struct Room {
        var name: RoomName
        var rule: ResolvedRoomRule
        var memberCount = 0
        /// Links with at least one member.
        var links: [(link: Int, members: Set<UInt64>)] = []
        /// `nil`: not in memory, or the room keeps none.
        var history: RoomHistory?
        var readMarks = ReadMarks()
        var lingering: [SessionID: Lingering] = [:]
        /// Under which id the others know a member that has come back with another one.
        var aliases: [ClientRegistry.Key: ClientID] = [:]
        var lastUse = MonotonicTime.zero
        var isInUse = true

        /// Members, with those who are only away for a moment.
        var presentCount: Int { memberCount + lingering.count }
    }

    /// By number; read and change what is in a room, but not who is.
    var list: [Room] = []
    private var free: [Int] = []
    private var indexes: [RoomName: Int] = [:]
    /// Rooms with members, for each link.
    private var roomsOfLink: [Set<Int>] = []
    /// Rooms of each client, for each link.
    private var roomsOfClient: [[UInt64: [Int]]] = []
    private let rule: ResolvedRoomRule

    /// `rule`: any; it stands in places that are free.
    init(rule: ResolvedRoomRule) {
        self.rule = rule
    }

    /// Rooms with members.
    private(set) var count = 0

    /// Memberships, over all rooms and links.
    private(set) var membershipCount = 0

    func index(of name: RoomName) -> Int? { indexes[name] }

    /// Makes room for a room that is not there.
    mutating func make(_ name: RoomName, rule: ResolvedRoomRule) -> Int {
        let index: Int
        if let reused = free.popLast() {
            index = reused
            list[index] = Room(name: name, rule: rule)
        } else {
            index = list.count
            list.append(Room(name: name, rule: rule))
        }
        indexes[name] = index
        return index
    }

    /// Adds a member; `false` when it is there.
    mutating func insert(_ client: UInt64, link: Int, room index: Int) -> Bool {
        while roomsOfLink.count <= link {
            roomsOfLink.append([])
            roomsOfClient.append([:])
        }
        let place: Int
        if let known = list[index].links.firstIndex(where: { $0.link == link }) {
            place = known
        } else {
            place = list[index].links.count
            list[index].links.append((link, []))
            roomsOfLink[link].insert(index)
        }
        guard list[index].links[place].members.insert(client).inserted else { return false }
        roomsOfClient[link][client, default: []].append(index)
        if list[index].memberCount == 0 { count += 1 }
        list[index].memberCount += 1
        membershipCount += 1
        return true
    }

    /// Takes a member out; `false` when it was none. See ``release(_:)``.
    mutating func remove(_ client: UInt64, link: Int, room index: Int) -> Bool {
        guard let place = list[index].links.firstIndex(where: { $0.link == link }),
            list[index].links[place].members.remove(client) != nil
        else { return false }
        list[index].memberCount -= 1
        membershipCount -= 1
        if list[index].memberCount == 0 { count -= 1 }
        if list[index].links[place].members.isEmpty {
            list[index].links.remove(at: place)
            roomsOfLink[link].remove(index)
        }
        if let place = roomsOfClient[link][client]?.firstIndex(of: index) {
            roomsOfClient[link][client]?.remove(at: place)
            if roomsOfClient[link][client]?.isEmpty == true { roomsOfClient[link][client] = nil }
        }
        return true
    }

    /// Forgets a room with which there is nothing left to do.
    mutating func release(_ index: Int) {
        guard list[index].isInUse, list[index].memberCount == 0, list[index].lingering.isEmpty,
            list[index].history == nil
        else { return }
        indexes[list[index].name] = nil
        list[index] = Room(name: RoomName(""), rule: rule)
        list[index].isInUse = false
        free.append(index)
    }

    func contains(_ client: UInt64, link: Int, room index: Int) -> Bool {
        list[index].links.first { $0.link == link }?.members.contains(client) ?? false
    }

    /// Rooms of a client, in ascending order.
    func rooms(of client: UInt64, link: Int) -> [Int] {
        link < roomsOfClient.count ? (roomsOfClient[link][client] ?? []).sorted() : []
    }

    /// All memberships of a link, in ascending order, for the same result on each run.
    func memberships(of link: Int) -> [(room: Int, members: [UInt64])] {
        guard link < roomsOfLink.count else { return [] }
        return roomsOfLink[link].sorted().compactMap { index in
            list[index].links.first { $0.link == link }.map { (index, $0.members.sorted()) }
        }
    }

    /// Links with a member of the room, leaving out the one whose only member is `excluded`.
    func targets(of index: Int, except excluded: (link: Int, client: UInt64)?, into targets: inout [Int]) {
        for entry in list[index].links {
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
        for room in list where room.memberCount > 0 { body(room.name, room.memberCount) }
    }
}
