import LinuxSystem
import Model
import NIOCore
import Supervision
import Wire

/// One trace and its reader. Confined to the event loop.
final class FleetTrace {
    let id: Int
    let filter: TraceFilter
    var merger = TraceMerger()
    /// Workers that have been told of it.
    var workers: Set<InstanceID> = []
    /// The client that it followed alone is gone: what is held is still given out.
    fileprivate var isOver = false
    fileprivate var waiter: EventLoopPromise<Void>?
    fileprivate var isWakeScheduled = false

    init(id: Int, filter: TraceFilter) {
        self.id = id
        self.filter = filter
    }

    /// The reader looks again.
    fileprivate func wake() {
        isWakeScheduled = false
        waiter?.succeed()
        waiter = nil
    }
}

extension FleetDriver {
    /// Traces at a time; each costs every worker something.
    static let maxTraces = 8

    /// Has all workers follow somebody, those that start later, too. The answers are counts of clients that fit now.
    func beginTrace(_ filter: TraceFilter) throws -> (id: Int, answers: AsyncStream<ChildAnswer>) {
        guard traces.count < Self.maxTraces else {
            throw ControlFailure.busy(
                "\(Self.maxTraces) traces are being followed, and no more are possible. End one of them first.")
        }
        let id = lastTrace + 1
        let answers = try ask(.trace(id: id, filter), role: .worker)
        lastTrace = id
        let trace = FleetTrace(id: id, filter: filter)
        trace.workers = Set(children.values.filter(isTraceable).map(\.instance))
        traces[id] = trace
        return (id, answers)
    }

    /// The workers follow it no longer. Again: nothing.
    func endTrace(_ id: Int) {
        guard let trace = traces.removeValue(forKey: id) else { return }
        for instance in trace.workers { children[instance]?.send(.query(id: 0, .untrace(id: id))) }
        trace.wake()
    }

    func endTraces() {
        for id in traces.keys { endTrace(id) }
    }

    /// What there is to read; `nil`: the trace has ended.
    func takeTrace(_ id: Int) -> [TraceLine]? {
        guard let trace = traces[id] else { return nil }
        return trace.merger.take(wallTime: Clocks.wallSeconds(), now: now())
    }

    /// `true` when there may be something to read, at least once a second; `false` when the trace has ended, or is over.
    func nextTraceLine(_ id: Int) -> EventLoopFuture<Bool> {
        guard !isEnding, let trace = traces[id], !trace.isOver || !trace.merger.isEmpty else {
            return eventLoop.makeSucceededFuture(false)
        }
        let promise = trace.waiter ?? eventLoop.makePromise(of: Void.self)
        trace.waiter = promise
        scheduleWake(trace)
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        return promise.futureResult.map { bound.value.traces[id] != nil }
    }

    /// The last line of a trace that is over; `nil`: it ends for another reason.
    func traceEnding(_ id: Int) -> TraceNotice? {
        guard let trace = traces[id], trace.isOver, let client = trace.filter.onlyClient else { return nil }
        let sentence = "The client \(client) is gone: the trace ends."
        return TraceNotice(time: Clocks.wallSeconds(), notice: sentence, ended: true)
    }

    // MARK: - What workers tell

    func traceReported(_ id: Int, _ events: [TraceEvent], dropped: Int, from child: Child) {
        guard let trace = traces[id] else { return }
        var lines = events.map(TraceLine.event)
        if dropped > 0 {
            let notice = "Events are missing here: \(child.source.name) had too many to tell."
            lines.append(.notice(self.notice(notice, child, dropped: dropped)))
        }
        if let client = trace.filter.onlyClient?.description {
            trace.isOver = trace.isOver || events.contains { $0.kind == .closed && $0.client == client }
        }
        add(lines, to: trace)
    }

    /// A worker has become ready: what is being followed is followed there, too.
    func followWorker(_ child: Child) {
        guard isTraceable(child) else { return }
        for trace in traces.values where trace.workers.insert(child.instance).inserted {
            // Nobody waits for the answer.
            child.send(.query(id: 0, .trace(id: trace.id, trace.filter)))
            let notice = "\(child.source.name) (pid \(child.pid)) has started and is followed, too."
            add([.notice(self.notice(notice, child))], to: trace)
        }
    }

    func workerLeftTraces(_ child: Child, _ exit: ProcessExit) {
        for trace in traces.values where trace.workers.remove(child.instance) != nil {
            let end = exit == .exited(0) ? "has ended" : exit.sentence
            let loss = exit == .exited(0) ? "." : "; what it had not told yet is missing."
            let notice = "\(child.source.name) (pid \(child.pid)) \(end)\(loss)"
            if let client = trace.filter.onlyClient, client.boot == child.boot { trace.isOver = true }
            add([.notice(self.notice(notice, child))], to: trace)
        }
    }

    /// Once a second: workers that did not read when the trace began are told now, and readers see to whether they are
    /// still read.
    func tendTraces() {
        guard !traces.isEmpty else { return }
        for child in children.values { followWorker(child) }
        for trace in traces.values { trace.wake() }
    }

    private func isTraceable(_ child: Child) -> Bool {
        child.slot.role == .worker && child.isListening && child.isReady
    }

    private func notice(_ text: String, _ child: Child, dropped: Int? = nil) -> TraceNotice {
        TraceNotice(time: Clocks.wallSeconds(), notice: text, worker: child.source.worker, dropped: dropped)
    }

    private func add(_ lines: [TraceLine], to trace: FleetTrace) {
        traceEventsDropped &+= trace.merger.add(lines, wallTime: Clocks.wallSeconds(), now: now())
        if trace.waiter != nil { scheduleWake(trace) }
    }

    private func scheduleWake(_ trace: FleetTrace) {
        guard !trace.isWakeScheduled, let due = trace.merger.nextDue else { return }
        trace.isWakeScheduled = true
        let wait = max(0, (due - now()).nanoseconds)
        eventLoop.assumeIsolated().scheduleTask(in: .nanoseconds(wait)) { trace.wake() }
    }
}
