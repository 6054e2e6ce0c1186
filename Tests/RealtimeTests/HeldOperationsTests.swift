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

    private func acknowledge(
        _ held: inout HeldOperations<String, Int>, _ acknowledged: UInt64, settled: UInt64
    ) -> [Int] {
        var decided: [Int] = []
        held.acknowledge(acknowledged: acknowledged, settled: settled) { sequence, request, _ in
            #expect(sequence == UInt64(request))
            decided.append(request)
        }
        return decided
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
        #expect(acknowledge(&held, 2, settled: 1) == [1, 2])
        held.linkLost()
        #expect(unsent(&held) == ["2", "3"])
        #expect(acknowledge(&held, 3, settled: 3) == [])
        #expect(held.count == 0)
        #expect(held.pendingBytes == 0)
        #expect(held.unsettledBytes == 0)
    }

    @Test func whatWasRefusedIsNotSentAgain() {
        var held = held([nil, nil, nil])
        held.withdraw(2)
        #expect(unsent(&held) == ["1", "2", "3"])
        held.withdraw(2)
        held.withdraw(2)
        held.withdraw(.max)
        #expect(acknowledge(&held, 3, settled: 0) == [1, 2, 3])
        held.withdraw(3)
        held.linkLost()
        #expect(unsent(&held) == ["1"])
        #expect(acknowledge(&held, 3, settled: 3) == [])
        #expect(held.count == 0)
        #expect(held.pendingBytes == 0)
        #expect(held.unsettledBytes == 0)
    }

    @Test func numbersBeyondWhatWasSentAreIgnored() {
        var held = held([nil, nil])
        #expect(acknowledge(&held, .max, settled: .max) == [])
        #expect(held.count == 2)
        _ = unsent(&held)
        #expect(acknowledge(&held, .max, settled: .max) == [1, 2])
        #expect(acknowledge(&held, 1, settled: 0) == [])
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
        #expect(acknowledge(&held, 3, settled: 3) == [3])
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
        #expect(acknowledge(&held, 1, settled: 1) == [])
    }

    @Test func aReplyTakesTheRequestBeforeTheAcknowledgement() {
        var held = held([5, 5, 5])
        #expect(held.takeRequest(1) == nil)
        _ = unsent(&held)
        #expect(held.takeRequest(0) == nil)
        #expect(held.takeRequest(.max) == nil)
        #expect(held.takeRequest(2) == 2)
        #expect(held.takeRequest(2) == nil)
        #expect(acknowledge(&held, 2, settled: 1) == [1])
        #expect(held.takeRequest(1) == nil)
        #expect(held.expire(now: .zero + .seconds(5)).map(\.sequence) == [3])
        #expect(held.takeRequest(3) == nil)
    }

    @Test func givenUpEntriesBehindTheLastAcknowledgedOneGoWithIt() {
        var held = held([nil])
        _ = unsent(&held)
        held.append("2", bytes: 1, request: 2, deadline: .zero, expires: true)
        #expect(held.expire(now: .zero).map(\.dropped) == [true])
        _ = acknowledge(&held, 1, settled: 1)
        #expect(held.count == 0)
        #expect(held.pendingBytes == 0)
        #expect(held.unsettledBytes == 0)
    }

    @Test func pendingIsRefusedAndUnsettledForgottenAboveTheBound() {
        let bytes = 100 + Held.overhead
        var held = held(Array(repeating: nil, count: 5), capacity: bytes * 5 + 20)
        #expect(held.hasRoom(for: 0))
        #expect(!held.hasRoom(for: 100))
        _ = unsent(&held)
        _ = acknowledge(&held, 5, settled: 0)
        #expect(held.hasRoom(for: bytes * 5))
        #expect(held.unsettledBytes == bytes * 5)
        held.append("6", bytes: 100, request: nil, deadline: nil, expires: false)
        _ = unsent(&held)
        _ = acknowledge(&held, 6, settled: 0)
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
