import DequeModule
import Model
import Wire

/// The recent log lines of all processes, bounded in bytes for each source and over all of them.
///
/// Sources are names (`supervisor`, `hub`, `worker 1`): the lines of a worker's predecessor stay readable after it died.
/// When the total is exceeded the source that holds most loses its oldest lines, so that a flood of one cannot push out
/// the others' few lines.
struct LogStore: Sendable {
    /// Most bytes of one line's message with its fields; the rest is cut off and marked with ``cutMark``.
    static let maxLine = 16 * 1024
    static let cutMark = "… (cut)"
    /// What an entry costs besides its text: the value, its headers on the heap, its share of the ring.
    static let entryOverhead = 160
    static let fieldOverhead = 64
    /// Lines whose places are not worth giving back.
    static let smallRing = 64
    /// Sources kept at a time: programs come and go. Beyond that the one that has been silent for longest is forgotten.
    static let maxSources = 4096

    private struct Ring {
        var entries: Deque<LogEntry> = []
        var bytes = 0
        /// Most entries since its memory was last made.
        private(set) var peak = 0
        /// Ordinal of its first line ever. One that is made anew begins above all ordinals of the one before.
        let start: Int
        /// Ordinal of `entries.first`: with `start` it says how many lines were let go.
        var first: Int
        /// Of its newest line.
        var lastSequence = 0

        init(start: Int) {
            (self.start, first) = (start, start)
        }

        var end: Int { first + entries.count }

        mutating func add(_ entry: LogEntry, _ size: Int) {
            entries.append(entry)
            peak = max(peak, entries.count)
            bytes += size
            lastSequence = entry.sequence
        }

        /// Lets the oldest lines go. Returns their bytes.
        mutating func trim(to limit: Int, keeping fewest: Int) -> Int {
            let before = bytes
            while bytes > limit, entries.count > fewest, let entry = entries.popFirst() {
                bytes -= LogStore.size(of: entry)
                first += 1
            }
            shrink()
            return before - bytes
        }

        /// Places of lines that were let go count for nothing, so they are given back, once most are empty.
        private mutating func shrink() {
            guard peak > LogStore.smallRing, entries.count < peak / 4 else { return }
            var smaller = Deque<LogEntry>(minimumCapacity: entries.count * 2)
            smaller.append(contentsOf: entries)
            (entries, peak) = (smaller, entries.count)
        }
    }

    /// A follower's place in every source. Nothing is kept for a follower: one that is too slow skips what was let go.
    struct Cursor: Sendable {
        fileprivate var next: [String: Int] = [:]
    }

    private var rings: [String: Ring] = [:]
    private var nextSequence = 1
    private(set) var bytes = 0
    private(set) var perSource: Int
    private(set) var total: Int

    /// Lines that there is memory for, whether or not they are there.
    var places: Int { rings.values.reduce(0) { $0 + $1.peak } }

    init(perSource: Int, total: Int) {
        self.perSource = perSource
        self.total = max(total, perSource)
    }

    /// Of the newest line; 0: there was none.
    var lastSequence: Int { nextSequence - 1 }

    /// The newest lines of all sources, oldest first, within so many bytes.
    func newest(_ limit: Int) -> [LogEntry] {
        var left = limit
        let all = rings.values.flatMap(\.entries).sorted { $0.sequence > $1.sequence }
        let kept = all.prefix { entry in
            left -= Self.size(of: entry)
            return left >= 0
        }
        return kept.reversed()
    }

    /// Takes the lines that another store kept, oldest first, before any of its own.
    mutating func resume(_ entries: [LogEntry], after sequence: Int) {
        for entry in entries {
            nextSequence = entry.sequence
            append(
                time: entry.time, source: entry.source, worker: entry.worker, program: entry.program,
                stream: entry.stream, pid: entry.pid, level: entry.level, message: entry.message, fields: entry.fields)
        }
        nextSequence = max(nextSequence, sequence + 1)
    }

    /// New bounds after a reload; takes effect at once.
    mutating func resize(perSource: Int, total: Int) {
        self.perSource = perSource
        self.total = max(total, perSource)
        for source in rings.keys { trim(source) }
        trimTotal()
    }

    /// Takes one line and returns it as kept: numbered, and cut where it was too long.
    @discardableResult
    mutating func append(
        time: Double, source: String, worker: Int?, program: String? = nil, stream: LogStream? = nil, pid: Int32,
        level: LogLevel, message: String, fields: [String: String]
    ) -> LogEntry {
        var entry = LogEntry(
            sequence: nextSequence, time: time, source: source, worker: worker, program: program, stream: stream,
            pid: pid, level: level, message: message, fields: fields)
        nextSequence += 1
        Self.cut(&entry)
        let size = Self.size(of: entry)
        if rings[source] == nil { makeRoomForSource() }
        rings[source, default: Ring(start: entry.sequence)].add(entry, size)
        bytes += size
        trim(source)
        trimTotal()
        return entry
    }

    /// The newest `limit` lines that match and come after sequence number `after`, oldest first.
    func tail(_ filter: LogFilter, limit: Int, after: Int? = nil) -> [LogEntry] {
        var found: [LogEntry] = []
        for (source, ring) in rings where filter.wants(source: source) {
            var taken = 0
            for entry in ring.entries.reversed() {
                if taken == limit || entry.sequence <= after ?? 0 { break }
                guard filter.matches(entry) else { continue }
                found.append(entry)
                taken += 1
            }
        }
        found.sort { $0.sequence < $1.sequence }
        return found.count > limit ? Array(found.suffix(limit)) : found
    }

    /// A place behind everything that is here now.
    func end() -> Cursor { Cursor(next: rings.mapValues(\.end)) }

    /// The next lines behind the cursor that match, oldest first, and how many lines had to be skipped because they were
    /// let go before this reader came for them (counted before the filter's level and text).
    ///
    /// Looks at no more than `limit` lines of each source, and gives none before an older one: whoever has taken a line has
    /// all before it. An empty answer with `more` set means: ask again.
    func read(
        _ cursor: inout Cursor, _ filter: LogFilter, limit: Int
    ) -> (entries: [LogEntry], skipped: Int, more: Bool) {
        var skipped = 0
        // The first line that this page has no room for: those behind it wait with it, so that all come in order.
        var bound = Int.max
        for (source, ring) in rings where filter.wants(source: source) {
            let next = max(cursor.next[source] ?? 0, ring.start)
            skipped += max(0, ring.first - next)
            cursor.next[source] = max(next, ring.first)
            let end = max(next, ring.first) + limit
            if end < ring.end { bound = min(bound, ring.entries[end - ring.first].sequence) }
        }
        var found: [LogEntry] = []
        for (source, ring) in rings where filter.wants(source: source) {
            var next = cursor.next[source] ?? ring.first
            while next < ring.end, ring.entries[next - ring.first].sequence < bound {
                let entry = ring.entries[next - ring.first]
                if filter.matches(entry) { found.append(entry) }
                next += 1
            }
            cursor.next[source] = next
        }
        found.sort { $0.sequence < $1.sequence }
        return (found, skipped, bound < .max)
    }

    /// Forgets the lines of these sources.
    mutating func clear(_ isMeant: (_ source: String) -> Bool) -> (lines: Int, bytes: Int) {
        var cleared = (lines: 0, bytes: 0)
        for source in rings.keys where isMeant(source) {
            guard let ring = rings.removeValue(forKey: source) else { continue }
            cleared.lines += ring.entries.count
            cleared.bytes += ring.bytes
        }
        bytes -= cleared.bytes
        return cleared
    }

    private mutating func makeRoomForSource() {
        guard rings.count >= Self.maxSources,
            let oldest = rings.min(by: { $0.value.lastSequence < $1.value.lastSequence })?.key
        else { return }
        bytes -= rings.removeValue(forKey: oldest)?.bytes ?? 0
    }

    private mutating func trim(_ source: String) {
        bytes -= rings[source]?.trim(to: perSource, keeping: 1) ?? 0
    }

    private mutating func trimTotal() {
        while bytes > total, let largest = rings.max(by: { $0.value.bytes < $1.value.bytes })?.key {
            // An eighth of the largest at a time, so that a flood does not search for the largest at every line.
            let target = (rings[largest]?.bytes ?? 0) / 8 * 7
            let removed = rings[largest]?.trim(to: target, keeping: 0) ?? 0
            bytes -= removed
            if removed == 0 { break }
        }
    }

    private static func size(of entry: LogEntry) -> Int {
        entry.fields.reduce(entryOverhead + entry.message.utf8.count) {
            $0 + fieldOverhead + $1.key.utf8.count + $1.value.utf8.count
        }
    }

    private static func cut(_ entry: inout LogEntry) {
        let fieldBytes = entry.fields.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count }
        if fieldBytes > maxLine / 2 {
            entry.fields = ["log.fields": cutMark]
        }
        if entry.message.utf8.count > maxLine {
            entry.message = String(decoding: entry.message.utf8.prefix(maxLine), as: UTF8.self) + cutMark
        }
    }
}
