import Model
import Realtime

/// A history that outlives every hub, and whose commits may fail. Remembers all that was ever recorded.
final class SimulatedStorage: HistoryStorage {
    struct Full: Error {}

    private var rooms: [RoomName: StoredRoom] = [:]
    private var origins: [OperationOrigin: RoomPosition] = [:]
    /// Data of every message ever recorded, by room and position.
    private(set) var recorded: [RoomName: [RoomPosition: String]] = [:]
    private(set) var faults: [String] = []
    /// Of the next commit.
    var fails = false
    private(set) var failures = 0

    func load(_ room: RoomName) -> StoredRoom? { rooms[room] }

    func position(of room: RoomName) -> RoomPosition? { rooms[room]?.position }

    func position(recordedFor origin: OperationOrigin) -> RoomPosition? { origins[origin] }

    func expired(before time: Int64, limit: Int) -> [RoomName] { [] }

    func commit(_ writes: [HistoryWrite]) throws {
        if fails {
            failures += 1
            throw Full()
        }
        for write in writes { carryOut(write) }
    }

    private func carryOut(_ write: HistoryWrite) {
        switch write {
        case .begin(let name, let epoch, _):
            if rooms[name] != nil { faults.append("\(name) begins again") }
            let position = RoomPosition(epoch: epoch, offset: 0)
            rooms[name] = StoredRoom(position: position, entries: [], identifiers: [], readMarks: [:])
        case .append(let name, let entry, let origin, _):
            append(entry, origin, to: name)
        case .trim(let name, let through):
            rooms[name]?.entries.removeAll { $0.offset <= through }
        case .readMark(let name, let user, let offset):
            rooms[name]?.readMarks[user] = offset
        case .keep, .forgetIdentifiers, .forgetOrigins:
            break
        case .drop(let name):
            rooms[name] = nil
        }
    }

    private func append(_ entry: HistoryEntry, _ origin: OperationOrigin, to name: RoomName) {
        guard let head = rooms[name]?.position, head.offset + 1 == entry.offset else {
            return faults.append("\(name): \(entry.offset) does not follow")
        }
        let position = RoomPosition(epoch: head.epoch, offset: entry.offset)
        rooms[name]?.position = position
        rooms[name]?.entries.append(entry)
        if let id = entry.messageID {
            rooms[name]?.identifiers.append(StoredIdentifier(id: id, offset: entry.offset, time: entry.time))
        }
        if origins.updateValue(position, forKey: origin) != nil { faults.append("\(origin) recorded twice") }
        let data = String(decoding: entry.data, as: UTF8.self)
        if recorded[name, default: [:]].updateValue(data, forKey: position) != nil {
            faults.append("\(name) \(position.offset) recorded twice")
        }
    }
}
