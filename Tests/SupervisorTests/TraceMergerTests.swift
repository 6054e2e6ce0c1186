import Model
import Testing
import Wire

@testable import Supervisor

struct TraceMergerTests {
    private static func event(_ time: Double, worker: Int = 1, payload: String? = nil) -> TraceLine {
        var event = TraceEvent(time: time, worker: worker, kind: .published)
        event.payload = payload
        return .event(event)
    }

    private static func at(_ milliseconds: Int64) -> MonotonicTime {
        MonotonicTime(nanoseconds: 0) + .milliseconds(milliseconds)
    }

    @Test func workersAreMergedByTime() {
        var merger = TraceMerger()
        #expect(merger.add([Self.event(10.0), Self.event(10.3)], wallTime: 10.3, now: Self.at(300)) == 0)
        #expect(merger.add([Self.event(10.1, worker: 2)], wallTime: 10.35, now: Self.at(350)) == 0)
        #expect(merger.take(wallTime: 10.35, now: Self.at(399)).isEmpty)
        #expect(merger.nextDue == Self.at(400))
        #expect(merger.take(wallTime: 10.5, now: Self.at(500)) == [Self.event(10.0), Self.event(10.1, worker: 2)])
        #expect(merger.take(wallTime: 10.7, now: Self.at(700)) == [Self.event(10.3)])
        #expect(merger.nextDue == nil)
    }

    @Test func whatOneWorkerTellsStaysInOrder() {
        var merger = TraceMerger()
        let lines = (0..<50).map { Self.event(5, worker: $0) }
        #expect(merger.add(lines, wallTime: 5, now: Self.at(0)) == 0)
        #expect(merger.take(wallTime: 6, now: Self.at(400)) == lines)
    }

    @Test func clocksThatWereSetHoldNothingUp() {
        var merger = TraceMerger()
        _ = merger.add([Self.event(1e9)], wallTime: 10, now: Self.at(0))
        _ = merger.add([Self.event(-1e9)], wallTime: 10, now: Self.at(0))
        #expect(merger.take(wallTime: 10, now: Self.at(0)) == [Self.event(-1e9)])
        #expect(merger.take(wallTime: 10, now: Self.at(400)) == [Self.event(1e9)])
    }

    @Test func aSlowReaderIsToldWhatIsMissing() {
        var merger = TraceMerger()
        let many = (0..<TraceMerger.maxLines + 7).map { Self.event(Double($0) / 1e6) }
        #expect(merger.add(many, wallTime: 1, now: Self.at(0)) == 7)
        let lines = merger.take(wallTime: 2, now: Self.at(1000))
        #expect(lines.count == TraceMerger.maxLines + 1)
        guard case .notice(let notice) = lines.last else { return #expect(Bool(false), "no notice") }
        #expect(notice.dropped == 7)
        #expect(merger.take(wallTime: 3, now: Self.at(2000)).isEmpty)
        #expect(merger.add([Self.event(3)], wallTime: 3, now: Self.at(2000)) == 0)
    }

    @Test func payloadsAreBoundedInBytes() {
        var merger = TraceMerger()
        let large = String(repeating: "x", count: TraceMerger.maxBytes / 4)
        let lines = (0..<5).map { _ in Self.event(0, payload: large) }
        #expect(merger.add(lines, wallTime: 1, now: Self.at(0)) == 2)
        _ = merger.take(wallTime: 1, now: Self.at(0))
        #expect(merger.add(lines, wallTime: 1, now: Self.at(1)) == 2)
    }
}
