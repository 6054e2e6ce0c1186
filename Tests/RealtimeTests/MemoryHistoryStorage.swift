import Model
import Realtime

/// What a storage has to be, in the simplest way.
final class MemoryHistoryStorage: HistoryStorage {
    struct Failure: Error {}

    private struct Room {
        var stored: StoredRoom
        var until: Int64
    }

    private var rooms: [RoomName: Room] = [:]
    private var origins: [OperationOrigin: (position: RoomPosition, time: Int64)] = [:]
    private(set) var commits: [[HistoryWrite]] = []
    var failsToCommit = false
    var failsToRead = false
    private(set) var loads = 0

    func load(_ room: RoomName) throws -> StoredRoom? {
        loads += 1
        if failsToRead { throw Failure() }
        return rooms[room]?.stored
    }

    func position(of room: RoomName) throws -> RoomPosition? {
        if failsToRead { throw Failure() }
        return rooms[room]?.stored.position
    }

    func position(recordedFor origin: OperationOrigin) throws -> RoomPosition? {
        if failsToRead { throw Failure() }
        return origins[origin]?.position
    }

    func expired(before time: Int64, limit: Int) throws -> [RoomName] {
        Array(rooms.filter { $0.value.until < time }.keys.sorted { $0.text < $1.text }.prefix(limit))
    }

    func commit(_ writes: [HistoryWrite]) throws {
        if failsToCommit { throw Failure() }
        commits.append(writes)
        for write in writes { carryOut(write) }
    }

    private func carryOut(_ write: HistoryWrite) {
        switch write {
        case .begin(let name, let epoch, let until):
            let position = RoomPosition(epoch: epoch, offset: 0)
            rooms[name] = Room(
                stored: StoredRoom(position: position, entries: [], identifiers: [], readMarks: [:]), until: until)
        case .append(let name, let entry, let origin, let until):
            precondition(rooms[name]?.stored.position.offset == entry.offset - 1)
            rooms[name]?.stored.position.offset = entry.offset
            rooms[name]?.stored.entries.append(entry)
            rooms[name]?.until = until
            if let id = entry.messageID {
                rooms[name]?.stored.identifiers.append(
                    StoredIdentifier(id: id, offset: entry.offset, time: entry.time))
            }
            if let position = rooms[name]?.stored.position { origins[origin] = (position, entry.time) }
        case .trim(let name, let through):
            precondition(rooms[name] != nil)
            rooms[name]?.stored.entries.removeAll { $0.offset <= through }
        case .keep(let name, let until):
            precondition(rooms[name] != nil)
            rooms[name]?.until = until
        case .readMark(let name, let user, let offset):
            precondition(rooms[name] != nil)
            rooms[name]?.stored.readMarks[user] = offset
        case .forgetIdentifiers(let time):
            for name in rooms.keys { rooms[name]?.stored.identifiers.removeAll { $0.time < time } }
        case .forgetOrigins(let time):
            origins = origins.filter { $0.value.time >= time }
        case .drop(let name):
            rooms[name] = nil
        }
    }
}
