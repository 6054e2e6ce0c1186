import GRDB
import Model
import Realtime
import Testing

@testable import HistoryStore

struct HistoryStoreTests {
    private let folder: Folder

    init() throws {
        folder = try Folder()
    }

    @Test func whatWasCommittedIsThereAfterwards() throws {
        let store = try folder.open()
        let entries = [
            entry(1, id: "a", user: "ada", "{\"text\":\"h\u{e9}\"}"), entry(2),
            entry(3, id: "b\0c", user: "b\0b", "[]"),
        ]
        try store.commit(
            [.begin(lobby, epoch(.max), until: 5)] + entries.map { append(lobby, $0) }
                + [.readMark(lobby, UserName("ada"), offset: 2), .readMark(lobby, UserName("ada"), offset: 3)])
        let expected = StoredRoom(
            position: RoomPosition(epoch: epoch(.max), offset: 3), entries: entries,
            identifiers: [
                StoredIdentifier(id: MessageID("a"), offset: 1, time: 1000),
                StoredIdentifier(id: MessageID("b\0c"), offset: 3, time: 3000),
            ], readMarks: [UserName("ada"): 3])
        #expect(try store.load(lobby) == expected)
        #expect(try store.load(RoomName("other")) == nil)
        try store.close()
        let again = try folder.open()
        #expect(try again.load(lobby) == expected)
        #expect(try again.position(of: lobby) == expected.position)
        #expect(try again.position(of: RoomName("other")) == nil)
    }

    /// SQLite's text would end at the NUL, and Swift's strings take the last two for one.
    @Test func namesAreWhatTheirBytesAre() throws {
        let store = try folder.open()
        let names = ["a", "a\0", "a\0b", "\u{e9}", "e\u{301}"].map { RoomName($0) }
        for (index, name) in names.enumerated() {
            try store.commit([.begin(name, epoch(UInt64(index + 1)), until: 0)])
        }
        try store.close()
        let again = try folder.open()
        for (index, name) in names.enumerated() {
            #expect(try again.position(of: name) == RoomPosition(epoch: epoch(UInt64(index + 1)), offset: 0))
        }
    }

    @Test func aCommitIsWholeOrNothing() throws {
        let store = try folder.open()
        try store.commit([.begin(lobby, epoch(7), until: 0), append(lobby, entry(1))])
        #expect(throws: HistoryStoreError.unknownRoom) {
            try store.commit([
                append(lobby, entry(2)), .trim(lobby, through: 1), append(RoomName("nowhere"), entry(1)),
            ])
        }
        #expect(try store.offsets(lobby) == [1])
        #expect(try store.position(of: lobby)?.offset == 1)
        #expect(try store.position(recordedFor: OperationOrigin(boot: worker, sequence: 2)) == nil)
        // One (epoch, offset) never names two messages.
        #expect(throws: HistoryStoreError.self) { try store.commit([append(lobby, entry(1))]) }
        try store.commit([append(lobby, entry(2))])
        #expect(try store.offsets(lobby) == [1, 2])
        #expect(store.takeFigures().failedCommits == 2)
        #expect(store.takeFigures().commits == 2)
    }

    @Test func operationsAreRecognised() throws {
        let store = try folder.open()
        func position(_ sequence: UInt64, item: Int = 0) throws -> RoomPosition? {
            try store.position(recordedFor: OperationOrigin(boot: worker, sequence: sequence, item: item))
        }
        try store.commit([.begin(lobby, epoch(7), until: 0), append(lobby, entry(1), sequence: 10)])
        try store.commit([
            append(lobby, entry(2), sequence: 11), append(lobby, entry(3), sequence: 14),
            append(lobby, entry(4), sequence: 20), append(lobby, entry(5), sequence: 20, item: 1),
        ])
        // Refused when the disk was full, and recorded when it was replayed.
        try store.commit([append(lobby, entry(6), sequence: 12)])
        #expect(try position(10) == RoomPosition(epoch: epoch(7), offset: 1))
        #expect(try position(11)?.offset == 2)
        #expect(try position(12)?.offset == 6)
        #expect(try position(13) == nil)
        #expect(try position(14)?.offset == 3)
        #expect(try position(20)?.offset == 4)
        #expect(try position(20, item: 1)?.offset == 5)
        #expect(try position(21) == nil)
        #expect(try store.position(recordedFor: OperationOrigin(boot: BootID(rawValue: 2), sequence: 10)) == nil)
        try store.commit([.drop(lobby)])
        #expect(try position(11)?.offset == 2)
        try store.commit([.forgetOrigins(before: 1001)])
        try store.settle()
        #expect(try position(10) == nil)
        #expect(try position(14)?.offset == 3)
    }

    @Test func trimmedAndDroppedRoomsAreGoneAtOnceAndTheirRowsSoon() throws {
        let store = try folder.open()
        let big = RoomName("big")
        try store.commit([.begin(big, epoch(1), until: 0)] + (1...3000).map { append(big, entry($0, id: "\($0)")) })
        try store.commit([.trim(big, through: 2990)])
        #expect(try store.offsets(big) == Array(2991...3000))
        #expect(try store.load(big)?.identifiers.count == 3000)
        #expect(store.needsMaintenance)
        let copy = try folder.copied().open()
        #expect(try copy.offsets(big) == Array(2991...3000))
        #expect(try rows("entry", store) == 3000 - Int(SQLiteHistoryStore.deletedPerTrim))
        try store.settle()
        #expect(try rows("entry", store) == 10)
        try store.commit([.trim(big, through: 5000), append(big, entry(3001))])
        #expect(try store.offsets(big) == [3001])
        // A new life before the rows of the old one are gone.
        try store.commit([.drop(big), .begin(big, epoch(2), until: 0), append(big, entry(1, "\"new\""))])
        #expect(try store.load(big)?.entries == [entry(1, "\"new\"")])
        try store.commit([.begin(big, epoch(3), until: 0)])
        #expect(
            try store.load(big)
                == StoredRoom(
                    position: RoomPosition(epoch: epoch(3), offset: 0), entries: [], identifiers: [], readMarks: [:]))
        try store.commit([.drop(big), .drop(big)])
        #expect(try store.load(big) == nil)
        try store.settle()
        for table in ["room", "entry", "identifier", "mark", "garbage"] { #expect(try rows(table, store) == 0) }
    }

    @Test func messageIdsAreForgottenByTime() throws {
        let store = try folder.open()
        try store.commit([.begin(lobby, epoch(1), until: 0)] + (1...600).map { append(lobby, entry($0, id: "\($0)")) })
        try store.commit([.forgetIdentifiers(before: 590_000)])
        #expect(try store.load(lobby)?.identifiers.map(\.offset) == Array(590...600))
        #expect(try store.load(lobby)?.entries.count == 600)
        try store.settle()
        #expect(try rows("identifier", store) == 11)
    }

    @Test func roomsExpire() throws {
        let store = try folder.open()
        for index in 1...5 {
            try store.commit([.begin(RoomName("r\(index)"), epoch(1), until: Int64(index) * 50_000)])
        }
        #expect(try Set(store.expired(before: 150_000, limit: 10)) == [RoomName("r1"), RoomName("r2")])
        #expect(try store.expired(before: 1_000_000, limit: 3).count == 3)
        try store.commit([.keep(RoomName("r1"), until: 1_000_000), append(RoomName("r2"), entry(1))])
        #expect(try store.expired(before: 150_001, limit: 10) == [RoomName("r3")])
        try store.close()
        #expect(try folder.open().expired(before: 150_001, limit: 10) == [RoomName("r3")])
    }

    @Test func theFileDoesNotGrowWithTime() throws {
        let store = try folder.open()
        let data = String(repeating: "x", count: 900)
        try store.commit([.begin(lobby, epoch(1), until: 0)])
        var sizes: [Int] = []
        for round in UInt64(0)..<40 {
            for turn in UInt64(0)..<20 {
                let first = round * 200 + turn * 10 + 1
                try store.commit(
                    (first..<first + 10).map { append(lobby, entry($0, data)) }
                        + (first > 500 ? [.trim(lobby, through: first - 500)] : []))
            }
            try store.commit([.forgetOrigins(before: Int64(round) * 200_000)])
            try store.settle()
            if round > 5 { sizes.append(try pages(store)) }
        }
        #expect(try #require(sizes.max()) <= #require(sizes.first) + 64)
        let full = try pages(store)
        try store.commit(
            [.begin(RoomName("other"), epoch(1), until: 0)]
                + (1...9000).map { append(RoomName("other"), entry($0, data)) })
        let most = try pages(store)
        try store.commit([.drop(RoomName("other"))])
        try store.settle()
        // Given back but for what a load may use again.
        #expect(most > full + 2000)
        #expect(try pages(store) < full + SQLiteHistoryStore.keptFreePages + 128)
    }

    @Test func logStaysBoundedWhileCheckpointsRun() throws {
        var options = folder.options()
        options.checkpointPages = 50
        options.restartPages = 400
        let store = try SQLiteHistoryStore.open(options).store
        try store.commit([.begin(lobby, epoch(1), until: 0)])
        var longest = 0
        for offset in UInt64(1)...3000 {
            try store.commit([append(lobby, entry(offset, id: "\(offset)"))])
            longest = max(longest, store.log.current)
            if offset.isMultiple(of: 100) { #expect(try store.load(lobby)?.entries.count == Int(offset)) }
        }
        #expect(store.takeFigures().checkpoints > 10)
        // Without a bound it would be some 12,000 pages; a commit adds less than 20.
        #expect(longest < 2 * options.restartPages + 20)
        #expect(try folder.copied().open().offsets(lobby) == Array(1...3000))
        try store.close()
        #expect(folder.size("history.sqlite-wal") == 0)
        #expect(try folder.open().offsets(lobby) == Array(1...3000))
    }

    private func rows(_ table: String, _ store: SQLiteHistoryStore) throws -> Int {
        try store.queue.inDatabase { try #require(try Int.fetchOne($0, sql: "SELECT count(*) FROM \(table)")) }
    }

    private func pages(_ store: SQLiteHistoryStore) throws -> Int {
        try store.queue.inDatabase { try #require(try Int.fetchOne($0, sql: "PRAGMA page_count")) }
    }
}
