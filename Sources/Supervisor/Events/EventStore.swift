import DequeModule
import Model
import Wire

/// The recent events, bounded in bytes.
struct EventStore: Sendable {
    static let maxBytes = 1 << 20
    /// What an event costs besides its text.
    private static let overhead = 400

    private var events: Deque<(event: ServiceEvent, size: Int)> = []
    private var bytes = 0
    private var lastSequence = 0

    /// Numbers it and keeps it; the oldest ones go.
    mutating func append(_ event: ServiceEvent) -> ServiceEvent {
        var event = event
        lastSequence += 1
        event.sequence = lastSequence
        let size = Self.size(of: event)
        events.append((event, size))
        bytes += size
        while bytes > Self.maxBytes, events.count > 1, let oldest = events.popFirst() { bytes -= oldest.size }
        return event
    }

    /// Takes what another store kept, oldest first, before anything of its own.
    mutating func resume(_ kept: [ServiceEvent], after sequence: Int) {
        for event in kept {
            lastSequence = event.sequence - 1
            _ = append(event)
        }
        lastSequence = max(lastSequence, sequence)
    }

    /// All that are kept, oldest first.
    var all: [ServiceEvent] { events.map(\.event) }

    /// Of the newest one; 0: there was none.
    var end: Int { lastSequence }

    /// The newest `limit` that match, oldest first.
    func tail(_ filter: EventFilter, limit: Int) -> [ServiceEvent] {
        var found: [ServiceEvent] = []
        for (event, _) in events.reversed() {
            if found.count >= limit || event.sequence <= filter.after ?? 0 { break }
            if filter.matches(event) { found.append(event) }
        }
        return found.reversed()
    }

    /// The next events behind a sequence number, which becomes that of the last one looked at, and how many have gone meanwhile.
    func read(
        behind sequence: inout Int, _ filter: EventFilter, limit: Int
    ) -> (events: [ServiceEvent], skipped: Int, more: Bool) {
        guard let first = events.first?.event.sequence, sequence < lastSequence else { return ([], 0, false) }
        let skipped = max(0, first - sequence - 1)
        let start = max(0, sequence + 1 - first)
        let page = events[start..<min(events.count, start + limit)]
        sequence = page.last?.event.sequence ?? lastSequence
        return (page.map(\.event).filter(filter.matches), skipped, sequence < lastSequence)
    }

    private static func size(of event: ServiceEvent) -> Int {
        let texts = [event.message, event.process, event.program, event.reason, event.operation, event.result]
        let fields = event.fields?.reduce(0) { $0 + 64 + $1.key.utf8.count + $1.value.utf8.count } ?? 0
        return texts.reduce(overhead + fields) { $0 + ($1?.utf8.count ?? 0) }
    }
}

/// Which events a reader wants.
struct EventFilter: Sendable, Equatable {
    /// Any of these; empty: all.
    var types: [EventPattern] = []
    var program: String?
    /// Seconds since 1970.
    var since: Double?
    /// Only those with a higher number.
    var after: Int?

    func matches(_ event: ServiceEvent) -> Bool {
        if let program, event.program != program { return false }
        if let since, event.time < since { return false }
        if let after, event.sequence <= after { return false }
        guard !types.isEmpty else { return true }
        let names = event.names
        return types.contains { $0.fits(names) }
    }
}
