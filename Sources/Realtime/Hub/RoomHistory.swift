internal import DequeModule
internal import Model

/// The messages of one room that are kept: an epoch, contiguous offsets, and what is staged to follow.
///
/// A message is staged first (it gets its offset), recorded by the storage, and then put in force, in the same order.
struct RoomHistory {
    let epoch: RoomEpoch
    /// Offset of the last message in force; 0: there was none.
    private(set) var head: UInt64
    private(set) var entries: Deque<HistoryEntry> = []
    /// Of `entries`.
    private(set) var bytes = 0
    private var staged: Deque<HistoryEntry> = []
    var identifiers: MessageIdentifiers

    /// The storage knows the epoch.
    private(set) var isStored: Bool
    private var stagesBegin = false
    /// The storage was told that nothing up to here is kept.
    private var storedFloor: UInt64
    private var stagedFloor: UInt64?

    /// Offsets trimmed in memory before the storage is told, as a part of what is kept: it costs a write.
    private static let trimPart = 4

    /// A new one.
    init(epoch: RoomEpoch) {
        self.epoch = epoch
        head = 0
        identifiers = MessageIdentifiers()
        isStored = false
        storedFloor = 0
    }

    /// As stored; entries that do not end with the position or are not contiguous are not used.
    init(_ stored: StoredRoom) {
        epoch = stored.position.epoch
        head = stored.position.offset
        identifiers = MessageIdentifiers(stored.identifiers)
        isStored = true
        storedFloor = 0
        var next = head
        var kept = 0
        for entry in stored.entries.reversed() {
            guard entry.offset == next, next > 0 else { break }
            next -= 1
            kept += 1
        }
        entries = Deque(stored.entries.suffix(kept))
        bytes = entries.reduce(0) { $0 + $1.data.count }
        storedFloor = stored.entries.count == kept ? floor : 0
    }

    var position: RoomPosition { RoomPosition(epoch: epoch, offset: head) }

    /// Position of the last message, staged ones included.
    var stagedPosition: RoomPosition { RoomPosition(epoch: epoch, offset: staged.last?.offset ?? head) }

    /// Everything above this offset is kept.
    var floor: UInt64 { head - UInt64(entries.count) }

    var hasStaged: Bool { !staged.isEmpty || stagesBegin || stagedFloor != nil }
}

// MARK: - Staging

extension RoomHistory {
    /// Whether the epoch has to be written first; it then counts as staged.
    mutating func stageBegin() -> Bool {
        guard !isStored, !stagesBegin else { return false }
        stagesBegin = true
        return true
    }

    /// Gives a message its offset. Times never go back within a room.
    mutating func stage(
        time: Int64, subject: ClientID, user: UserName?, messageID: MessageID?, data: [UInt8], includesSubject: Bool
    ) -> HistoryEntry {
        let last = staged.last ?? entries.last
        let entry = HistoryEntry(
            offset: stagedPosition.offset + 1, time: max(time, last?.time ?? time), subject: subject, user: user,
            messageID: messageID, data: data, includesSubject: includesSubject)
        if let messageID { identifiers.stage(messageID, offset: entry.offset) }
        staged.append(entry)
        return entry
    }

    /// Up to where the storage should be told to trim, if it is worth a write. `isThorough`: as soon as there is anything.
    mutating func stageTrim(size: Int, isThorough: Bool) -> UInt64? {
        let offset = stagedPosition.offset
        let bySize = offset - min(offset, UInt64(size))
        let target = max(bySize, floor)
        let known = stagedFloor ?? storedFloor
        guard target > known, isThorough || target - known > UInt64(max(32, size / Self.trimPart)) else { return nil }
        stagedFloor = target
        return target
    }

    /// What is staged is recorded; it comes into force one by one.
    mutating func stagingCommitted() {
        if stagesBegin { isStored = true }
        stagesBegin = false
        if let stagedFloor { storedFloor = stagedFloor }
        stagedFloor = nil
    }

    mutating func stagingFailed() {
        staged = []
        stagesBegin = false
        stagedFloor = nil
        identifiers.discardStaged()
    }

    /// Puts the first staged message in force. `size`: messages that are kept.
    mutating func advance(size: Int) -> HistoryEntry? {
        guard let entry = staged.popFirst() else { return nil }
        head = entry.offset
        entries.append(entry)
        bytes += entry.data.count
        if let id = entry.messageID {
            identifiers.insert(StoredIdentifier(id: id, offset: entry.offset, time: entry.time))
        }
        trim(size: size)
        return entry
    }
}

// MARK: - Trimming

extension RoomHistory {
    mutating func trim(size: Int) {
        while entries.count > size { removeFirst() }
    }

    /// Forgets messages from before `time` (ms since 1970).
    mutating func expire(before time: Int64) {
        while let first = entries.first, first.time < time { removeFirst() }
    }

    /// Forgets messages up to an offset; how many there were.
    mutating func remove(through offset: UInt64) -> Int {
        var count = 0
        while let first = entries.first, first.offset <= offset {
            removeFirst()
            count += 1
        }
        return count
    }

    private mutating func removeFirst() {
        bytes -= entries.removeFirst().data.count
    }
}

// MARK: - Reading

extension RoomHistory {
    /// Why a client that has seen everything up to `since` cannot be given the rest; `nil`: it can.
    func failure(since: RoomPosition) -> RecoveryFailure? {
        if since.epoch != epoch { return .epochChanged }
        if since.offset > head { return .ahead }
        return since.offset < floor ? .expired : nil
    }

    /// Entries above an offset, oldest first, at least one and up to `maxBytes`. None below ``floor`` are there.
    func entries(above offset: UInt64, maxBytes: Int) -> (entries: [HistoryEntry], hasMore: Bool) {
        let start = offset <= floor ? 0 : Int(clamping: offset - floor)
        guard start < entries.count else { return ([], false) }
        let end = self.end(from: start, limit: entries.count, maxBytes: maxBytes)
        return (Array(entries[start..<end]), end < entries.count)
    }

    func page(_ query: HistoryQuery, maxBytes: Int) -> (entries: [HistoryEntry], hasMore: Bool) {
        let limit = min(max(query.limit, 0), HistoryQuery.maxLimit)
        if !query.reverse {
            let from = query.from ?? 0
            let start = from <= floor ? 0 : min(Int(clamping: from - floor), entries.count)
            let end = self.end(from: start, limit: limit, maxBytes: maxBytes)
            return (Array(entries[start..<end]), end < entries.count)
        }
        // Below `from`: the index of the first entry that is not.
        let from = query.from ?? .max
        var index = from <= floor ? 0 : min(Int(clamping: from - floor - 1), entries.count)
        var page: [HistoryEntry] = []
        var size = 0
        while index > 0, page.count < limit {
            size += weight(index - 1)
            if size > maxBytes, !page.isEmpty { break }
            index -= 1
            page.append(entries[index])
        }
        return (page, index > 0)
    }

    private func end(from start: Int, limit: Int, maxBytes: Int) -> Int {
        var end = start
        var size = 0
        while end < entries.count, end - start < limit {
            size += weight(end)
            if size > maxBytes, end > start { break }
            end += 1
        }
        return end
    }

    private func weight(_ index: Int) -> Int { entries[index].data.count + HubLimits.entryOverhead }
}
