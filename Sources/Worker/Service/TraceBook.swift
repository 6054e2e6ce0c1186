import Model
import NIOCore
import Wire

/// The traces that an operator follows, and what is to be told of them. While there is none, asking ``isActive`` is all
/// it costs.
struct TraceBook {
    /// Traces followed at a time; a further one is refused.
    static let maxTraces = 16
    /// Bytes of events that a trace may bring in a tick of the worker; what is beyond is dropped and counted. With every
    /// byte of a payload escaped it still fits into one line of the child link.
    static let bytesPerTick = 128 * 1024
    /// What an event counts for besides its payload.
    static let eventOverhead = 256

    /// What one trace has to say.
    struct Report {
        var id: Int
        var events: [TraceEvent]
        var dropped: Int
    }

    private struct Trace {
        var id: Int
        var filter: TraceFilter
        var room: RoomName?
        var user: UserName?
        var client: ClientID?
        var events: [TraceEvent] = []
        var used = 0
        var dropped = 0

        /// The last event there can be: it is told whatever else is dropped.
        func isOver(with event: TraceEvent) -> Bool {
            event.kind == .closed && filter.onlyClient.map { $0.description == event.client } ?? false
        }
    }

    private var traces: [Trace] = []
    private(set) var isActive = false

    init() {}

    var count: Int { traces.count }

    /// Begins a trace, or replaces the one of the same number; `false`: there are too many, or it would fit everything.
    mutating func begin(_ id: Int, _ filter: TraceFilter) -> Bool {
        traces.removeAll { $0.id == id }
        defer { isActive = !traces.isEmpty }
        guard traces.count < Self.maxTraces, !filter.isEmpty else { return false }
        let client = filter.client.flatMap { ClientID($0) }
        // A name that is no client's fits none.
        guard filter.client == nil || client != nil else { return false }
        traces.append(
            Trace(
                id: id, filter: filter, room: filter.room.map { RoomName($0) }, user: filter.user.map { UserName($0) },
                client: client))
        return true
    }

    /// Returns whether there was such a trace.
    mutating func end(_ id: Int) -> Bool {
        let before = traces.count
        traces.removeAll { $0.id == id }
        isActive = !traces.isEmpty
        return traces.count < before
    }

    /// Whom an event is about.
    struct Subject {
        var client: ClientID?
        var user: UserName?
        var room: RoomName?
    }

    /// Keeps an event for every trace that it fits. `receives` says whether a delivery goes to a client or user, where
    /// the event is one.
    mutating func record(
        _ event: TraceEvent, about subject: Subject, payload: ByteBuffer? = nil,
        receives: ((_ client: ClientID?, _ user: UserName?) -> Bool)? = nil
    ) {
        for index in traces.indices {
            let trace = traces[index]
            if let room = trace.room, room != subject.room { continue }
            let isAbout =
                (trace.client == nil || trace.client == subject.client)
                && (trace.user == nil || trace.user == subject.user)
            guard isAbout || receives?(trace.client, trace.user) ?? false else { continue }
            var kept = event
            if trace.filter.payloads, let payload {
                let shown = payload.readableBytesView.prefix(TraceEvent.maxPayload)
                kept.payload = String(decoding: shown, as: UTF8.self)
            }
            let size = Self.eventOverhead + (kept.payload?.utf8.count ?? 0)
            guard trace.used + size <= Self.bytesPerTick || trace.isOver(with: event) else {
                traces[index].dropped += 1
                continue
            }
            traces[index].used += size
            traces[index].events.append(kept)
        }
    }

    /// What there is to tell, at the end of a tick. `isWritable` false: the supervisor does not read, so all of it is
    /// dropped. Returns how much was dropped since the last time.
    mutating func take(isWritable: Bool, _ body: (Report) -> Void) -> Int {
        var dropped = 0
        for index in traces.indices {
            if !isWritable {
                let trace = traces[index]
                traces[index].events.removeAll { !trace.isOver(with: $0) }
                traces[index].dropped += trace.events.count - traces[index].events.count
            }
            traces[index].used = 0
            guard isWritable, !traces[index].events.isEmpty || traces[index].dropped > 0 else { continue }
            body(Report(id: traces[index].id, events: traces[index].events, dropped: traces[index].dropped))
            dropped += traces[index].dropped
            traces[index].events = []
            traces[index].dropped = 0
        }
        return dropped
    }
}
