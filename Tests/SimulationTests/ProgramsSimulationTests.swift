import Testing

/// Programs under a virtual clock. A failure names its seed: add it to `regressions`.
@Suite struct ProgramsSimulationTests {
    /// Seeds that once showed a fault.
    static let regressions: [UInt64] = []

    /// Seeds of one batch; batches run side by side.
    private static let batch: UInt64 = 8

    @Test(arguments: 0..<3 as Range<UInt64>)
    func seeds(batch: UInt64) {
        for seed in batch * Self.batch..<(batch + 1) * Self.batch { run(seed) }
    }

    @Test(arguments: regressions)
    func regression(seed: UInt64) { run(seed) }

    /// A simulation in which nothing happens shows nothing.
    @Test func theSeedsReachWhatTheyAreFor() throws {
        var reached: [String: Int] = [:]
        for seed in 40..<44 as Range<UInt64> {
            var world = ProgramsWorld(seed: seed)
            try world.run()
            reached.merge(world.statistics, uniquingKeysWith: +)
        }
        let kinds = [
            "spawns", "kills", "crashes", "slow trees", "sleeps", "accepted", "refused", "successes", "failures",
            "reconfigurations", "takeovers", "Program ready", "Program does not answer",
            "Program memory limit exceeded",
            "Program restart delayed", "Program finished", "Program failed: it is not started any more",
            "Program restarted with another", "What a program left behind does not go away",
        ]
        for kind in kinds { #expect(reached[kind, default: 0] > 0, "\(kind) in \(reached)") }
    }

    private func run(_ seed: UInt64) {
        var world = ProgramsWorld(seed: seed)
        do {
            try world.run()
        } catch {
            let second = Double(world.now - world.begin) / Double(ProgramsWorld.second)
            Issue.record("seed \(seed), second \(second): \(error)")
        }
    }
}
