import GRDB
import GRDBSQLite

/// A prepared statement whose values are bound as they lie in memory: a message's bytes become no `Data` first.
///
/// Use it within an access to its database only, and let it go before the connection is closed.
final class BoundStatement {
    private let statement: Statement
    private let handle: OpaquePointer
    private let database: OpaquePointer?
    private var index: Int32 = 0

    init(_ db: Database, _ sql: String) throws {
        statement = try db.makeStatement(sql: sql)
        handle = statement.sqliteStatement
        database = db.sqliteConnection
    }

    /// Begins with the values of a new run.
    func begin() -> BoundStatement {
        sqlite3_reset(handle)
        index = 0
        return self
    }

    func bind(_ value: Int64) -> BoundStatement {
        index += 1
        sqlite3_bind_int64(handle, index, value)
        return self
    }

    func bind(_ value: UInt64) -> BoundStatement { bind(Int64(bitPattern: value)) }

    func bind(_ bytes: [UInt8]) -> BoundStatement {
        bytes.withUnsafeBytes { bind($0) }
    }

    /// `nil` becomes NULL.
    func bind(text: String?) -> BoundStatement {
        guard var text else {
            index += 1
            sqlite3_bind_null(handle, index)
            return self
        }
        return text.withUTF8 { bind(UnsafeRawBufferPointer($0)) }
    }

    private func bind(_ bytes: UnsafeRawBufferPointer) -> BoundStatement {
        index += 1
        if let base = bytes.baseAddress, !bytes.isEmpty {
            let copied = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
            sqlite3_bind_blob64(handle, index, base, UInt64(bytes.count), copied)
        } else {
            sqlite3_bind_zeroblob(handle, index, 0)
        }
        return self
    }

    /// Runs to the end.
    func run() throws {
        while try step() {}
    }

    /// `row` for each row.
    func forEach(_ row: (BoundStatement) throws -> Void) throws {
        defer { sqlite3_reset(handle) }
        while try step() { try row(self) }
    }

    /// The first row's value.
    func first<T>(_ row: (BoundStatement) throws -> T) throws -> T? {
        defer { sqlite3_reset(handle) }
        return try step() ? row(self) : nil
    }

    private func step() throws -> Bool {
        switch sqlite3_step(handle) {
        case SQLITE_ROW: return true
        case SQLITE_DONE:
            sqlite3_reset(handle)
            return false
        case let code:
            let message = database.map { String(cString: sqlite3_errmsg($0)) }
            sqlite3_reset(handle)
            throw DatabaseError(resultCode: ResultCode(rawValue: code), message: message)
        }
    }

    // MARK: Columns

    func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }

    func unsigned(_ column: Int32) -> UInt64 { UInt64(bitPattern: integer(column)) }

    func bytes(_ column: Int32) -> [UInt8] {
        guard let base = sqlite3_column_blob(handle, column) else { return [] }
        return [UInt8](UnsafeRawBufferPointer(start: base, count: Int(sqlite3_column_bytes(handle, column))))
    }

    func text(_ column: Int32) -> String { String(decoding: bytes(column), as: UTF8.self) }

    func optionalText(_ column: Int32) -> String? {
        sqlite3_column_type(handle, column) == SQLITE_NULL ? nil : text(column)
    }
}

/// Counts the pages in a connection's write-ahead log after each of its commits.
final class LogLength {
    private let pages = UnsafeMutablePointer<Int>.allocate(capacity: 1)
    private var connection: OpaquePointer?

    /// Takes the place of SQLite's own checkpoints for the connection. ``detach()`` before it is closed.
    init(_ db: Database) {
        pages.initialize(to: 0)
        connection = db.sqliteConnection
        let count: @convention(c) (UnsafeMutableRawPointer?, OpaquePointer?, UnsafePointer<CChar>?, Int32) -> Int32 = {
            context, _, _, pages in
            context?.assumingMemoryBound(to: Int.self).pointee = Int(pages)
            return SQLITE_OK
        }
        sqlite3_wal_hook(connection, count, pages)
    }

    var current: Int { pages.pointee }

    func detach() {
        guard let connection else { return }
        sqlite3_wal_hook(connection, nil, nil)
        self.connection = nil
    }

    deinit {
        pages.deallocate()
    }
}
