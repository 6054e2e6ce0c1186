import GRDB

/// The statements of the message path, prepared once.
final class HistoryStatements {
    let room, addRoom, moveRoom, moveUntil, removeRoom, addGarbage: BoundStatement
    let addEntry, trimEntries, addIdentifier, setMark, addOrigin, setMeta: BoundStatement
    let entries, identifiers, marks, origins, expired: BoundStatement

    init(_ db: Database) throws {
        func prepare(_ sql: String) throws -> BoundStatement { try BoundStatement(db, sql) }
        room = try prepare("SELECT id, epoch, head, trimmed, deleted, until FROM room WHERE name = ?")
        addRoom = try prepare(
            "INSERT INTO room (name, epoch, head, trimmed, deleted, until, untilMinute) VALUES (?, ?, 0, 0, 0, ?, ?)")
        moveRoom = try prepare("UPDATE room SET head = ?, trimmed = ?, deleted = ?, until = ? WHERE id = ?")
        moveUntil = try prepare("UPDATE room SET untilMinute = ? WHERE id = ?")
        removeRoom = try prepare("DELETE FROM room WHERE id = ?")
        addGarbage = try prepare("INSERT INTO garbage (room) VALUES (?)")
        addEntry = try prepare(
            "INSERT INTO entry (room, offset, time, boot, serial, user, message, includesSubject, data) "
                + "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")
        trimEntries = try prepare("DELETE FROM entry WHERE room = ? AND offset <= ?")
        addIdentifier = try prepare("INSERT INTO identifier (room, message, offset, time) VALUES (?, ?, ?, ?)")
        setMark = try prepare("INSERT OR REPLACE INTO mark (room, user, offset) VALUES (?, ?, ?)")
        addOrigin = try prepare("INSERT INTO origin (boot, last, time, operations) VALUES (?, ?, ?, ?)")
        setMeta = try prepare("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)")
        entries = try prepare(
            "SELECT offset, time, boot, serial, user, message, includesSubject, data FROM entry WHERE room = ? AND offset > ? "
                + "ORDER BY offset")
        identifiers = try prepare(
            "SELECT message, offset, time FROM identifier WHERE room = ? AND time >= ? ORDER BY n")
        marks = try prepare("SELECT user, offset FROM mark WHERE room = ?")
        origins = try prepare(
            "SELECT operations FROM origin WHERE boot = ? AND last >= ? AND time >= ? ORDER BY last LIMIT ?")
        expired = try prepare("SELECT name FROM room WHERE untilMinute <= ? AND until < ? ORDER BY untilMinute LIMIT ?")
    }
}
