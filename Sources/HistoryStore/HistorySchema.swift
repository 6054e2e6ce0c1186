import GRDB

/// The tables, and how an older file becomes a present one.
enum HistorySchema {
    /// Says in the file's header that it is wsd's history ("wsdH").
    static let applicationID: Int32 = 0x7773_6448

    /// Each makes the schema of its place in the row (from 1) out of the one before. Never changed once released.
    static let migrations = [version1]

    /// Names are blobs: SQLite's text ends at a NUL and has an encoding, bytes have neither. 64-bit values that only
    /// look unsigned are stored by their bits.
    private static let version1 = """
        CREATE TABLE meta (
            key BLOB PRIMARY KEY,
            value
        ) WITHOUT ROWID;

        -- Numbers are never given twice: those of removed rooms still have entries for a while (garbage).
        -- trimmed: entries up to it are no longer kept; deleted: up to it they are gone from the file, too.
        CREATE TABLE room (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            name BLOB NOT NULL UNIQUE,
            epoch INTEGER NOT NULL,
            head INTEGER NOT NULL,
            trimmed INTEGER NOT NULL,
            deleted INTEGER NOT NULL,
            until INTEGER NOT NULL,
            untilMinute INTEGER NOT NULL
        );
        CREATE INDEX room_debt ON room (id) WHERE deleted < trimmed;
        -- By the minute: most appends leave it as it is.
        CREATE INDEX room_until ON room (untilMinute);

        CREATE TABLE entry (
            room INTEGER NOT NULL,
            offset INTEGER NOT NULL,
            time INTEGER NOT NULL,
            boot INTEGER NOT NULL,
            serial INTEGER NOT NULL,
            user BLOB,
            message BLOB,
            includesSubject INTEGER NOT NULL,
            data BLOB NOT NULL,
            PRIMARY KEY (room, offset)
        ) WITHOUT ROWID;

        -- In the order in which they came.
        CREATE TABLE identifier (
            n INTEGER PRIMARY KEY,
            room INTEGER NOT NULL,
            message BLOB NOT NULL,
            offset INTEGER NOT NULL,
            time INTEGER NOT NULL
        );
        CREATE INDEX identifier_room ON identifier (room);

        CREATE TABLE mark (
            room INTEGER NOT NULL,
            user BLOB NOT NULL,
            offset INTEGER NOT NULL,
            PRIMARY KEY (room, user)
        ) WITHOUT ROWID;

        -- Which operations are recorded: a row for each commit and origin. See OperationRecord.
        CREATE TABLE origin (
            n INTEGER PRIMARY KEY,
            boot INTEGER NOT NULL,
            last INTEGER NOT NULL,
            time INTEGER NOT NULL,
            operations BLOB NOT NULL
        );
        CREATE INDEX origin_last ON origin (boot, last);

        -- Rooms that are gone, whose rows are still to be deleted.
        CREATE TABLE garbage (
            room INTEGER PRIMARY KEY
        );
        """

    enum Found: Equatable {
        case empty
        case ours(version: Int)
        case foreign
    }

    /// What kind of file it is. Throws when it is none of SQLite's.
    static func identify(_ db: Database) throws -> Found {
        let application = try Int32.fetchOne(db, sql: "PRAGMA application_id") ?? 0
        let version = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
        let tables = try Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_master") ?? 0
        if application == applicationID { return .ours(version: version) }
        return application == 0 && version == 0 && tables == 0 ? .empty : .foreign
    }

    /// Takes a file from `version` to the last schema, as one transaction.
    static func migrate(_ db: Database, from version: Int, with migrations: [String]) throws {
        guard version < migrations.count else { return }
        try db.inTransaction(.immediate) {
            for migration in migrations[version...] { try db.execute(sql: migration) }
            try db.execute(sql: "PRAGMA application_id = \(applicationID)")
            try db.execute(sql: "PRAGMA user_version = \(migrations.count)")
            return .commit
        }
    }
}
