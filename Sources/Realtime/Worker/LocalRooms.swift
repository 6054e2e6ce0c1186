package import Model

/// Who of this worker's clients is in which room, and how far each room has come here. `Member` is the driver's handle
/// of a connection.
///
/// A room's live members lie side by side, so that a delivery walks over one array; joining, leaving and the end of a
/// client are O(1) for each room concerned. Pending members (``WorkerRealtime``) are known, but stand in no delivery. A
/// client in no room costs nothing here.
package struct LocalRooms<Member> {
    /// A join that the hub has not answered.
    package struct PendingJoin {
        package let member: Member
        /// The operation whose reply decides; 0: the client is given a page of what it missed, none is under way.
        package internal(set) var sequence: UInt64
        /// The hub may hold the client for a member already: a join that fails has to be followed by a leave.
        var isKnownToHub: Bool
        /// How often it was asked anew because an answer was lost.
        var attempts = 0
    }

    /// What was delivered to a room since it got its first member here.
    package struct Traffic: Hashable, Sendable {
        package fileprivate(set) var messages = 0
        /// Of the messages' data.
        package fileprivate(set) var bytes = 0
        /// Messages times members.
        package fileprivate(set) var deliveries = 0
    }

    struct Room {
        var name: RoomName
        var rule: RoomRules.Index
        var members: [Member] = []
        /// Parallel to `members`.
        var serials: [UInt64] = []
        /// Serial to index into both.
        var places: [UInt64: Int] = [:]
        var pending: [UInt64: PendingJoin] = [:]
        /// What the live members have been delivered up to; `nil`: not known, or no history.
        var position: RoomPosition?
        var traffic = Traffic()
    }

    package private(set) var rules: RoomRules
    private(set) var rooms: [Room] = []
    private var free: [Int] = []
    private var indexes: [RoomName: Int] = [:]
    private var clients: [UInt64: [Int]] = [:]

    package init(rules: RoomRules) {
        self.rules = rules
    }

    /// Rooms with a member here, also a pending one.
    package var count: Int { indexes.count }

    /// Clients in at least one room.
    package var clientCount: Int { clients.count }

    /// After a reload of the configuration.
    mutating func setRules(_ rules: RoomRules) {
        self.rules = rules
        for index in indexes.values { rooms[index].rule = rules.index(for: rooms[index].name) }
    }

    /// What holds in a room; cheap for one with a member here.
    package func rule(for name: RoomName) -> ResolvedRoomRule {
        rules[indexes[name].map { rooms[$0].rule } ?? rules.index(for: name)]
    }

    func index(of name: RoomName) -> Int? { indexes[name] }

    // MARK: Coming and going

    /// Makes a client a live member; `false` when it is one already.
    package mutating func join(_ name: RoomName, client: UInt64, member: Member) -> Bool {
        let index = indexes[name] ?? makeRoom(name)
        guard rooms[index].places[client] == nil else { return false }
        if rooms[index].pending.removeValue(forKey: client) == nil { clients[client, default: []].append(index) }
        rooms[index].places[client] = rooms[index].members.count
        rooms[index].members.append(member)
        rooms[index].serials.append(client)
        return true
    }

    /// Makes a client a pending member, whatever it was.
    package mutating func beginJoin(_ name: RoomName, client: UInt64, member: Member, sequence: UInt64) {
        let index = indexes[name] ?? makeRoom(name)
        let wasLive = takeLive(client, index)
        let wasPending = rooms[index].pending[client] != nil
        if !wasLive, !wasPending { clients[client, default: []].append(index) }
        rooms[index].pending[client] = PendingJoin(
            member: member, sequence: sequence, isKnownToHub: wasLive || wasPending)
    }

    package func pendingJoin(of client: UInt64, in name: RoomName) -> PendingJoin? {
        indexes[name].flatMap { rooms[$0].pending[client] }
    }

    /// Another operation decides on a pending join; `isRepetition`: the answer to the one before was lost.
    mutating func setPending(_ client: UInt64, in name: RoomName, sequence: UInt64, isRepetition: Bool = false) {
        guard let index = indexes[name] else { return }
        rooms[index].pending[client]?.sequence = sequence
        rooms[index].pending[client]?.isKnownToHub = true
        if isRepetition { rooms[index].pending[client]?.attempts += 1 }
    }

    /// The hub's reply: a pending member is live from now on.
    mutating func completeJoin(_ name: RoomName, client: UInt64) {
        guard let pending = pendingJoin(of: client, in: name) else { return }
        _ = join(name, client: client, member: pending.member)
    }

    /// Takes a client out, live or pending; `false` when it is not in the room.
    package mutating func leave(_ name: RoomName, client: UInt64) -> Bool {
        guard let index = indexes[name], remove(client, fromRoom: index) else { return false }
        if let place = clients[client]?.firstIndex(of: index) { clients[client]?.swapRemove(at: place) }
        if clients[client]?.isEmpty == true { clients[client] = nil }
        return true
    }

    /// Takes a client out of all its rooms.
    package mutating func removeClient(_ client: UInt64) {
        for index in clients.removeValue(forKey: client) ?? [] { _ = remove(client, fromRoom: index) }
    }

    // MARK: Positions and figures

    /// The room's live members have been delivered everything up to a position. Never goes back within an epoch.
    mutating func advance(_ index: Int, to position: RoomPosition) {
        guard !rooms[index].members.isEmpty, isNew(position, index) else { return }
        rooms[index].position = position
    }

    /// Whether a position is above the room's.
    func isNew(_ position: RoomPosition, _ index: Int) -> Bool {
        guard let known = rooms[index].position, known.epoch == position.epoch else { return true }
        return position.offset > known.offset
    }

    /// The next delivery says where the room is.
    mutating func forgetPosition(of name: RoomName) {
        guard let index = indexes[name] else { return }
        rooms[index].position = nil
    }

    mutating func count(bytes: Int, _ index: Int) {
        rooms[index].traffic.messages &+= 1
        rooms[index].traffic.bytes &+= bytes
        rooms[index].traffic.deliveries &+= rooms[index].members.count
    }

    private mutating func makeRoom(_ name: RoomName) -> Int {
        let room = Room(name: name, rule: rules.index(for: name))
        let index: Int
        if let reused = free.popLast() {
            index = reused
            rooms[index] = room
        } else {
            index = rooms.count
            rooms.append(room)
        }
        indexes[name] = index
        return index
    }

    /// Removes the entry in the room, and the room with its last member. The client's own list is the caller's.
    private mutating func remove(_ client: UInt64, fromRoom index: Int) -> Bool {
        guard takeLive(client, index) || rooms[index].pending.removeValue(forKey: client) != nil else { return false }
        if rooms[index].members.isEmpty, rooms[index].pending.isEmpty {
            indexes[rooms[index].name] = nil
            rooms[index] = Room(name: RoomName(""), rule: 0)
            free.append(index)
        }
        return true
    }

    private mutating func takeLive(_ client: UInt64, _ index: Int) -> Bool {
        guard let place = rooms[index].places.removeValue(forKey: client) else { return false }
        rooms[index].members.swapRemove(at: place)
        rooms[index].serials.swapRemove(at: place)
        if place < rooms[index].serials.count { rooms[index].places[rooms[index].serials[place]] = place }
        // What comes while nobody is here is not followed.
        if rooms[index].members.isEmpty { rooms[index].position = nil }
        return true
    }
}

// MARK: - Looking

extension LocalRooms {
    /// Whether a client is a live member.
    package func contains(_ client: UInt64, in name: RoomName) -> Bool {
        indexes[name].map { rooms[$0].places[client] != nil } ?? false
    }

    /// Whether a client is a member, live or pending.
    package func isKnown(_ client: UInt64, in name: RoomName) -> Bool {
        indexes[name].map { rooms[$0].places[client] != nil || rooms[$0].pending[client] != nil } ?? false
    }

    /// How many rooms a client is in, pending ones included.
    package func roomCount(of client: UInt64) -> Int { clients[client]?.count ?? 0 }

    package func rooms(of client: UInt64) -> [RoomName] { (clients[client] ?? []).map { rooms[$0].name } }

    /// Live members of a room, side by side; empty when there is none. A snapshot that costs no copy: it may be walked
    /// over while members come and go.
    package func members(of name: RoomName) -> [Member] {
        indexes[name].map { rooms[$0].members } ?? []
    }

    package func position(of name: RoomName) -> RoomPosition? { indexes[name].flatMap { rooms[$0].position } }

    package func traffic(of name: RoomName) -> Traffic? { indexes[name].map { rooms[$0].traffic } }

    /// Calls `body` with each room and the serials of its live members, in no particular order.
    package func forEachRoom(_ body: (RoomName, [UInt64]) -> Void) {
        for room in rooms where !room.serials.isEmpty { body(room.name, room.serials) }
    }

    package func forEachTraffic(_ body: (RoomName, _ members: Int, Traffic) -> Void) {
        for room in rooms where !room.serials.isEmpty { body(room.name, room.serials.count, room.traffic) }
    }

    package func forEachPosition(_ body: (RoomName, RoomPosition) -> Void) {
        for room in rooms {
            if let position = room.position { body(room.name, position) }
        }
    }

    /// The serials of live members of a room, for walking over a part of them.
    func serials(of name: RoomName) -> [UInt64] { indexes[name].map { rooms[$0].serials } ?? [] }

    /// Clients that are live in a room whose position is not known: what is lost on the way to them stays lost.
    func unrecoverableClients() -> Set<UInt64> {
        var found: Set<UInt64> = []
        for room in rooms where room.position == nil { found.formUnion(room.serials) }
        return found
    }
}

extension Array {
    /// Removes one element and puts the last one in its place: O(1), order is not kept.
    fileprivate mutating func swapRemove(at index: Int) {
        swapAt(index, count - 1)
        removeLast()
    }
}
