import GRDB
package import Model
package import Realtime

extension SQLiteHistoryStore {
    /// Rows looked at for one operation: commits that recorded later ones first. More than one only after a full disk.
    private static let originsPerLookup: Int64 = 16

    package func load(_ room: RoomName) throws -> StoredRoom? {
        try read { statements in
            guard let found = try self.room(room, statements) else { return nil }
            var stored = StoredRoom(position: found.position, entries: [], identifiers: [], readMarks: [:])
            let kept = found.head - min(found.trimmed, found.head)
            stored.entries.reserveCapacity(Int(clamping: min(kept, 1_000_000)))
            try statements.entries.begin().bind(found.id).bind(found.trimmed).forEach { row in
                let subject = ClientID(boot: BootID(rawValue: row.unsigned(2)), serial: row.unsigned(3))
                let entry = HistoryEntry(
                    offset: row.unsigned(0), time: row.integer(1), subject: subject,
                    user: row.optionalText(4).map { UserName($0) },
                    messageID: row.optionalText(5).map { MessageID($0) }, data: row.bytes(7),
                    includesSubject: row.integer(6) != 0)
                guard entry.offset <= found.head, Self.isPlausible(time: entry.time), Self.isPlausible(data: entry.data)
                else { throw HistoryStoreError.corrupt(path, detail: "a message in it is none") }
                stored.entries.append(entry)
            }
            try statements.identifiers.begin().bind(found.id).bind(identifiersBefore).forEach { row in
                stored.identifiers.append(
                    StoredIdentifier(id: MessageID(row.text(0)), offset: row.unsigned(1), time: row.integer(2)))
            }
            try statements.marks.begin().bind(found.id).forEach { row in
                stored.readMarks[UserName(row.text(0))] = row.unsigned(1)
            }
            return stored
        }
    }

    package func position(of room: RoomName) throws -> RoomPosition? {
        try read { statements in try self.room(room, statements)?.position }
    }

    package func position(recordedFor origin: OperationOrigin) throws -> RoomPosition? {
        try read { statements in
            var found: RoomPosition?
            try statements.origins.begin().bind(origin.boot.rawValue).bind(origin.sequence).bind(originsBefore)
                .bind(Self.originsPerLookup)
                .forEach { row in
                    found = found ?? OperationRecord.position(of: origin, in: row.bytes(0))
                }
            return found
        }
    }

    package func expired(before time: Int64, limit: Int) throws -> [RoomName] {
        try read { statements in
            var rooms: [RoomName] = []
            try statements.expired.begin().bind(Self.minute(time)).bind(time).bind(Int64(limit)).forEach { row in
                rooms.append(RoomName(row.text(0)))
            }
            return rooms
        }
    }

    /// Throws a ``HistoryStoreError``.
    private func read<T>(_ body: (HistoryStatements) throws -> T) throws -> T {
        let statements = try usableStatements()
        if cache.count > Self.maxCachedRooms { cache.removeAll(keepingCapacity: true) }
        do {
            // A read outside a transaction sees what is committed, and holds up no checkpoint after its last row.
            return try queue.inDatabase { _ in try body(statements) }
        } catch {
            throw noted(error)
        }
    }

    /// What was written or read of a damaged file would be lost, or wrong.
    func usableStatements() throws(HistoryStoreError) -> HistoryStatements {
        if let corruption { throw corruption }
        guard let statements else { throw HistoryStoreError.failed(path, detail: "it is closed") }
        return statements
    }

    static func isPlausible(time: Int64) -> Bool { (-maxTime...maxTime).contains(time) }

    /// JSON text is UTF-8 without control characters (RFC 8259 section 7): pages that were overwritten are hardly ever.
    static func isPlausible(data: [UInt8]) -> Bool {
        data.allSatisfy { $0 >= 0x20 || $0 == 0x09 || $0 == 0x0A || $0 == 0x0D }
            && String(validating: data, as: UTF8.self) != nil
    }

    /// Remembers that the file is damaged.
    func noted(_ error: any Error) -> HistoryStoreError {
        let error = HistoryStoreError(error, path: path)
        if error.isCorruption { corruption = error }
        return error
    }
}
