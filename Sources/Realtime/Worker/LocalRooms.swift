package import Model

/// Who of this worker's clients is in which room. `Member` is the driver's handle of a connection.
///
/// A room's members lie side by side, so that a delivery walks over one array; joining, leaving and the end of a
/// client are O(1) for each room concerned. A client in no room costs nothing here.
package struct LocalRooms<Member> {
    private struct Room {
        var name: RoomName
        var members: [Member] = []
        /// Parallel to `members`.
        var serials: [UInt64] = []
        /// Serial to index into both.
        var positions: [UInt64: Int] = [:]
    }

    private var rooms: [Room] = []
    private var free: [Int] = []
    private var indexes: [RoomName: Int] = [:]
    private var clients: [UInt64: [Int]] = [:]

    package init() {}

    /// Rooms with a member here.
    package var count: Int { indexes.count }

    /// Clients in at least one room.
    package var clientCount: Int { clients.count }

    /// Adds a client; `false` when it is in the room already.
    package mutating func join(_ name: RoomName, client: UInt64, member: Member) -> Bool {
        let index = indexes[name] ?? makeRoom(name)
        guard rooms[index].positions[client] == nil else { return false }
        rooms[index].positions[client] = rooms[index].members.count
        rooms[index].members.append(member)
        rooms[index].serials.append(client)
        clients[client, default: []].append(index)
        return true
    }

    /// Takes a client out; `false` when it is not in the room.
    package mutating func leave(_ name: RoomName, client: UInt64) -> Bool {
        guard let index = indexes[name], rooms[index].positions[client] != nil else { return false }
        remove(client, fromRoom: index)
        if let place = clients[client]?.firstIndex(of: index) { clients[client]?.swapRemove(at: place) }
        if clients[client]?.isEmpty == true { clients[client] = nil }
        return true
    }

    /// Takes a client out of all its rooms and names them.
    package mutating func removeClient(_ client: UInt64) -> [RoomName] {
        guard let left = clients.removeValue(forKey: client) else { return [] }
        return left.map { index in
            let name = rooms[index].name
            remove(client, fromRoom: index)
            return name
        }
    }

    package func contains(_ client: UInt64, in name: RoomName) -> Bool {
        indexes[name].map { rooms[$0].positions[client] != nil } ?? false
    }

    /// How many rooms a client is in.
    package func roomCount(of client: UInt64) -> Int { clients[client]?.count ?? 0 }

    package func rooms(of client: UInt64) -> [RoomName] { (clients[client] ?? []).map { rooms[$0].name } }

    /// Members of a room, side by side; empty when there is none. A snapshot that costs no copy: it may be walked
    /// over while members come and go.
    package func members(of name: RoomName) -> [Member] {
        indexes[name].map { rooms[$0].members } ?? []
    }

    /// Calls `body` with each room and the serials of its members, in no particular order.
    package func forEachRoom(_ body: (RoomName, [UInt64]) -> Void) {
        for room in rooms where !room.serials.isEmpty { body(room.name, room.serials) }
    }

    private mutating func makeRoom(_ name: RoomName) -> Int {
        let index: Int
        if let reused = free.popLast() {
            index = reused
            rooms[index].name = name
        } else {
            index = rooms.count
            rooms.append(Room(name: name))
        }
        indexes[name] = index
        return index
    }

    /// Removes the entry in the room, and the room with its last member. The client's own list is the caller's.
    private mutating func remove(_ client: UInt64, fromRoom index: Int) {
        guard let position = rooms[index].positions.removeValue(forKey: client) else { return }
        rooms[index].members.swapRemove(at: position)
        rooms[index].serials.swapRemove(at: position)
        if position < rooms[index].serials.count {
            rooms[index].positions[rooms[index].serials[position]] = position
        } else if rooms[index].serials.isEmpty {
            indexes[rooms[index].name] = nil
            rooms[index] = Room(name: RoomName(""))
            free.append(index)
        }
    }
}

extension Array {
    /// Removes one element and puts the last one in its place: O(1), order is not kept.
    fileprivate mutating func swapRemove(at index: Int) {
        swapAt(index, count - 1)
        removeLast()
    }
}
