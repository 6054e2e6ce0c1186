import GRDB
import Glibc
import Model
import Realtime
import Testing

@testable import HistoryStore

/// Ends that were none: crashes, full disks, damaged files, two hubs at once.
struct HistoryRecoveryTests {
    private let folder: Folder
    private let position = RoomPosition(epoch: epoch(7), offset: 2)

    init() throws {
        folder = try Folder()
    }

    private func filled(boot: String? = "boot-1") throws -> SQLiteHistoryStore {
        let store = try folder.open(boot: boot)
        try store.commit([.begin(lobby, epoch(7), until: 0), append(lobby, entry(1)), append(lobby, entry(2))])
        return store
    }

    @Test func aKilledProcessLosesNothing() throws {
        let store = try filled()
        let opened = try SQLiteHistoryStore.open(folder.copied().options())
        #expect(!opened.hasNewEpochs)
        #expect(try opened.store.position(of: lobby) == position)
        #expect(try opened.store.position(recordedFor: OperationOrigin(boot: worker, sequence: 2)) == position)
        _ = store
    }

    /// What the machine had not yet written may be lost: the same offsets would come again with other messages.
    @Test(arguments: ["boot-2", nil]) func aMachineThatWentDownMakesNewEpochs(boot: String?) throws {
        let store = try filled()
        let copy = try folder.copied()
        let opened = try SQLiteHistoryStore.open(copy.options(boot: boot))
        #expect(opened.hasNewEpochs)
        let room = try #require(try opened.store.load(lobby))
        #expect(room.position.offset == 2)
        #expect(room.position.epoch != epoch(7))
        #expect(room.position.epoch.rawValue != 0)
        #expect(room.entries.map(\.offset) == [1, 2])
        #expect(try opened.store.position(recordedFor: OperationOrigin(boot: worker, sequence: 2)) == nil)
        // Once: it is this boot's now.
        let next = try SQLiteHistoryStore.open(copy.copied().options(boot: boot))
        #expect(next.hasNewEpochs == (boot == nil))
        _ = store
    }

    @Test func aCleanEndKeepsEpochsOverAReboot() throws {
        try filled().close()
        let opened = try SQLiteHistoryStore.open(folder.options(boot: "boot-2"))
        #expect(!opened.hasNewEpochs)
        #expect(try opened.store.position(of: lobby) == position)
        // Not clean any more from its opening on.
        #expect(try SQLiteHistoryStore.open(folder.copied().options(boot: "boot-3")).hasNewEpochs)
    }

    @Test func aTornLogLosesOnlyItsEnd() throws {
        let store = try filled()
        for offset in UInt64(3)...40 { try store.commit([append(lobby, entry(offset))]) }
        let whole = try folder.copied()
        let log = try whole.bytes("history.sqlite-wal")
        var seen: Set<Int> = []
        for cut in stride(from: log.count, to: 0, by: -5003) {
            let copy = try whole.copied()
            try copy.write("history.sqlite-wal", Array(log[..<cut]))
            let offsets = try copy.open().offsets(lobby) ?? []
            #expect(offsets == Array(1..<UInt64(offsets.count + 1)))
            seen.insert(offsets.count)
        }
        #expect(seen.count > 10)
        _ = store
    }

    /// SQLite takes a log up to what is not whole; what was behind it would come again under the same offsets.
    @Test(
        arguments: [
            // A page, the head of a frame, the head of the file, whole frames from the first on, and many of them.
            (32 + 80 * 4120 + 24, 100), (32 + 80 * 4120, 24), (0, 32), (32, 4120), (32 + 60 * 4120, 40 * 4120),
        ])
    func aLogWithAHoleIsPutAside(_ start: Int, _ count: Int) throws {
        let store = try filled()
        for offset in UInt64(3)...40 { try store.commit([append(lobby, entry(offset))]) }
        for boot in ["boot-1", "boot-2"] {
            let copy = try folder.copied()
            var log = try copy.bytes("history.sqlite-wal")
            for index in start..<start + count { log[index] ^= 0x5A }
            try copy.write("history.sqlite-wal", log)
            let opened = try SQLiteHistoryStore.open(copy.options(boot: boot))
            if boot == "boot-1", start > 32 {
                #expect(
                    opened.movedAside?.reason
                        == .corrupt(copy.path + "/history.sqlite", detail: "its log has a hole"))
            }
            // Never the same epoch with an offset that was given already.
            let position = try opened.store.position(of: lobby)
            #expect(position == nil || position?.epoch != epoch(7))
        }
        _ = store
    }

    /// A transaction that was given up leaves pages in the log, which are nobody's.
    @Test func whatWasRolledBackIsNoHole() throws {
        let store = try filled()
        for round in UInt64(0)..<3 {
            try store.queue.inDatabase { db in
                try db.execute(sql: "PRAGMA cache_size = 10")
                try db.inTransaction(.immediate) {
                    for number in 0..<200 {
                        try db.execute(
                            sql: "INSERT INTO meta (key, value) VALUES (?, ?)",
                            arguments: ["k\(number)", String(repeating: "x", count: 3000)])
                    }
                    return .rollback
                }
            }
            #expect(folder.size("history.sqlite-wal") > 200 * 3000)
            try store.commit([append(lobby, entry(3 + round))])
            let opened = try SQLiteHistoryStore.open(folder.copied().options())
            #expect(opened.movedAside == nil && !opened.hasNewEpochs)
            #expect(try opened.store.position(of: lobby) == RoomPosition(epoch: epoch(7), offset: 3 + round))
        }
    }

    /// Rows that are whole for SQLite and impossible all the same.
    @Test(
        arguments: [
            "UPDATE room SET head = -1", "UPDATE room SET deleted = 9", "UPDATE room SET trimmed = 99, deleted = 98",
            "UPDATE room SET until = 9223372036854775807", "UPDATE entry SET time = 9223372036854775807",
            "UPDATE entry SET data = X'00FF'", "UPDATE entry SET data = X'22C322'", "UPDATE entry SET offset = 7",
        ])
    func impossibleRowsAreDamage(_ sql: String) throws {
        let store = try filled()
        try store.queue.inDatabase { db in try db.execute(sql: sql.replacing("offset = 7", with: "offset = offset + 7"))
        }
        store.cache.removeAll()
        let failure = try #require(#expect(throws: HistoryStoreError.self) { try store.load(lobby) })
        #expect(failure.isCorruption && store.corruption == failure)
        // Nothing is stored any more that would be lost with the file.
        #expect(throws: failure) { try store.commit([.begin(RoomName("other"), epoch(8), until: 0)]) }
        #expect(throws: failure) { try store.position(of: RoomName("other")) }
        #expect(throws: failure) { try store.maintain(budget: .zero) }
        #expect(try store.abandon() == folder.path + "/history.sqlite.broken-1")
        #expect(try folder.open().load(lobby) == nil)
    }

    @Test func aFullFileRefusesAndRecovers() throws {
        var options = folder.options()
        options.maxPages = 60
        let store = try SQLiteHistoryStore.open(options).store
        try store.commit([.begin(lobby, epoch(7), until: 0)])
        let data = String(repeating: "x", count: 1000)
        var offset: UInt64 = 0
        let failure = #expect(throws: HistoryStoreError.self) {
            while offset < 1000 {
                try store.commit([append(lobby, entry(offset + 1, data))])
                offset += 1
            }
        }
        #expect(failure == .full(folder.path + "/history.sqlite"))
        #expect(offset > 30)
        // Again and again: nothing of it is stored.
        for _ in 0..<5 {
            #expect(throws: HistoryStoreError.self) {
                try store.commit((1...10).map { append(lobby, entry(offset + $0, data)) })
            }
        }
        #expect(try store.offsets(lobby) == Array(1...offset))
        #expect(try folder.copied().open().offsets(lobby) == Array(1...offset))
        try store.commit([.trim(lobby, through: 20)])
        try store.settle()
        try store.commit([append(lobby, entry(offset + 1, data))])
        #expect(try store.offsets(lobby) == Array(21...offset + 1))
        #expect(store.takeFigures().failedCommits == 6)
    }

    /// A history whose steady state fits goes on although its log alone would fill the disk.
    @Test(.enabled(if: geteuid() == 0)) func aSmallDiskIsNoHindrance() throws {
        guard mount("tmpfs", folder.path, "tmpfs", 0, "size=1m") == 0 else { return }
        defer { umount2(folder.path, Int32(MNT_DETACH)) }
        let store = try folder.open()
        try store.commit([.begin(lobby, epoch(7), until: 0)])
        let data = String(repeating: "x", count: 500)
        var failures = 0
        for offset in UInt64(1)...2000 {
            let writes =
                [append(lobby, entry(offset, data))] + (offset > 100 ? [.trim(lobby, through: offset - 100)] : [])
                + [.forgetOrigins(before: Int64(offset) * 1000 - 100_000)]
            var isStored = false
            while !isStored {
                do {
                    try store.commit(writes)
                    isStored = true
                } catch HistoryStoreError.full {
                    failures += 1
                    try #require(failures < 100)
                }
                try store.maintain(budget: .milliseconds(5))
            }
        }
        #expect(try store.offsets(lobby) == Array(1901...2000))
        // Somebody else fills it, and makes room again.
        let file = try #require(fopen(folder.path + "/ballast", "w"))
        setvbuf(file, nil, _IONBF, 0)
        while fwrite(data, 1, 100, file) == 100 {}
        var stored: UInt64 = 2000
        let failure = #expect(throws: HistoryStoreError.self) {
            for offset in UInt64(2001)...4000 {
                try store.commit([append(lobby, entry(offset, data))])
                stored = offset
            }
        }
        #expect(failure == .full(folder.path + "/history.sqlite"))
        #expect(try store.offsets(lobby)?.last == stored)
        ftruncate(fileno(file), 0)
        fclose(file)
        try store.commit([append(lobby, entry(stored + 1, data))])
        #expect(try store.offsets(lobby)?.last == stored + 1)
        try store.close()
        #expect(try folder.open().offsets(lobby)?.last == stored + 1)
    }

    @Test func damagedAndForeignFilesArePutAside() throws {
        try folder.write("history.sqlite", Array(repeating: 0x41, count: 10_000))
        let opened = try SQLiteHistoryStore.open(folder.options())
        #expect(opened.movedAside?.path == folder.path + "/history.sqlite.broken-1")
        #expect(opened.movedAside?.reason.isCorruption == true)
        #expect(!opened.hasNewEpochs)
        #expect(try folder.bytes("history.sqlite.broken-1") == Array(repeating: 0x41, count: 10_000))
        try opened.store.commit([.begin(lobby, epoch(1), until: 0)])
        try opened.store.close()

        // Another program's database.
        let foreign = try Folder()
        try DatabaseQueue(path: foreign.path + "/history.sqlite").write { db in
            try db.execute(sql: "CREATE TABLE something (a)")
        }
        try folder.write("history.sqlite", foreign.bytes("history.sqlite"))
        let second = try SQLiteHistoryStore.open(folder.options())
        #expect(second.movedAside?.path == folder.path + "/history.sqlite.broken-2")
        #expect(
            second.movedAside?.reason
                == .corrupt(folder.path + "/history.sqlite", detail: "another program's tables are in it"))
    }

    @Test func damageFoundLaterIsPutAsideByAbandon() throws {
        try filled().close()
        var bytes = try folder.bytes("history.sqlite")
        for index in 4096..<bytes.count { bytes[index] = 0x5A }
        try folder.write("history.sqlite", bytes)
        let opened = Result { try SQLiteHistoryStore.open(folder.options()) }
        guard case .success(let first) = opened else { return }
        guard first.movedAside == nil else { return }
        let failure = #expect(throws: HistoryStoreError.self) { try first.store.load(lobby) }
        #expect(failure?.isCorruption == true)
        #expect(first.store.corruption == failure)
        #expect(try first.store.abandon() == folder.path + "/history.sqlite.broken-1")
        #expect(try folder.open().load(lobby) == nil)
    }

    @Test func brokenFilesDoNotPileUp() throws {
        for _ in 1...HistoryDirectory.maxBroken {
            try folder.write("history.sqlite", Array(repeating: 0x41, count: 1000))
            try SQLiteHistoryStore.open(folder.options()).store.close()
        }
        try folder.write("history.sqlite", Array(repeating: 0x41, count: 1000))
        #expect(throws: HistoryStoreError.tooManyBroken(folder.path + "/history.sqlite")) {
            try SQLiteHistoryStore.open(folder.options())
        }
    }

    @Test func aCheckLeavesNothingBehind() throws {
        let path = folder.path + "/a/b"
        try SQLiteHistoryStore.check(directory: path)
        #expect(access(folder.path + "/a", F_OK) != 0)
        try folder.write("file", [1])
        var options = folder.options()
        options.directory = folder.path + "/file/history"
        let failure = try #require(#expect(throws: HistoryStoreError.self) { try SQLiteHistoryStore.open(options) })
        #expect(throws: failure) { try SQLiteHistoryStore.check(directory: options.directory) }
        // One that is in use is left in peace.
        let store = try filled()
        try SQLiteHistoryStore.check(directory: folder.path)
        #expect(try store.position(of: lobby) == position)
        if geteuid() != 0 {
            chmod(folder.path, 0o500)
            defer { chmod(folder.path, 0o700) }
            #expect(throws: HistoryStoreError.self) { try SQLiteHistoryStore.check(directory: path) }
            chmod(folder.path, 0o700)
            chmod(folder.path + "/history.lock", 0)
            #expect(throws: HistoryStoreError.self) { try SQLiteHistoryStore.check(directory: folder.path) }
        }
    }

    @Test func oldSchemasMigrateAndLaterOnesAreLeftAlone() throws {
        try filled().close()
        var later = folder.options()
        later.migrations.append("ALTER TABLE room ADD COLUMN extra INTEGER")
        let migrated = try SQLiteHistoryStore.open(later).store
        #expect(try migrated.position(of: lobby) == position)
        try migrated.close()
        #expect(throws: HistoryStoreError.newerSchema(folder.path + "/history.sqlite", found: 2, known: 1)) {
            try SQLiteHistoryStore.open(folder.options())
        }
        #expect(try SQLiteHistoryStore.open(later).store.position(of: lobby) == position)
    }

    @Test func oneProcessAtATime() throws {
        let store = try filled()
        #expect(throws: HistoryStoreError.inUse(folder.path, process: getpid())) { try folder.open() }
        try store.close()
        #expect(try folder.open().position(of: lobby) == position)
    }

    @Test func aDirectoryThatCannotBeIsSaid() throws {
        try folder.write("file", [1])
        var options = folder.options()
        options.directory = folder.path + "/file/history"
        let failure = #expect(throws: HistoryStoreError.self) { try SQLiteHistoryStore.open(options) }
        #expect(
            failure?.description
                == "The history directory \(folder.path)/file/history cannot be used: Not a directory. "
                + "Make it writable for this user, or set history.directory.")
        options.directory = folder.path + "/a/b"
        let store = try SQLiteHistoryStore.open(options).store
        var status = stat()
        #expect(stat(options.directory, &status) == 0 && status.st_mode & 0o777 == 0o700)
        for name in ["/history.sqlite", "/history.sqlite-wal", "/history.sqlite-shm", "/history.lock"] {
            #expect(stat(options.directory + name, &status) == 0 && status.st_mode & 0o777 == 0o600)
        }
        try store.close()
        for name in ["/a/b/history.sqlite", "/a/b/history.lock"] { unlink(folder.path + name) }
        rmdir(folder.path + "/a/b")
        rmdir(folder.path + "/a")
    }
}
