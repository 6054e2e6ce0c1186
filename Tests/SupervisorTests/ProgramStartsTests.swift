import Model
import NIOCore
import NIOEmbedded
import Supervision
import Testing

@testable import Supervisor

struct ProgramStartsTests {
    private final class Parts {
        let eventLoop = EmbeddedEventLoop()
        var now = MonotonicTime.zero
        var started: [Int] = []
        lazy var starts = ProgramStarts(eventLoop: eventLoop) { [unowned self] in now }

        func take(_ number: Int, taking time: Duration) {
            starts.take(InstanceID(rawValue: number)) { [unowned self] in
                started.append(number)
                now += time
            }
        }

        func pass(_ milliseconds: Int64) {
            now += .milliseconds(milliseconds)
            eventLoop.advanceTime(by: .milliseconds(milliseconds))
        }
    }

    @Test func fewAreStartedAtOnceAndManyLeaveHalfOfTheTime() {
        let parts = Parts()
        for number in 1...20 { parts.take(number, taking: .milliseconds(10)) }
        // Each is made up for by twice its time: behind the sixth that is more than the slack.
        #expect(parts.started == Array(1...6))
        let start = parts.now
        while parts.started.count < 20 { parts.pass(1) }
        #expect(parts.started == Array(1...20))
        let elapsed = (parts.now - start).milliseconds
        #expect((250...300).contains(elapsed), "14 starts of 10 ms took \(elapsed) ms")
    }

    @Test func oneThatWaitsCanBeCancelled() {
        let parts = Parts()
        parts.take(1, taking: .seconds(1))
        parts.take(2, taking: .zero)
        parts.take(3, taking: .zero)
        #expect(!parts.starts.cancel(InstanceID(rawValue: 1)) && parts.starts.cancel(InstanceID(rawValue: 2)))
        #expect(!parts.starts.isIdle)
        parts.pass(1000)
        #expect(parts.started == [1, 3] && parts.starts.isIdle)
    }
}
