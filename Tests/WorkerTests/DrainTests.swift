import Model
import NIOCore
import NIOEmbedded
import Testing

@testable import Worker

@Suite struct DrainTests {
    struct Generator: RandomNumberGenerator {
        var state: UInt64 = 42
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state
        }
    }

    func plan(_ count: UInt32, spread: Duration, now: MonotonicTime) -> DrainPlan {
        var generator = Generator()
        return DrainPlan(
            clients: (0..<count).map { ConnectionKey(slot: $0, generation: 0) }, code: .serviceRestart, reason: "",
            spread: spread, deadline: .seconds(30), now: now, using: &generator)
    }

    @Test func closesEvenlyAndEverybodyOnce() {
        let start = MonotonicTime(nanoseconds: 1_000_000_000)
        var plan = plan(1000, spread: .seconds(5), now: start)
        var seen: Set<ConnectionKey> = []
        for step in 0...250 {
            let due = plan.due(at: start + .milliseconds(20) * step)
            #expect(due.count <= 5 || step == 250)
            seen.formUnion(due)
            #expect(abs(seen.count - step * 4) <= 4)
        }
        #expect(seen.count == 1000 && plan.isSpent)
    }

    @Test func withoutASpreadAllAreDueAtOnce() {
        let start = MonotonicTime(nanoseconds: 1)
        var plan = plan(10, spread: .zero, now: start)
        let (first, second) = (plan.due(at: start), plan.due(at: start))
        #expect(first.count == 10 && second.isEmpty)
    }

    @Test func drainsAndFinishes() throws {
        let worker = WorkerHarness()
        var reports: [Int] = []
        var finished = 0
        worker.engine.supervisor.draining = { reports.append($0) }
        worker.engine.supervisor.finished = { finished += 1 }
        let clients = try (0..<4).map { _ in try worker.client() }
        worker.engine.beginDrain(code: .goingAway, spread: .zero, deadline: .seconds(30))
        worker.loop.run()
        for client in clients {
            #expect(try client.frames() == ["<close 1001 shutdown>"])
            try client.writeInbound(Frames.close(1001))
        }
        worker.loop.run()
        #expect(reports.first == 4 && reports.last == 0)
        #expect(finished == 1)
    }

    @Test func aClientThatIsToldToGoCountsNoMore() throws {
        let worker = WorkerHarness()
        worker.connectHub()
        let client = try worker.v1()
        try worker.join("a", client)
        _ = try (worker.operations(), client.frames())
        worker.engine.beginDrain(code: .serviceRestart, spread: .zero, deadline: .seconds(30))
        worker.loop.run()
        // It has not answered yet.
        let leaving = try worker.operations().map(\.request)
        #expect(leaving.contains(.disconnect(mayReturn: true)))
        #expect(try client.frames().last == "<close 1012 restart>")
        try client.writeInbound(Frames.close(1012))
        worker.loop.run()
        #expect(try worker.operations().isEmpty)
    }

    @Test func cutsWhatIsLeftAtTheDeadline() throws {
        let worker = WorkerHarness()
        var finished = 0
        worker.engine.supervisor.finished = { finished += 1 }
        let client = try worker.client()
        let gate = try worker.accept()
        worker.engine.beginDrain(code: .serviceRestart, spread: .seconds(60), deadline: .seconds(60))
        // A second, hurried one replaces it.
        worker.engine.beginDrain(code: .goingAway, spread: .zero, deadline: .milliseconds(500))
        worker.time.now += .seconds(1)
        worker.loop.advanceTime(by: .seconds(1))
        #expect(!client.isActive && !gate.isActive)
        #expect(finished == 1)
    }

    @Test func anEmptyWorkerFinishesAtOnce() {
        let worker = WorkerHarness()
        var finished = 0
        worker.engine.supervisor.finished = { finished += 1 }
        worker.engine.beginDrain(code: .goingAway, spread: .seconds(2), deadline: .seconds(30))
        #expect(finished == 1)
    }
}
