import Model
import Realtime
import Testing

@testable import HistoryStore

/// The store beside a model in memory: random writes, upkeep, reopenings and crashes.
struct HistoryModelTests {
    private struct Model {
        var rooms: [RoomName: StoredRoom] = [:]
        var recorded: [UInt64: RoomPosition] = [:]

        mutating func carryOut(_ write: HistoryWrite) {
            switch write {
            case .begin(let name, let epoch, _):
                rooms[name] = StoredRoom(
                    position: RoomPosition(epoch: epoch, offset: 0), entries: [], identifiers: [], readMarks: [:])
            case .append(let name, let entry, let origin, _):
                rooms[name]?.position.offset = entry.offset
                rooms[name]?.entries.append(entry)
                if let id = entry.messageID {
                    rooms[name]?.identifiers.append(StoredIdentifier(id: id, offset: entry.offset, time: entry.time))
                }
                recorded[origin.sequence] = rooms[name]?.position
            case .trim(let name, let through): rooms[name]?.entries.removeAll { $0.offset <= through }
            case .readMark(let name, let user, let offset): rooms[name]?.readMarks[user] = offset
            case .forgetIdentifiers(let time):
                for name in rooms.keys { rooms[name]?.identifiers.removeAll { $0.time < time } }
            case .drop(let name): rooms[name] = nil
            case .keep, .forgetOrigins: break
            }
        }
    }

    @Test(arguments: UInt64(1)...4) func behavesAsTheModel(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed &* 0x9E37_79B9)
        var folder = try Folder()
        var folders = [folder]
        defer { withExtendedLifetime(folders) {} }
        var store = try folder.open()
        var model = Model()
        var time: Int64 = 1_000_000
        var sequence: UInt64 = 0
        let names = (0..<6).map { RoomName("room\($0)") }
        for step in 0..<200 {
            var writes: [HistoryWrite] = []
            var next = model
            for _ in 0..<Int.random(in: 1...8, using: &random) {
                let name = names[Int.random(in: 0..<names.count, using: &random)]
                time += Int64.random(in: 0...40, using: &random)
                var made: [HistoryWrite] = []
                if let room = next.rooms[name] {
                    switch Int.random(in: 0..<20, using: &random) {
                    case 0: made = [.drop(name)]
                    case 1: made = [.begin(name, epoch(random.next() | 1), until: time)]
                    case 2...4:
                        let offset = room.position.offset
                        made = [.trim(name, through: UInt64.random(in: 0...offset + 2, using: &random))]
                    case 5: made = [.readMark(name, UserName("u\(step % 3)"), offset: random.next())]
                    case 6: made = [.forgetIdentifiers(before: time - 2000)]
                    case 7: made = [.keep(name, until: time + 5)]
                    default:
                        for count in 0..<UInt64.random(in: 1...60, using: &random) {
                            sequence += UInt64.random(in: 1...3, using: &random)
                            let offset = room.position.offset + count + 1
                            let id = Bool.random(using: &random) ? "m\(sequence)" : nil
                            let size = Int.random(in: 0...(count == 0 ? 5000 : 50), using: &random)
                            let data = String(repeating: "d", count: size)
                            made.append(append(name, entry(offset, id: id, time: time, data), sequence: sequence))
                        }
                    }
                } else {
                    made = [.begin(name, epoch(random.next() | 1), until: time)]
                }
                for write in made { next.carryOut(write) }
                writes += made
            }
            if Int.random(in: 0..<10, using: &random) == 0 {
                #expect(throws: HistoryStoreError.self) {
                    try store.commit(writes + [append(RoomName("none"), entry(1))])
                }
            } else {
                try store.commit(writes)
                model = next
            }
            switch Int.random(in: 0..<30, using: &random) {
            case 0:
                try store.close()
                store = try folder.open(boot: "boot-\(step)")
            case 1:
                let copy = try folder.copied()
                let opened = try SQLiteHistoryStore.open(copy.options(boot: bootNow(store)))
                #expect(!opened.hasNewEpochs)
                store = opened.store
                folder = copy
                folders.append(copy)
            case 2...6: try store.maintain(budget: .zero)
            default: break
            }
            guard step.isMultiple(of: 5) else { continue }
            for name in names {
                #expect(try store.load(name) == model.rooms[name], "seed \(seed) step \(step) \(name)")
                #expect(try store.position(of: name) == model.rooms[name]?.position)
            }
            for (sequence, position) in model.recorded.suffix(20) {
                let origin = OperationOrigin(boot: worker, sequence: sequence)
                #expect(try store.position(recordedFor: origin) == position)
            }
        }
    }

    private func bootNow(_ store: SQLiteHistoryStore) -> String? { store.options.machineBoot }
}
