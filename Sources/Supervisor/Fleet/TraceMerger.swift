import Model
import Wire

/// Puts what several workers tell of one trace into the order in which it happened, and keeps it for one reader.
///
/// Workers tell four times a second. A line is held for ``hold``, so that an earlier one of another worker still comes before
/// it; one that comes even later is given out at once.
struct TraceMerger {
    static let hold = Duration.milliseconds(400)
    /// Lines kept for a slow reader, and bytes of what is in them; what is beyond is dropped and counted.
    static let maxLines = 8192
    static let maxBytes = 4 * 1024 * 1024
    /// What a line counts for besides its payload.
    static let lineOverhead = 256

    private struct Held {
        var due: MonotonicTime
        var sequence: Int
        var line: TraceLine
    }

    private var held: [Held] = []
    private var bytes = 0
    private var lastSequence = 0
    private var missing = 0

    /// When the first line held may be given out.
    private(set) var nextDue: MonotonicTime?

    /// Nothing is left to be given out.
    var isEmpty: Bool { held.isEmpty && missing == 0 }

    init() {}

    /// Takes lines of one worker, in order. Returns how many were dropped.
    ///
    /// - Parameter wallTime: seconds since 1970.
    mutating func add(_ lines: [TraceLine], wallTime: Double, now: MonotonicTime) -> Int {
        var dropped = 0
        for line in lines {
            let size = Self.lineOverhead + line.payloadSize
            guard held.count < Self.maxLines, bytes + size <= Self.maxBytes else {
                dropped += 1
                continue
            }
            bytes += size
            lastSequence += 1
            // A clock that was set must not hold anything up.
            let age = min(max(0, wallTime - line.time), Self.hold.inSeconds)
            let due = now + Self.hold - .nanoseconds(Int64(age * 1e9))
            held.append(Held(due: due, sequence: lastSequence, line: line))
            nextDue = nextDue.map { min($0, due) } ?? due
        }
        missing += dropped
        return dropped
    }

    /// The lines whose time has come, in order.
    mutating func take(wallTime: Double, now: MonotonicTime) -> [TraceLine] {
        var taken: [Held] = []
        var rest: [Held] = []
        for line in held {
            if line.due <= now { taken.append(line) } else { rest.append(line) }
        }
        held = rest
        bytes = rest.reduce(0) { $0 + Self.lineOverhead + $1.line.payloadSize }
        nextDue = rest.lazy.map(\.due).min()
        taken.sort { ($0.due, $0.sequence) < ($1.due, $1.sequence) }
        var lines = taken.map(\.line)
        if missing > 0, !lines.isEmpty || rest.isEmpty {
            let notice = "Events are missing here: this reader is too slow."
            lines.append(.notice(TraceNotice(time: wallTime, notice: notice, dropped: missing)))
            missing = 0
        }
        return lines
    }
}

extension TraceLine {
    /// Seconds since 1970.
    var time: Double {
        switch self {
        case .event(let event): event.time
        case .notice(let notice): notice.time
        }
    }

    fileprivate var payloadSize: Int {
        switch self {
        case .event(let event): event.payload?.utf8.count ?? 0
        case .notice: 0
        }
    }
}
