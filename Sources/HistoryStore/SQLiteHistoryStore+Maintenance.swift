import GRDB
import Glibc

extension SQLiteHistoryStore {
    /// Rows deleted in one transaction.
    static let rowsPerSlice = 256
    /// Free pages (4 KiB) the file keeps for what comes next.
    static let keptFreePages = 1024
    /// Pages given back to the file system in one step.
    static let pagesPerSlice = 64

    /// Whether ``maintain(budget:)`` has something to do.
    package var needsMaintenance: Bool { !debts.isEmpty }

    /// Deletes the rows of what is no longer kept and shortens the file, for about `budget`. Throws when the file cannot
    /// be written; what is left is done by later calls.
    package func maintain(budget: Duration) throws(HistoryStoreError) {
        let end = ContinuousClock.now + budget
        if let corruption { throw corruption }
        do {
            repeat {
                guard needsMaintenance else { return }
                try slice()
            } while ContinuousClock.now < end
        } catch {
            throw noted(error)
        }
        keeper.logGrew(to: log.current)
    }

    /// Takes the figures; the longest commit is counted anew from here on.
    package func takeFigures() -> HistoryFigures {
        var figures = figuresSoFar
        figures.fileBytes = Self.size(of: path)
        figures.logBytes = Self.size(of: path + "-wal")
        figures.checkpoints = keeper.checkpoints
        figuresSoFar.longestCommit = .zero
        return figures
    }

    private func slice() throws {
        try queue.inDatabase { db in
            if debts.rooms {
                try db.inTransaction(.immediate) {
                    try trimOne(db); return .commit
                }
            } else if debts.garbage {
                try db.inTransaction(.immediate) {
                    try collectOne(db); return .commit
                }
            } else if debts.identifiers {
                debts.identifiers = try forget("identifier", before: identifiersBefore, db)
            } else if debts.origins {
                debts.origins = try forget("origin", before: originsBefore, db)
            } else if debts.freePages {
                debts.freePages = try shorten(db)
            }
        }
    }

    /// The next entries of a room that was trimmed by more than one commit deletes.
    private func trimOne(_ db: Database) throws {
        let row = try Row.fetchOne(
            db, sql: "SELECT id, name, trimmed, deleted FROM room WHERE deleted < trimmed LIMIT 1")
        guard let row else {
            debts.rooms = false
            return
        }
        let id: Int64 = row[0]
        let trimmed: Int64 = row[2]
        let deleted: Int64 = row[3]
        guard 0 <= deleted, trimmed <= Int64(Self.maxOffset) else {
            throw HistoryStoreError.corrupt(path, detail: "the row of a room is impossible")
        }
        let reach = min(trimmed, deleted + Int64(Self.rowsPerSlice))
        try db.execute(sql: "DELETE FROM entry WHERE room = ? AND offset <= ?", arguments: [id, reach])
        try db.execute(sql: "UPDATE room SET deleted = ? WHERE id = ?", arguments: [reach, id])
        debts.freePages = true
        // Whoever remembers the row learns of it; a commit that fails after this forgets all of them anyway.
        for (name, room) in cache where room.id == id {
            cache[name]?.deleted = UInt64(bitPattern: reach)
            break
        }
    }

    /// The next rows of a room that is gone.
    private func collectOne(_ db: Database) throws {
        guard let id = try Int64.fetchOne(db, sql: "SELECT room FROM garbage LIMIT 1") else {
            debts.garbage = false
            return
        }
        debts.freePages = true
        let slice = Self.rowsPerSlice
        try db.execute(
            sql: """
                DELETE FROM entry WHERE room = :room AND offset <
                    (SELECT min(offset) FROM entry WHERE room = :room) + \(slice)
                """, arguments: ["room": id])
        guard db.changesCount == 0 else { return }
        try db.execute(
            sql: "DELETE FROM identifier WHERE n IN (SELECT n FROM identifier WHERE room = ? LIMIT \(slice))",
            arguments: [id])
        guard db.changesCount == 0 else { return }
        try db.execute(
            sql: """
                DELETE FROM mark WHERE room = :room AND user IN
                    (SELECT user FROM mark WHERE room = :room LIMIT \(slice))
                """, arguments: ["room": id])
        guard db.changesCount == 0 else { return }
        try db.execute(sql: "DELETE FROM garbage WHERE room = ?", arguments: [id])
    }

    /// Whether there may be more to forget. A row that came out of turn (the clock was set back) waits for those before.
    private func forget(_ table: String, before time: Int64, _ db: Database) throws -> Bool {
        try db.execute(
            sql: """
                DELETE FROM \(table) WHERE time < ? AND n IN
                    (SELECT n FROM \(table) ORDER BY n LIMIT \(Self.rowsPerSlice))
                """, arguments: [time])
        debts.freePages = debts.freePages || db.changesCount > 0
        return db.changesCount == Self.rowsPerSlice
    }

    /// Whether there are more pages to give back.
    private func shorten(_ db: Database) throws -> Bool {
        let free = try Int.fetchOne(db, sql: "PRAGMA freelist_count") ?? 0
        let pages = try Int.fetchOne(db, sql: "PRAGMA page_count") ?? 0
        // Pages that a steady load uses again need not go back and forth.
        guard free > max(Self.keptFreePages, pages / 4) else { return false }
        try db.execute(sql: "PRAGMA incremental_vacuum(\(Self.pagesPerSlice))")
        return true
    }

    private static func size(of path: String) -> Int {
        var status = stat()
        return stat(path, &status) == 0 ? Int(status.st_size) : 0
    }
}
