import ControlClient
import Synchronization
import Wire

/// The latest lines of a log as they came (JSON), read only when they are shown: however fast they come, little is done.
struct MonitLog {
    static let maxLines = 4000
    static let maxBytes = 4 * 1024 * 1024

    /// Which lines are kept, counted from the first that ever came.
    struct Extent: Equatable {
        var first = 0
        /// Behind the last.
        var end = 0
    }

    private(set) var extent = Extent()
    private var lines: [[UInt8]] = []
    private var bytes = 0
    /// The lines are of a stream that ended: they go when the next one begins.
    private var isEnded = false

    mutating func append(_ line: [UInt8]) {
        if isEnded {
            drop(lines.count)
            isEnded = false
        }
        lines.append(line)
        bytes += line.count
        extent.end += 1
        // Half at once, so that a line costs the same however many there are.
        if lines.count > Self.maxLines || bytes > Self.maxBytes { drop((lines.count + 1) / 2) }
    }

    mutating func ended() { isEnded = true }

    /// At most so many lines before `end`.
    func tail(_ count: Int, end: Int) -> ArraySlice<[UInt8]> {
        let last = max(0, min(end - extent.first, lines.count))
        return lines[max(0, last - count)..<last]
    }

    private mutating func drop(_ count: Int) {
        for line in lines.prefix(count) { bytes -= line.count }
        lines.removeFirst(count)
        extent.first += count
    }
}

/// A log that one task fills and another shows.
final class SharedMonitLog: Sendable {
    private let state = Mutex((log: MonitLog(), isAwaited: true))

    /// Returns whether somebody waits to be told.
    func append(_ line: [UInt8]) -> Bool {
        state.withLock { state in
            state.log.append(line)
            defer { state.isAwaited = false }
            return state.isAwaited
        }
    }

    func ended() { state.withLock { $0.log.ended() } }

    /// A copy; the next line is told of again.
    func look() -> MonitLog {
        state.withLock { state in
            state.isAwaited = true
            return state.log
        }
    }
}
