internal import DequeModule
internal import Model

/// The message ids of a room by which repetitions are recognised, for a time.
struct MessageIdentifiers {
    private var offsets: [MessageID: UInt64] = [:]
    private var order: Deque<StoredIdentifier> = []
    /// Of messages that are not yet recorded.
    private var staged: [MessageID: UInt64] = [:]

    init() {}

    init(_ stored: [StoredIdentifier]) {
        for identifier in stored.suffix(HubLimits.identifiersPerRoom) { insert(identifier) }
    }

    var count: Int { order.count }

    var isEmpty: Bool { order.isEmpty && staged.isEmpty }

    /// The offset a known id stands for, and whether that message is only staged.
    func offset(of id: MessageID) -> (offset: UInt64, isStaged: Bool)? {
        if let offset = offsets[id] { return (offset, false) }
        return staged[id].map { ($0, true) }
    }

    mutating func stage(_ id: MessageID, offset: UInt64) {
        staged[id] = offset
    }

    mutating func discardStaged() {
        staged = [:]
    }

    /// The message is recorded.
    mutating func insert(_ identifier: StoredIdentifier) {
        if !staged.isEmpty { staged[identifier.id] = nil }
        offsets[identifier.id] = identifier.offset
        order.append(identifier)
        if order.count > HubLimits.identifiersPerRoom { forgetFirst() }
    }

    /// Forgets those that came before `time` (ms since 1970).
    mutating func forget(before time: Int64) {
        while let first = order.first, first.time < time { forgetFirst() }
    }

    private mutating func forgetFirst() {
        guard let first = order.popFirst(), offsets[first.id] == first.offset else { return }
        offsets[first.id] = nil
    }
}
