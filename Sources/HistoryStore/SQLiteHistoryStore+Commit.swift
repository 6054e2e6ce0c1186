import GRDB
internal import Model
package import Realtime

extension SQLiteHistoryStore {
    /// Throws a ``HistoryStoreError``. After ``HistoryStoreError/full(_:)`` it can be tried again at any time.
    package func commit(_ writes: [HistoryWrite]) throws {
        guard !writes.isEmpty else { return }
        let start = ContinuousClock.now
        do {
            do {
                try transact(writes)
            } catch HistoryStoreError.full where mayMakeRoom(start) {
                // What the log holds may fit into the file, whose free pages are used again.
                queue.inDatabase { db in _ = try? db.checkpoint(.truncate) }
                try transact(writes)
                lastVainRetry = nil
            }
        } catch {
            figuresSoFar.failedCommits += 1
            throw noted(error)
        }
        let taken = ContinuousClock.now - start
        figuresSoFar.commits += 1
        figuresSoFar.commitTime += taken
        figuresSoFar.longestCommit = max(figuresSoFar.longestCommit, taken)
        keeper.logGrew(to: log.current)
    }

    private func mayMakeRoom(_ now: ContinuousClock.Instant) -> Bool {
        if let last = lastVainRetry, now - last < Self.fullRetryInterval { return false }
        lastVainRetry = now
        return true
    }

    private func transact(_ writes: [HistoryWrite]) throws {
        let statements = try usableStatements()
        var turn = Turn()
        do {
            try queue.inDatabase { db in
                try db.inTransaction(.immediate) {
                    for write in writes { try carryOut(write, statements, &turn) }
                    try finish(turn, statements)
                    return .commit
                }
            }
        } catch {
            // What is remembered of rooms has run ahead of the file.
            cache.removeAll()
            throw noted(error)
        }
        identifiersBefore = max(identifiersBefore, turn.identifiersBefore)
        originsBefore = max(originsBefore, turn.originsBefore)
        debts.identifiers = debts.identifiers || turn.identifiersBefore > .min
        debts.origins = debts.origins || turn.originsBefore > .min
        debts.rooms = debts.rooms || turn.leavesDebt
        debts.garbage = debts.garbage || turn.leavesGarbage
        debts.freePages = debts.freePages || turn.hasDeleted
        figuresSoFar.appends += turn.appends
    }

    /// What one commit gathers, to be written once at its end.
    private struct Turn {
        var moved: Set<RoomName> = []
        var origins: [BootID: OperationRecord] = [:]
        var appends = 0
        var identifiersBefore = Int64.min
        var originsBefore = Int64.min
        var leavesDebt = false
        var leavesGarbage = false
        var hasDeleted = false
    }

    private func carryOut(_ write: HistoryWrite, _ statements: HistoryStatements, _ turn: inout Turn) throws {
        switch write {
        case .begin(let name, let epoch, let until):
            if let former = try room(name, statements) { try remove(name, former, statements, &turn) }
            try begin(name, epoch, until, statements)
        case .append(let name, let entry, let origin, let until):
            var room = try known(name, statements)
            try append(entry, to: room, statements)
            room.head = entry.offset
            move(&room, until: until, name, &turn)
            turn.origins[origin.boot, default: OperationRecord()].append(origin, room.position, time: entry.time)
            turn.appends += 1
        case .trim(let name, let through):
            var room = try known(name, statements)
            room.trimmed = max(room.trimmed, min(through, room.head))
            let reach = room.deleted + min(room.trimmed - room.deleted, Self.deletedPerTrim)
            if reach > room.deleted {
                try statements.trimEntries.begin().bind(room.id).bind(reach).run()
                room.deleted = reach
                turn.hasDeleted = true
            }
            turn.leavesDebt = turn.leavesDebt || room.deleted < room.trimmed
            move(&room, until: room.until, name, &turn)
        case .keep(let name, let until):
            var room = try known(name, statements)
            move(&room, until: until, name, &turn)
        case .readMark(let name, let user, let offset):
            let room = try known(name, statements)
            try statements.setMark.begin().bind(room.id).bind(text: user.text).bind(offset).run()
        case .forgetIdentifiers(let time):
            turn.identifiersBefore = max(turn.identifiersBefore, time)
        case .forgetOrigins(let time):
            turn.originsBefore = max(turn.originsBefore, time)
        case .drop(let name):
            guard let room = try room(name, statements) else { return }
            try remove(name, room, statements, &turn)
        }
    }

    private func begin(_ name: RoomName, _ epoch: RoomEpoch, _ until: Int64, _ statements: HistoryStatements) throws {
        try statements.addRoom.begin().bind(text: name.text).bind(epoch.rawValue).bind(until)
            .bind(Self.minute(until)).run()
        // The cache learns its number from the row.
        _ = try room(name, statements)
    }

    private func append(_ entry: HistoryEntry, to room: Room, _ statements: HistoryStatements) throws {
        try statements.addEntry.begin().bind(room.id).bind(entry.offset).bind(entry.time)
            .bind(entry.subject.boot.rawValue).bind(entry.subject.serial).bind(text: entry.user?.text)
            .bind(text: entry.messageID?.text).bind(Int64(entry.includesSubject ? 1 : 0)).bind(entry.data).run()
        guard let id = entry.messageID else { return }
        try statements.addIdentifier.begin().bind(room.id).bind(text: id.text).bind(entry.offset).bind(entry.time).run()
    }

    private func remove(
        _ name: RoomName, _ room: Room, _ statements: HistoryStatements, _ turn: inout Turn
    ) throws {
        try statements.removeRoom.begin().bind(room.id).run()
        try statements.addGarbage.begin().bind(room.id).run()
        cache[name] = nil
        turn.moved.remove(name)
        turn.leavesGarbage = true
    }

    private func move(_ room: inout Room, until: Int64, _ name: RoomName, _ turn: inout Turn) {
        room.until = until
        cache[name] = room
        turn.moved.insert(name)
    }

    private func finish(_ turn: Turn, _ statements: HistoryStatements) throws {
        for name in turn.moved {
            guard var room = cache[name] else { continue }
            try statements.moveRoom.begin().bind(room.head).bind(room.trimmed).bind(room.deleted).bind(room.until)
                .bind(room.id).run()
            let minute = Self.minute(room.until)
            guard minute != room.minute else { continue }
            try statements.moveUntil.begin().bind(minute).bind(room.id).run()
            room.minute = minute
            cache[name] = room
        }
        for (key, time) in [("identifiersBefore", turn.identifiersBefore), ("originsBefore", turn.originsBefore)]
        where time > .min {
            try statements.setMeta.begin().bind(text: key).bind(time).run()
        }
        for (boot, record) in turn.origins {
            try statements.addOrigin.begin().bind(boot.rawValue).bind(record.last).bind(record.time).bind(record.bytes)
                .run()
        }
    }

    private func known(_ name: RoomName, _ statements: HistoryStatements) throws -> Room {
        guard let room = try room(name, statements) else { throw HistoryStoreError.unknownRoom }
        return room
    }

    /// A room's row, from the cache or the file. Within an access to the database.
    func room(_ name: RoomName, _ statements: HistoryStatements) throws -> Room? {
        if let room = cache[name] { return room }
        let found = try statements.room.begin().bind(text: name.text).first { row in
            Room(
                id: row.integer(0), epoch: RoomEpoch(rawValue: row.unsigned(1)), head: row.unsigned(2),
                trimmed: row.unsigned(3), deleted: row.unsigned(4), until: row.integer(5),
                minute: Self.minute(row.integer(5)))
        }
        guard let found else { return nil }
        guard found.isPlausible else {
            throw HistoryStoreError.corrupt(path, detail: "the row of a room is impossible")
        }
        cache[name] = found
        return found
    }

    /// Minutes since 1970.
    static func minute(_ milliseconds: Int64) -> Int64 { milliseconds / 60_000 }
}
