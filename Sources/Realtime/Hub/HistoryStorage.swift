package import Model

/// Where the histories of rooms outlive the hub's process. Implemented on SQLite by the target `HistoryStore`, and in
/// memory by tests.
///
/// The machine reads what it needs when it first needs it; the driver commits what ``HubStateMachine`` stages, a turn
/// at a time. All reads see everything committed.
package protocol HistoryStorage: AnyObject {
    /// A room as last committed; `nil`: never begun, or dropped. Throws when the storage cannot be read.
    func load(_ room: RoomName) throws -> StoredRoom?
    /// The position alone, for a room that need not be loaded.
    func position(of room: RoomName) throws -> RoomPosition?
    /// Where an operation's publication was recorded; `nil`: it was not, or that is forgotten
    /// (``HistoryWrite/forgetOrigins(before:)``).
    func position(recordedFor origin: OperationOrigin) throws -> RoomPosition?
    /// Rooms, at most `limit`, whose `until` (``HistoryWrite/begin(_:_:until:)``) is before `time` (ms since 1970).
    func expired(before time: Int64, limit: Int) throws -> [RoomName]
    /// Carries out all writes, in order, or none of them. Throws when it cannot (a full disk).
    func commit(_ writes: [HistoryWrite]) throws
}

/// Which operation a publication came of, so that it is recognised when it is replayed to the next hub.
package struct OperationOrigin: Hashable, Sendable {
    /// The worker's, or the hub's for what the hub did itself.
    package var boot: BootID
    package var sequence: UInt64
    /// Place within a batch of the backend; otherwise 0.
    package var item: Int

    package init(boot: BootID, sequence: UInt64, item: Int = 0) {
        self.boot = boot
        self.sequence = sequence
        self.item = item
    }
}

/// A message id by which a repetition is recognised.
package struct StoredIdentifier: Hashable, Sendable {
    package var id: MessageID
    package var offset: UInt64
    /// Milliseconds since 1970 when it came.
    package var time: Int64

    package init(id: MessageID, offset: UInt64, time: Int64) {
        self.id = id
        self.offset = offset
        self.time = time
    }
}

/// A room's history as stored. `entries` are contiguous, ascending, and end with `position`'s offset, unless the newest
/// were removed: then there are none.
package struct StoredRoom: Hashable, Sendable {
    package var position: RoomPosition
    package var entries: [HistoryEntry]
    /// Those not forgotten, oldest first; also of entries that are no longer kept.
    package var identifiers: [StoredIdentifier]
    /// What each user has read up to.
    package var readMarks: [UserName: UInt64]

    package init(
        position: RoomPosition, entries: [HistoryEntry], identifiers: [StoredIdentifier], readMarks: [UserName: UInt64]
    ) {
        self.position = position
        self.entries = entries
        self.identifiers = identifiers
        self.readMarks = readMarks
    }
}

/// One change of what is stored. Times are milliseconds since 1970.
package enum HistoryWrite: Hashable, Sendable {
    /// The room's history begins at offset 0 of this epoch; whatever was there is gone. `until`: from then on it is
    /// among ``HistoryStorage/expired(before:limit:)``.
    case begin(RoomName, RoomEpoch, until: Int64)
    /// The room's position moves to the entry's offset, which is the next one, and its `until` to that time. The
    /// entry's message id (with its time) and the origin are remembered.
    case append(RoomName, HistoryEntry, origin: OperationOrigin, until: Int64)
    /// Entries up to and including this offset are no longer kept; position and message ids stay.
    case trim(RoomName, through: UInt64)
    /// The room's `until` moves to that time.
    case keep(RoomName, until: Int64)
    case readMark(RoomName, UserName, offset: UInt64)
    /// Message ids whose entry's time is before this one are forgotten, in all rooms.
    case forgetIdentifiers(before: Int64)
    /// Origins of entries from before this time are forgotten.
    case forgetOrigins(before: Int64)
    /// Nothing of the room is kept, not even its epoch; origins are.
    case drop(RoomName)
}
