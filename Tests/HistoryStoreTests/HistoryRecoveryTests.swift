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
