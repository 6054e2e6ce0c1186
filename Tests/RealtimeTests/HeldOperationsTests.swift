import Model
import Realtime
import Testing

struct HeldOperationsTests {
    private typealias Held = HeldOperations<String, Int>

    /// Operations named by their sequence, each of 100 bytes, with the deadline given in seconds.
    private func held(_ deadlines: [Int?], capacity: Int = 1 << 20, expires: Bool = true) -> HeldOperations<String, Int>
    {
        var held = Held(capacity: capacity)
        for (index, deadline) in deadlines.enumerated() {
            held.append(
                "\(index + 1)", bytes: 100, request: index + 1, deadline: deadline.map { .zero + .seconds($0) },
                expires: expires)
        }
        return held
    }

    private func unsent(_ held: inout HeldOperations<String, Int>) -> [String] {
        var frames: [String] = []
        held.takeUnsent { frames.append($0) }
        return frames
    }

    @Test func eachIsSentOnceOnALinkAndAgainOnTheNext() {
        var held = held([nil, nil])
        #expect(unsent(&held) == ["1", "2"])
        #expect(!held.hasUnsent)
        #expect(unsent(&held) == [])
        held.append("3", bytes: 1, request: nil, deadline: nil, expires: false)
        #expect(unsent(&held) == ["3"])
        #expect(held.acknowledge(acknowledged: 2, settled: 1) == [1, 2])
        held.linkLost()
        #expect(unsent(&held) == ["2", "3"])
        #expect(held.acknowledge(acknowledged: 3, settled: 3) == [])
        #expect(held.count == 0)
        #expect(held.pendingBytes == 0)
        #expect(held.unsettledBytes == 0)
    }

    @Test func numbersBeyondWhatWasSentAreIgnored() {
        var held = held([nil, nil])
        #expect(held.acknowledge(acknowledged: .max, settled: .max) == [])
        #expect(held.count == 2)
        _ = unsent(&held)
        #expect(held.acknowledge(acknowledged: .max, settled: .max) == [1, 2])
        #expect(held.acknowledge(acknowledged: 1, settled: 0) == [])
        #expect(held.count == 0)
    }

    @Test func expiredAndNeverSentIsDropped() {
        var held = held([5, 5, 9])
        #expect(held.nextDeadline == MonotonicTime.zero + .seconds(5))
        #expect(held.expire(now: .zero + .seconds(4)).isEmpty)
        let expired = held.expire(now: .zero + .seconds(5))
        #expect(expired.map(\.request) == [1, 2])
        #expect(expired.allSatisfy(\.dropped) == true)
        #expect(held.expire(now: .zero + .seconds(5)).isEmpty)
        #expect(held.nextDeadline == MonotonicTime.zero + .seconds(9))
        #expect(unsent(&held) == ["3"])
        #expect(held.acknowledge(acknowledged: 3, settled: 3) == [3])
        #expect(held.count == 0)
        #expect(held.pendingBytes == 0)
    }

    @Test func expiredButSentStaysHeld() {
        var held = held([5])
        _ = unsent(&held)
        held.linkLost()
        let expired = held.expire(now: .zero + .seconds(6))
        #expect(expired.map(\.dropped) == [false])
        #expect(unsent(&held) == ["1"])
        #expect(held.acknowledge(acknowledged: 1, settled: 1) == [])
    }

    @Test func givenUpEntriesBehindTheLastAcknowledgedOneGoWithIt() {
        var held = held([nil])
        _ = unsent(&held)
        held.append("2", bytes: 1, request: 2, deadline: .zero, expires: true)
        #expect(held.expire(now: .zero).map(\.dropped) == [true])
        _ = held.acknowledge(acknowledged: 1, settled: 1)
        #expect(held.count == 0)
        #expect(held.pendingBytes == 0)
        #expect(held.unsettledBytes == 0)
    }

    @Test func pendingIsRefusedAndUnsettledForgottenAboveTheBound() {
        var held = held(Array(repeating: nil, count: 5), capacity: 1000)
        #expect(held.hasRoom(for: 0))
        #expect(!held.hasRoom(for: 500))
        _ = unsent(&held)
        _ = held.acknowledge(acknowledged: 5, settled: 0)
        #expect(held.hasRoom(for: 900))
        #expect(held.unsettledBytes == 980)
        held.append("6", bytes: 100, request: nil, deadline: nil, expires: false)
        _ = unsent(&held)
        _ = held.acknowledge(acknowledged: 6, settled: 0)
        #expect(held.forgotten == 1)
        held.linkLost()
        #expect(unsent(&held) == ["2", "3", "4", "5", "6"])
    }
}

struct OutboundQueueTests {
    @Test func overflowsAboveTheLimitButTakesOneLargeMessage() {
        var queue = OutboundQueue()
        #expect(queue.enqueue(5000, limit: 1000) == .admitted)
        #expect(queue.enqueue(1, limit: 1000) == .overflow)
        queue.written(upTo: queue.position)
        #expect(queue.waiting == 0)
        #expect(queue.enqueue(600, limit: 1000) == .admitted)
        #expect(queue.enqueue(400, limit: 1000) == .admitted)
        #expect(queue.enqueue(1, limit: 1000) == .overflow)
        queue.written(upTo: .max)
        #expect(queue.waiting == 0)
    }
}
