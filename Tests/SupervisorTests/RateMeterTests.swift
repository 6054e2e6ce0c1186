import Testing

@testable import Model
@testable import Supervisor

struct RateMeterTests {
    private func at(_ seconds: Double) -> MonotonicTime { MonotonicTime(nanoseconds: Int64(seconds * 1e9)) }

    @Test func needsTwoSamples() {
        var meter = RateMeter()
        #expect(meter.rate(at: at(0)) == nil)
        meter.add(10, at: at(1))
        #expect(meter.rate(at: at(1)) == nil)
        meter.add(30, at: at(2))
        #expect(meter.rate(at: at(2)) == 20)
    }

    @Test func looksBackFiveSeconds() {
        var meter = RateMeter()
        for second in 0...20 { meter.add(second <= 10 ? 0 : Double(second - 10) * 100, at: at(Double(second))) }
        #expect(meter.rate(at: at(20)) == 100)
    }

    @Test func isZeroWhenNothingCameForLong() {
        var meter = RateMeter()
        meter.add(0, at: at(0))
        meter.add(100, at: at(1))
        #expect(meter.rate(at: at(30)) == 0)
    }

    @Test func neverFallsBelowZeroAndIgnoresTimeThatStandsStill() {
        var meter = RateMeter()
        meter.add(100, at: at(1))
        meter.add(500, at: at(1))
        meter.add(40, at: at(2))
        #expect(meter.rate(at: at(2)) == 0)
    }
}
