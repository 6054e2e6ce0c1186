import Model
import NIOCore
import NIOEmbedded
import Realtime
import Testing
import Wire

@testable import Worker

@Suite struct TraceTests {
    /// What a trace brings within a tick.
    final class Sink {
        var events: [Int: [TraceEvent]] = [:]
        var dropped = 0
        var isReading = true

        init(_ worker: WorkerHarness) {
            worker.engine.supervisor.trace = { id, events, dropped in
                self.events[id, default: []] += events
                self.dropped += dropped
            }
            worker.engine.supervisor.isReading = { self.isReading }
        }

        func kinds(_ id: Int = 1) -> [TraceEvent.Kind] { (events[id] ?? []).map(\.kind) }
    }

    func begin(_ worker: WorkerHarness, _ id: Int, _ filter: TraceFilter) -> ChildReply? {
        var answer: ChildReply?
        worker.engine.answer(.trace(id: id, filter)) { page, _ in answer = page }
        return answer
    }

    @Test func followsAClientARoomAndNobodyElse() throws {
        let worker = WorkerHarness()
        worker.connectHub()
        let sink = Sink(worker)
        let (traced, other) = (try worker.v1(), try worker.v1())
        let id = try worker.handler(traced).core.session.id
        #expect(begin(worker, 1, TraceFilter(client: id.description, payloads: true)) == .count(1))
        #expect(begin(worker, 2, TraceFilter(room: "b")) == .count(0))
        try worker.join("a", traced)
        try worker.join("b", other)
        worker.deliver("a", #"{"x":1}"#, sequence: 1)
        worker.deliver("b", "2", sequence: 2)
        try worker.send(#"{"type":"publish","room":"b","data":3}"#, to: traced)
        try worker.send("nonsense", to: traced)
        try worker.handler(traced).close(.policyViolation, reason: "kicked")
        try worker.handler(other).close(.policyViolation, reason: "kicked")
        worker.advance(.milliseconds(250))
        #expect(sink.kinds(1) == [.joined, .delivered, .published, .failed, .closed])
        #expect(sink.kinds(2) == [.joined, .delivered, .published])
        let events = try #require(sink.events[1])
        #expect(events[1].payload == #"{"x":1}"# && events[1].count == 1 && events[1].room == "a")
        #expect(events[2].payload == "3" && events[2].room == "b")
        #expect(events[3].code == "invalid_message" && events[4].code == "1008" && events[4].detail == "kicked")
        #expect(try #require(sink.events[2]).allSatisfy { $0.payload == nil })
        #expect(worker.engine.currentCounters().traces == 2)
    }

    @Test func endsWhenToldTo() throws {
        let worker = WorkerHarness()
        let sink = Sink(worker)
        #expect(begin(worker, 1, TraceFilter(room: "r")) == .count(0))
        #expect(worker.engine.trace.isActive)
        var answers: [ChildReply] = []
        for _ in 0..<2 { worker.engine.answer(.untrace(id: 1)) { page, _ in answers.append(page) } }
        #expect(answers == [.count(1), .count(0)])
        #expect(!worker.engine.trace.isActive)
        worker.deliver("r", "1", sequence: 1)
        worker.advance(.milliseconds(250))
        #expect(sink.events.isEmpty)
    }

    @Test(arguments: [TraceFilter(), TraceFilter(client: "no client")])
    func aFilterHasToBeOne(_ filter: TraceFilter) {
        let worker = WorkerHarness()
        guard case .refused? = begin(worker, 1, filter) else {
            Issue.record("taken")
            return
        }
        #expect(!worker.engine.trace.isActive)
    }

    @Test func isBoundedAndCountsWhatItDrops() throws {
        let worker = WorkerHarness()
        worker.connectHub()
        let sink = Sink(worker)
        let channel = try worker.v1()
        try worker.join("r", channel)
        _ = begin(worker, 1, TraceFilter(room: "r", payloads: true))
        let data = "\"" + String(repeating: "x", count: 5000) + "\""
        for sequence in 1...100 { worker.deliver("r", data, sequence: UInt64(sequence)) }
        worker.advance(.milliseconds(250))
        let events = try #require(sink.events[1])
        #expect(events.count + sink.dropped == 100 && sink.dropped > 0)
        #expect(events.allSatisfy { $0.payload?.utf8.count == TraceEvent.maxPayload && $0.bytes == 5002 })
        // A supervisor that does not read.
        sink.isReading = false
        worker.deliver("r", "1", sequence: 101)
        worker.advance(.milliseconds(250))
        #expect(sink.events[1]?.count == events.count)
        sink.isReading = true
        worker.advance(.milliseconds(250))
        #expect(events.count + sink.dropped == 101)
        #expect(worker.engine.counters.traceEventsDropped == sink.dropped)
    }

    /// By it the supervisor knows that the trace of a client is over.
    @Test(arguments: [true, false]) func theEndOfTheFollowedClientIsNeverDropped(_ isReading: Bool) throws {
        let worker = WorkerHarness()
        worker.connectHub()
        let sink = Sink(worker)
        let (channel, other) = (try worker.v1(), try worker.v1())
        let id = try worker.handler(channel).core.session.id.description
        try worker.join("r", channel)
        _ = begin(worker, 1, TraceFilter(client: id, payloads: true))
        _ = begin(worker, 2, TraceFilter(client: id, room: "r", payloads: true))
        let data = "\"" + String(repeating: "x", count: 5000) + "\""
        for sequence in 1...100 { worker.deliver("r", data, sequence: UInt64(sequence)) }
        try worker.handler(other).close(.policyViolation, reason: "kicked")
        try worker.handler(channel).close(.policyViolation, reason: "kicked")
        sink.isReading = isReading
        worker.advance(.milliseconds(250))
        sink.isReading = true
        worker.advance(.milliseconds(250))
        #expect(sink.kinds(1).last == .closed && sink.events[1]?.last?.client == id)
        #expect(sink.kinds(1).count { $0 == .closed } == 1 && !sink.kinds(2).contains(.closed))
        #expect(isReading ? sink.kinds(1).count > 1 : sink.kinds(1) == [.closed])
        #expect(sink.dropped > 0)
    }

    @Test func thereIsABoundToTraces() {
        let worker = WorkerHarness()
        for id in 1...TraceBook.maxTraces { #expect(begin(worker, id, TraceFilter(room: "r")) == .count(0)) }
        guard case .refused? = begin(worker, 99, TraceFilter(room: "r")) else {
            Issue.record("taken")
            return
        }
        // The same one again.
        #expect(begin(worker, 1, TraceFilter(room: "x")) == .count(0))
    }
}
