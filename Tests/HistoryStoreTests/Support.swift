import Glibc
import Model
import Realtime
import Testing

@testable import HistoryStore

/// A directory that goes with the test.
final class Folder {
    let path: String
    private var copies: [Folder] = []

    init() throws {
        var template = Array("/tmp/wsd-history-XXXXXX".utf8CString)
        path = try #require(mkdtemp(&template).map { String(cString: $0) })
    }

    deinit {
        for name in names { unlink(path + "/" + name) }
        rmdir(path)
    }

    var names: [String] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    func bytes(_ name: String) throws -> [UInt8] {
        let file = try #require(fopen(path + "/" + name, "r"))
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: size(name))
        #expect(fread(&bytes, 1, bytes.count, file) == bytes.count)
        return bytes
    }

    func write(_ name: String, _ bytes: [UInt8]) throws {
        let file = try #require(fopen(path + "/" + name, "w"))
        defer { fclose(file) }
        #expect(fwrite(bytes, 1, bytes.count, file) == bytes.count)
    }

    func size(_ name: String) -> Int {
        var status = stat()
        return stat(path + "/" + name, &status) == 0 ? Int(status.st_size) : 0
    }

    /// What a process killed now would leave behind. Goes with this one.
    func copied() throws -> Folder {
        let copy = try Folder()
        for name in ["history.sqlite", "history.sqlite-wal"] where names.contains(name) {
            try copy.write(name, bytes(name))
        }
        copies.append(copy)
        return copy
    }

    func options(boot: String? = "boot-1") -> HistoryStoreOptions {
        var options = HistoryStoreOptions(directory: path)
        options.machineBoot = boot
        options.lockTimeout = .milliseconds(30)
        return options
    }

    func open(boot: String? = "boot-1") throws -> SQLiteHistoryStore {
        try SQLiteHistoryStore.open(options(boot: boot)).store
    }
}

let lobby = RoomName("lobby")
let worker = BootID(rawValue: 0xFFFF_0000_0000_0001)

func epoch(_ value: UInt64) -> RoomEpoch { RoomEpoch(rawValue: value) }

func entry(_ offset: UInt64, id: String? = nil, user: String? = nil, time: Int64? = nil, _ data: String = "{}")
    -> HistoryEntry
{
    HistoryEntry(
        offset: offset, time: time ?? Int64(offset) * 1000, subject: ClientID(boot: worker, serial: offset),
        user: user.map { UserName($0) }, messageID: id.map { MessageID($0) }, data: Array(data.utf8),
        includesSubject: !offset.isMultiple(of: 3))
}

func append(_ room: RoomName, _ entry: HistoryEntry, sequence: UInt64? = nil, item: Int = 0) -> HistoryWrite {
    .append(
        room, entry, origin: OperationOrigin(boot: worker, sequence: sequence ?? entry.offset, item: item),
        until: entry.time + 3_600_000)
}

extension SQLiteHistoryStore {
    /// Offsets kept of a room; `nil`: there is no such room.
    func offsets(_ room: RoomName) throws -> [UInt64]? { try load(room)?.entries.map(\.offset) }

    func settle() throws {
        while needsMaintenance { try maintain(budget: .seconds(1)) }
    }
}

/// xorshift64*: the same numbers every time.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed | 1
    }

    mutating func next() -> UInt64 {
        state ^= state >> 12
        state ^= state << 25
        state ^= state >> 27
        return state &* 0x2545_F491_4F6C_DD1D
    }
}
