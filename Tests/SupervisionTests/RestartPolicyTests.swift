import Model
import Supervision
import Testing

@Suite struct RestartPolicyTests {
    private var random = SplitMix64(seed: 7)

    private func policy(hub: Bool = false, _ change: (inout RestartConfiguration) -> Void = { _ in }) -> RestartPolicy {
        var configuration = RestartConfiguration()
        change(&configuration)
        return RestartPolicy(configuration: configuration, neverGivesUp: hub)
    }

    private mutating func decide(
        _ policy: RestartPolicy, readyFor: Duration?, misconfigured: Bool = false, after ends: inout Int
    ) -> RestartDecision {
        policy.decide(readyFor: readyFor, misconfigured: misconfigured, unstableEnds: &ends, random: &random)
    }

    @Test mutating func stableEndIsAnsweredAtOnceAndResets() {
        var ends = 5
        #expect(decide(policy(), readyFor: .seconds(30), after: &ends) == .atOnce)
        #expect(ends == 0)
    }

    @Test(arguments: [nil, .zero, .seconds(29), .nanoseconds(29_999_999_999)] as [Duration?])
    mutating func unstableEndIsDelayed(readyFor: Duration?) throws {
        var ends = 0
        guard case .after(let delay) = decide(policy(), readyFor: readyFor, after: &ends) else {
            Issue.record("not delayed")
            return
        }
        #expect(ends == 1)
        #expect(delay >= .milliseconds(50) && delay <= .milliseconds(100))
    }

    @Test func delaysGrowByTheFactorUpToTheCap() {
        let delays = (1...10).map { policy().longestDelay(afterUnstableEnds: $0).milliseconds }
        #expect(delays == [100, 200, 400, 800, 1600, 3200, 6400, 12800, 15000, 15000])
    }

    @Test func factorOneKeepsTheDelay() {
        let even = policy { $0.factor = 1 }
        #expect(even.longestDelay(afterUnstableEnds: 1_000_000) == .milliseconds(100))
    }

    @Test func factorNextToOneReachesTheCap() {
        let slow = policy { $0.factor = 1.01 }
        #expect(slow.longestDelay(afterUnstableEnds: 1_000_000) == .seconds(15))
    }

    @Test mutating func jitterLiesInTheUpperHalf() {
        var seen: Set<Duration> = []
        for _ in 0..<200 {
            var ends = 3
            guard case .after(let delay) = decide(policy(), readyFor: nil, after: &ends) else { continue }
            #expect(delay >= .milliseconds(400) && delay <= .milliseconds(800))
            seen.insert(delay)
        }
        #expect(seen.count > 100)
    }

    @Test mutating func givesUpAfterTooManyUnstableEnds() {
        var ends = 15
        guard case .after = decide(policy(), readyFor: nil, after: &ends) else {
            Issue.record("the sixteenth is still retried")
            return
        }
        #expect(decide(policy(), readyFor: nil, after: &ends) == .giveUp(.tooManyUnstableEnds(17)))
    }

    @Test mutating func aStableEndBetweenStartsTheCountAnew() {
        var ends = 16
        #expect(decide(policy(), readyFor: .seconds(31), after: &ends) == .atOnce)
        guard case .after(let delay) = decide(policy(), readyFor: nil, after: &ends) else {
            Issue.record("given up")
            return
        }
        #expect(delay <= .milliseconds(100))
    }

    @Test(arguments: [nil, .seconds(60)] as [Duration?])
    mutating func wrongConfigurationIsNotRetried(readyFor: Duration?) {
        var ends = 0
        #expect(decide(policy(), readyFor: readyFor, misconfigured: true, after: &ends) == .giveUp(.misconfigured))
    }

    @Test(arguments: [false, true])
    mutating func theHubIsRetriedForEver(misconfigured: Bool) {
        var ends = Int.max - 1
        for _ in 0..<3 {
            guard
                case .after(let delay) = decide(
                    policy(hub: true), readyFor: nil, misconfigured: misconfigured, after: &ends)
            else {
                Issue.record("given up")
                return
            }
            #expect(delay <= FleetLimits.hubMaxDelay)
        }
        #expect(ends == .max)
    }

    @Test mutating func aStableHubIsRestartedAtOnce() {
        var ends = 3
        #expect(decide(policy(hub: true), readyFor: .seconds(30), after: &ends) == .atOnce)
    }
}

@Suite struct ProcessEndTests {
    @Test func sentences() {
        #expect(ProcessExit.exited(1).sentence == "exited with 1")
        #expect(ProcessExit.signalled(9, coreDumped: false).sentence == "was killed by SIGKILL")
        #expect(ProcessExit.signalled(11, coreDumped: true).sentence == "was killed by SIGSEGV (core dumped)")
        #expect(ProcessExit.signalled(40, coreDumped: false).sentence == "was killed by signal 40")
    }
}

@Suite struct SplitMix64Tests {
    /// First outputs of the reference implementation for seed 1234567.
    @Test func matchesTheReference() {
        var generator = SplitMix64(seed: 1_234_567)
        let outputs = (0..<3).map { _ in generator.next() }
        #expect(outputs == [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423])
    }
}
