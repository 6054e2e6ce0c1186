import Realtime
import Testing

struct SettlementTrackerTests {
    @Test func operationsOfATurnSettleWithTheirLastTarget() {
        var tracker = SettlementTracker()
        tracker.processed(1, from: 0, targets: [1, 2])
        tracker.processed(2, from: 0, targets: [2])
        tracker.endTurn { [0, 100, 200][$0] }
        #expect(tracker.settled(0) == 0)
        tracker.flushed(1, upTo: 100)
        tracker.flushed(2, upTo: 199)
        #expect(tracker.settled(0) == 0)
        #expect(tracker.takeChanged() == [])
        tracker.flushed(2, upTo: 200)
        #expect(tracker.settled(0) == 2)
        #expect(tracker.takeChanged() == [0])
        #expect(tracker.takeChanged() == [])
    }

    @Test func laterTurnsWaitForEarlierOnes() {
        var tracker = SettlementTracker()
        tracker.processed(1, from: 0, targets: [1])
        tracker.endTurn { _ in 10 }
        tracker.processed(2, from: 0, targets: [2])
        tracker.endTurn { _ in 20 }
        tracker.processed(3, from: 0, targets: [])
        tracker.endTurn { _ in 20 }
        tracker.flushed(2, upTo: 20)
        #expect(tracker.settled(0) == 0)
        tracker.flushed(1, upTo: 10)
        #expect(tracker.settled(0) == 3)
    }

    @Test func nothingToTellSettlesWithTheTurn() {
        var tracker = SettlementTracker()
        tracker.processed(5, from: 3, targets: [])
        #expect(tracker.settled(3) == 0)
        tracker.endTurn { _ in 0 }
        #expect(tracker.settled(3) == 5)
    }

    @Test func endedLinkIsNotWaitedForAndItsNumberStartsAnew() {
        var tracker = SettlementTracker()
        tracker.processed(1, from: 0, targets: [1])
        tracker.processed(9, from: 1, targets: [0])
        tracker.endTurn { _ in 50 }
        tracker.linkEnded(1)
        #expect(tracker.settled(0) == 1)
        #expect(tracker.settled(1) == 0)
        // A mark of the former link with this number must not count for the new one.
        tracker.processed(1, from: 1, targets: [0])
        tracker.endTurn { _ in 80 }
        tracker.flushed(0, upTo: 50)
        #expect(tracker.settled(1) == 0)
        tracker.flushed(0, upTo: 80)
        #expect(tracker.settled(1) == 1)
    }

    @Test func linkThatEndsWithinTheTurnIsForgotten() {
        var tracker = SettlementTracker()
        tracker.processed(1, from: 0, targets: [1])
        tracker.processed(4, from: 1, targets: [0])
        tracker.linkEnded(1)
        tracker.endTurn { _ in 10 }
        #expect(tracker.settled(0) == 1)
        #expect(tracker.settled(1) == 0)
    }
}
