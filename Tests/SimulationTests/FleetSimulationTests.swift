import Testing

/// The fleet under a virtual clock. A failure names its seed: add it to `regressions`.
@Suite struct FleetSimulationTests {
    /// Seeds that once showed a fault.
    static let regressions: [UInt64] = [
        129  // A reload to fewer workers first started a failed slot again that it then retired.
    ]

    /// Seeds of one batch; batches run side by side.
    private static let batch: UInt64 = 50

    @Test(arguments: 0..<8 as Range<UInt64>)
    func seeds(batch: UInt64) {
        for seed in batch * Self.batch..<(batch + 1) * Self.batch { run(seed) }
    }

    @Test(arguments: regressions)
    func regression(seed: UInt64) { run(seed) }

    /// A simulation in which nothing happens shows nothing.
    @Test func theSeedsReachWhatTheyAreFor() throws {
        var reached: [String: Int] = [:]
        for seed in 0..<20 as Range<UInt64> {
            var world = FleetWorld(seed: seed)
            try world.run()
            reached.merge(world.statistics, uniquingKeysWith: +)
        }
        for what in ["spawns", "kills", "drains", "hangs", "sleeps", "accepted", "refused", "operations"] {
            #expect(reached[what, default: 0] >= 20, "\(what)")
        }
    }

    private func run(_ seed: UInt64) {
        var world = FleetWorld(seed: seed)
        do {
            try world.run()
        } catch {
            let second = Double(world.now - world.begin) / Double(FleetWorld.second)
            Issue.record("seed \(seed), second \(second): \(error)")
        }
    }
}
