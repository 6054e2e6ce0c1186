import FoundationEssentials
import GRDB
import Glibc
internal import Model
internal import Realtime

/// Histories in one SQLite file, `history.sqlite`, which one process has at a time.
///
/// WAL mode, `synchronous=NORMAL`: a commit is a write to the page cache, which a killed process does not lose. A
/// machine that goes down may lose the last commits: when it did so without ``close()`` before, ``open(_:)`` gives every
/// room a new epoch, so that no offset ever names two messages. The log is carried over into the file (fsync) by a
/// connection of its own in the background; a commit waits for the disk only when the log begins anew.
///
/// The file grows to what was kept at most and gives back what becomes free (`auto_vacuum=INCREMENTAL`). Rooms are
/// removed and trimmed at once, their rows in ``maintain(budget:)``, a little at a time.
///
/// Confined to one thread at a time.
package final class SQLiteHistoryStore: HistoryStorage {
    /// Rooms whose number and place are remembered; more are looked up again.
    static let maxCachedRooms = 65_536
    /// Entries deleted in the commit that trims them; the rest is left to ``maintain(budget:)``.
    static let deletedPerTrim: UInt64 = 256
    /// Offsets and times (milliseconds, before or after 1970) above these are none: they leave room to be added to.
    static let maxOffset: UInt64 = 1 << 62
    static let maxTime: Int64 = 1 << 53
    /// Between two attempts to make room on a full disk, after one in vain.
    static let fullRetryInterval = Duration.seconds(1)

    /// A room's row.
    struct Room {
        var id: Int64
        var epoch: RoomEpoch
        var head: UInt64
        var trimmed: UInt64
        var deleted: UInt64
        /// Milliseconds since 1970.
        var until: Int64
        /// What stands in the index of `until`.
        var minute: Int64

        var position: RoomPosition { RoomPosition(epoch: epoch, offset: head) }

        /// Whether it can have been written by us: what is damaged may still be a row.
        var isPlausible: Bool {
            head <= SQLiteHistoryStore.maxOffset && trimmed <= head && deleted <= trimmed
                && SQLiteHistoryStore.isPlausible(time: until)
        }
    }

    /// What ``open(_:)`` found worth telling.
    package struct Opened {
        package let store: SQLiteHistoryStore
        /// Where a damaged or foreign file was put; its history is lost.
        package let movedAside: (path: String, reason: HistoryStoreError)?
        /// The machine went down without a clean end: all rooms have new epochs.
        package let hasNewEpochs: Bool
    }

    let options: HistoryStoreOptions
    let directory: HistoryDirectory
    let path: String
    let queue: DatabaseQueue
    let log: LogLength
    let keeper: LogKeeper
    var statements: HistoryStatements?
    var cache: [RoomName: Room] = [:]
    /// Identifiers and origins before these times are to be deleted.
    var identifiersBefore: Int64 = .min
    var originsBefore: Int64 = .min
    /// What ``maintain(budget:)`` has to do.
    var debts = Debts()
    var figuresSoFar = HistoryFigures()
    /// When room was last made and did not suffice.
    var lastVainRetry: ContinuousClock.Instant?
    /// The file turned out to be damaged: nothing more is stored or read. ``abandon()``.
    package internal(set) var corruption: HistoryStoreError?
    private var isClosed = false

    struct Debts {
        var rooms = true
        var garbage = true
        var identifiers = true
        var origins = true
        var freePages = true

        var isEmpty: Bool { !rooms && !garbage && !identifiers && !origins && !freePages }
    }

    /// Opens or makes the database. Blocks while a predecessor has it, at most for the options' `lockTimeout`.
    package static func open(_ options: HistoryStoreOptions) throws(HistoryStoreError) -> Opened {
        let directory = try HistoryDirectory(options.directory, lockTimeout: options.lockTimeout)
        let hasHole = WriteAheadLog.hasHole(directory.database + "-wal")
        do {
            let (queue, isNew) = try connect(directory.database, options)
            return try finish(directory, queue, options, isNew: isNew, hasHole: hasHole, movedAside: nil)
        } catch  where error.isCorruption {
            let place = try directory.moveAside()
            let (queue, _) = try connect(directory.database, options)
            return try finish(directory, queue, options, isNew: true, hasHole: false, movedAside: (place, error))
        }
    }

    /// Whether there could be a database in this directory. Leaves nothing behind, and does not look into one that is there.
    package static func check(directory: String) throws(HistoryStoreError) {
        try HistoryDirectory.check(directory)
    }

    private static func connect(
        _ path: String, _ options: HistoryStoreOptions
    ) throws(HistoryStoreError) -> (DatabaseQueue, isNew: Bool) {
        do {
            var configuration = Configuration()
            configuration.label = "wsd.history"
            configuration.busyMode = .timeout(5)
            let queue = try DatabaseQueue(path: path, configuration: configuration)
            let isNew = try queue.writeWithoutTransaction { db -> Bool in
                let found = try HistorySchema.identify(db)
                let version: Int
                switch found {
                case .foreign: throw HistoryStoreError.corrupt(path, detail: "another program's tables are in it")
                case .ours(let known): version = known
                case .empty:
                    version = 0
                    // Only a file without tables can still be told so.
                    try db.execute(sql: "PRAGMA auto_vacuum = INCREMENTAL")
                }
                guard version <= options.migrations.count else {
                    throw HistoryStoreError.newerSchema(path, found: version, known: options.migrations.count)
                }
                try db.execute(sql: "PRAGMA journal_mode = WAL")
                try db.execute(sql: "PRAGMA synchronous = NORMAL")
                try db.execute(sql: "PRAGMA wal_autocheckpoint = 0")
                try db.execute(sql: "PRAGMA journal_size_limit = \(options.restartPages * 4096)")
                if let pages = options.maxPages { try db.execute(sql: "PRAGMA max_page_count = \(pages)") }
                try HistorySchema.migrate(db, from: version, with: options.migrations)
                return version == 0
            }
            return (queue, isNew)
        } catch {
            throw HistoryStoreError(error, path: path)
        }
    }

    private static func finish(
        _ directory: HistoryDirectory, _ queue: DatabaseQueue, _ options: HistoryStoreOptions, isNew: Bool,
        hasHole: Bool,
        movedAside: (path: String, reason: HistoryStoreError)?
    ) throws(HistoryStoreError) -> Opened {
        let path = directory.database
        do {
            let renewed = try queue.writeWithoutTransaction { db in
                let isSameBoot = try options.machineBoot != nil && meta(db, "boot") == options.machineBoot
                // Commits are missing, and part of what followed them may be in the file.
                if hasHole, isSameBoot { throw HistoryStoreError.corrupt(path, detail: "its log has a hole") }
                return try begin(db, options, isNew: isNew, isSameBoot: isSameBoot)
            }
            let store = try SQLiteHistoryStore(directory, queue, options)
            return Opened(store: store, movedAside: movedAside, hasNewEpochs: renewed)
        } catch {
            throw HistoryStoreError(error, path: path)
        }
    }

    /// Writes down that the database is in use in this boot of the machine, on to the disk; new epochs where commits may
    /// have been lost.
    private static func begin(
        _ db: Database, _ options: HistoryStoreOptions, isNew: Bool, isSameBoot: Bool
    ) throws -> Bool {
        let isClean = try meta(db, "clean") == "1"
        guard isClean || !isSameBoot else { return false }
        let renews = !isClean && !isNew
        // Were this lost with what is committed after it, the old clean mark would be believed the next time.
        try db.execute(sql: "PRAGMA synchronous = FULL")
        try db.inTransaction(.immediate) {
            if renews {
                // Odd, hence never 0.
                try db.execute(sql: "UPDATE room SET epoch = random() | 1")
                try db.execute(sql: "DELETE FROM origin")
            }
            try setMeta(db, "clean", "0")
            try setMeta(db, "boot", options.machineBoot ?? "")
            return .commit
        }
        try db.execute(sql: "PRAGMA synchronous = NORMAL")
        return renews
    }

    private static func meta<T: DatabaseValueConvertible>(_ db: Database, _ key: String) throws -> T? {
        try T.fetchOne(db, sql: "SELECT value FROM meta WHERE key = ?", arguments: [Data(key.utf8)])
    }

    private static func setMeta(_ db: Database, _ key: String, _ value: String) throws {
        try db.execute(
            sql: "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", arguments: [Data(key.utf8), value])
    }

    private init(
        _ directory: HistoryDirectory, _ queue: DatabaseQueue, _ options: HistoryStoreOptions
    ) throws {
        self.options = options
        path = directory.database
        self.directory = directory
        self.queue = queue
        (log, statements) = try queue.inDatabase { (LogLength($0), try HistoryStatements($0)) }
        keeper = try LogKeeper(path: path, options: options)
        (identifiersBefore, originsBefore) = try queue.inDatabase { db in
            (try Self.meta(db, "identifiersBefore") ?? .min, try Self.meta(db, "originsBefore") ?? .min)
        }
    }

    /// Ends the use of the database: everything is on the disk after it, and the next ``open(_:)`` keeps the epochs
    /// whatever becomes of the machine. Throws when it could not be written; the database is let go all the same.
    package func close() throws(HistoryStoreError) {
        guard !isClosed else { return }
        isClosed = true
        defer { directory.unlock() }
        var failure: (any Error)?
        do {
            try keeper.close()
            try queue.inDatabase { db in
                defer { release() }
                try db.inTransaction(.immediate) {
                    try Self.setMeta(db, "clean", "1")
                    return .commit
                }
                _ = try db.checkpoint(.truncate)
            }
        } catch { failure = error }
        do { try queue.close() } catch { failure = failure ?? error }
        if let failure { throw HistoryStoreError(failure, path: path) }
    }

    /// After ``HistoryStoreError/isCorruption``: puts the damaged file aside, so that the next ``open(_:)`` begins anew.
    /// The store must not be used any more. Returns where the file is now.
    package func abandon() throws(HistoryStoreError) -> String {
        let place = try directory.moveAside()
        isClosed = true
        queue.inDatabase { _ in release() }
        directory.unlock()
        return place
    }

    private func release() {
        log.detach()
        statements = nil
    }

    deinit {
        guard !isClosed else { return }
        queue.inDatabase { _ in release() }
    }
}
