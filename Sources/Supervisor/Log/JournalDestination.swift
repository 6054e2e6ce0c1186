import Glibc
import LinuxSystem
import Model
import Synchronization

/// Gives log lines to the journal with their fields; while it takes none, to standard error without them.
///
/// A journal that restarts keeps its queue, and one that is away for a moment is waited for: the lines to come are gathered by
/// the ``BackgroundWriter`` meanwhile. Nothing waits longer than ``patience``.
final class JournalDestination: LogDestination {
    /// How long a journal that takes nothing is waited for, once, until it takes something again.
    static let patience = Duration.seconds(2)
    private static let retryMilliseconds: Int32 = 20

    private struct State {
        var socket: JournalSocket
        /// Since when the journal takes nothing.
        var awaySince: MonotonicTime?
        /// A line on standard error was cut off.
        var isWithinLine = false
    }

    private let state: Mutex<State>
    private let fallback: Int32
    private let patience: Duration
    private let diverted = Atomic(0)
    private let lostInAll = Atomic(0)

    /// - Parameter fallback: standard error: a stream socket to the journal.
    init(
        socket: JournalSocket = JournalSocket(), fallback: Int32 = STDERR_FILENO, patience: Duration = patience
    ) {
        state = Mutex(State(socket: socket))
        self.fallback = fallback
        self.patience = patience
    }

    deinit {
        state.withLock { $0.socket.disconnect() }
    }

    /// Lines that went to standard error since this was last asked.
    func takeDiverted() -> Int { diverted.exchange(0, ordering: .relaxed) }

    /// Lines that neither took, since the start.
    var lost: Int { lostInAll.load(ordering: .relaxed) }

    /// A record with its length before it, as ``write(_:)`` takes it.
    static func frame(_ record: [UInt8]) -> [UInt8] {
        withUnsafeBytes(of: UInt32(record.count)) { Array($0) } + record
    }

    func write(_ bytes: UnsafeRawBufferPointer) {
        state.withLock { state in
            var rest = bytes
            while rest.count > MemoryLayout<UInt32>.size {
                let length = Int(rest.loadUnaligned(as: UInt32.self))
                let start = MemoryLayout<UInt32>.size
                deliver(UnsafeRawBufferPointer(rebasing: rest[start..<(start + length)]), &state)
                rest = UnsafeRawBufferPointer(rebasing: rest[(start + length)...])
            }
        }
    }

    func reopen() {}

    private func deliver(_ record: UnsafeRawBufferPointer, _ state: inout State) {
        while true {
            let outcome = state.socket.send(record)
            if outcome == .sent { return state.awaySince = nil }
            let now = MonotonicTime.now()
            let since = state.awaySince ?? now
            state.awaySince = since
            guard now - since < patience else { break }
            if outcome == .unreachable {
                poll(nil, 0, Self.retryMilliseconds)
            } else {
                state.socket.waitForRoom(milliseconds: Self.retryMilliseconds)
            }
        }
        divert(JournalRecord.plainLine(record), &state)
    }

    private func divert(_ line: [UInt8], _ state: inout State) {
        let line = state.isWithinLine ? [UInt8(ascii: "\n")] + line : line
        // The flag O_NONBLOCK would be everybody's who has this descriptor.
        let count = send(fallback, line, line.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
        if count == line.count {
            state.isWithinLine = false
            diverted.add(1, ordering: .relaxed)
        } else {
            if count > 0 { state.isWithinLine = true }
            lostInAll.add(1, ordering: .relaxed)
        }
    }
}
