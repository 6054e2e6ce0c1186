import CLinux
import Glibc

/// Live figures of all workers in memory that they share: each writes its own cell and reads the others'.
///
/// A cell belongs to a slot and, while a worker lives there, to one process (its instance): during a rolling reload two processes
/// of one slot live side by side, and only the owner's writes and removal count. Nothing in it is trusted: a worker that writes
/// nonsense can slow its siblings' accepting down, not stop it.
package final class FleetBoard: @unchecked Sendable {
    // @unchecked: the mapped memory is only reached through atomic operations, and unmapped when nobody refers to the board.

    /// Worker slots, counted from 1.
    package static let maxSlots = 1024

    /// Bytes of the memory file: one page-aligned array of cells of 64 bytes; the first one is the board's own.
    static let size = (maxSlots + 1) * MemoryLayout<wsd_board_cell>.stride

    /// The memory file; closed with the board.
    package let descriptor: Int32
    private let cells: UnsafeMutablePointer<wsd_board_cell>

    /// A new, empty board (supervisor).
    package convenience init() throws(SystemError) {
        let descriptor = try SystemError.check("memfd_create", nil, wsd_memfd("wsd-fleet-board", Self.size))
        try self.init(adopting: descriptor)
    }

    /// The board behind an inherited descriptor (worker). Owns it from here on, also when it throws.
    package init(adopting descriptor: Int32) throws(SystemError) {
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_size >= Self.size else {
            let code = errno
            close(descriptor)
            throw SystemError(call: "fstat", code: code == 0 ? EINVAL : code, subject: "the fleet board")
        }
        guard let cells = wsd_board_map(descriptor, Self.size) else {
            let code = errno
            close(descriptor)
            throw SystemError(call: "mmap", code: code, subject: "the fleet board")
        }
        self.descriptor = descriptor
        self.cells = cells
    }

    deinit {
        wsd_board_unmap(cells, Self.size)
        close(descriptor)
    }

    /// Takes a slot's cell for a process, with all figures at zero. A former owner's writes are ignored from here on.
    ///
    /// - Parameters:
    ///   - slot: 1…``maxSlots``; `nil` is returned for others.
    ///   - instance: above 0, and never used twice.
    package func claim(slot: Int, instance: Int) -> FleetCell? {
        guard (1...Self.maxSlots).contains(slot), instance > 0 else { return nil }
        let cell = cells + slot
        wsd_board_set_connections(cell, 0)
        wsd_board_set_last_turn(cell, 0)
        wsd_board_set_owner(cell, UInt64(instance))
        var highest = wsd_board_owner(cells)
        while highest < UInt64(slot), wsd_board_replace_owner(cells, highest, UInt64(slot)) == 0 {
            highest = wsd_board_owner(cells)
        }
        return FleetCell(board: self, cell: cell, instance: UInt64(instance))
    }

    /// The process ended, or accepts no more: its cell counts no longer, unless a successor has it by now.
    package func clear(slot: Int, instance: Int) {
        guard (1...Self.maxSlots).contains(slot), instance > 0 else { return }
        _ = wsd_board_replace_owner(cells + slot, UInt64(instance), 0)
    }

    /// Figures of one slot; `nil` when nobody has it.
    package func figures(slot: Int) -> FleetFigures? {
        guard (1...Self.maxSlots).contains(slot), wsd_board_owner(cells + slot) != 0 else { return nil }
        return FleetFigures(
            connections: Int(clamping: wsd_board_connections(cells + slot)),
            lastTurn: wsd_board_last_turn(cells + slot)
        )
    }

    /// Open connections over the living workers, and how many workers these are. Reads one cache line a slot.
    package func sumOfLiving() -> (connections: Int, workers: Int) {
        var connections = 0
        var workers = 0
        let highest = min(Int(clamping: wsd_board_owner(cells)), Self.maxSlots)
        for slot in stride(from: 1, through: highest, by: 1) where wsd_board_owner(cells + slot) != 0 {
            workers += 1
            connections += Int(min(wsd_board_connections(cells + slot), Self.mostConnections))
        }
        return (connections, workers)
    }

    /// Mean of the open connections over the living workers; 0 when there are none.
    package func meanOfLiving() -> Double {
        let (connections, workers) = sumOfLiving()
        return workers == 0 ? 0 : Double(connections) / Double(workers)
    }

    /// More than a process can have descriptors (`fs.nr_open`): larger figures are nonsense.
    private static let mostConnections: UInt64 = 1 << 30
}

/// Figures of a worker at one moment.
package struct FleetFigures: Hashable, Sendable {
    package var connections: Int
    /// Milliseconds of the monotonic clock.
    package var lastTurn: Int64
}

/// A worker's own cell. Writes of a process that has lost the cell to a successor are ignored.
package struct FleetCell: @unchecked Sendable {
    // @unchecked: see FleetBoard; the board is kept alive by the reference.
    fileprivate let board: FleetBoard
    fileprivate let cell: UnsafeMutablePointer<wsd_board_cell>
    fileprivate let instance: UInt64

    private var isOwn: Bool { wsd_board_owner(cell) == instance }

    package func setConnections(_ count: Int) {
        if isOwn { wsd_board_set_connections(cell, UInt64(clamping: count)) }
    }

    /// - Parameter milliseconds: of the monotonic clock.
    package func setLastTurn(_ milliseconds: Int64) {
        if isOwn { wsd_board_set_last_turn(cell, milliseconds) }
    }

    /// This worker accepts no more: it counts no longer.
    package func release() {
        _ = wsd_board_replace_owner(cell, instance, 0)
    }
}
