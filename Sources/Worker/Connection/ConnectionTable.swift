/// Where a connection lies in the worker's table, valid as long as that connection lives.
struct ConnectionKey: Hashable, Sendable {
    var slot: UInt32
    /// Distinguishes the successive tenants of a slot.
    var generation: UInt32
}

/// A worker's open WebSocket connections, dense, so that walking over them is cheap.
struct ConnectionTable<Connection> {
    private struct Slot {
        var generation: UInt32 = 0
        var connection: Connection?
    }

    private var slots: [Slot] = []
    private var free: [UInt32] = []
    private(set) var count = 0

    init() {}

    mutating func insert(_ connection: Connection) -> ConnectionKey {
        count += 1
        if let slot = free.popLast() {
            slots[Int(slot)].connection = connection
            return ConnectionKey(slot: slot, generation: slots[Int(slot)].generation)
        }
        slots.append(Slot(connection: connection))
        return ConnectionKey(slot: UInt32(slots.count - 1), generation: 0)
    }

    /// Returns `false` when that connection is not here (any more).
    @discardableResult
    mutating func remove(_ key: ConnectionKey) -> Bool {
        guard self[key] != nil else { return false }
        slots[Int(key.slot)].connection = nil
        slots[Int(key.slot)].generation &+= 1
        free.append(key.slot)
        count -= 1
        return true
    }

    subscript(key: ConnectionKey) -> Connection? {
        guard key.slot < slots.count, slots[Int(key.slot)].generation == key.generation else { return nil }
        return slots[Int(key.slot)].connection
    }

    /// Every connection at the time of the call.
    var all: [Connection] { slots.compactMap(\.connection) }

    var keys: [ConnectionKey] {
        slots.indices.compactMap { index in
            guard slots[index].connection != nil else { return nil }
            return ConnectionKey(slot: UInt32(index), generation: slots[index].generation)
        }
    }
}
