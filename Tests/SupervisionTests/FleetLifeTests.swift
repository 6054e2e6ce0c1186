import Model
import Supervision
import Testing

/// Start, restarts, silence, lateness and memory, without operations.
@Suite struct FleetLifeTests {
    // MARK: Start

    @Test func hubFirstThenWorkersAtOnce() {
        var fleet = FleetHarness(workers: 3)
        fleet.start()
        #expect(fleet.spawns == [.hub, .worker(1), .worker(2), .worker(3)])
        #expect(fleet.snapshot.health == .starting)
        #expect(fleet.notifications.isEmpty)
    }

    @Test func readyWhenAllAre() throws {
        var fleet = FleetHarness(workers: 2)
        fleet.start()
        fleet.ready(try fleet.current(.worker(1)))
        fleet.ready(try fleet.current(.worker(2)))
        #expect(fleet.notifications.isEmpty)
        fleet.ready(try fleet.current(.hub))
        #expect(fleet.notifications == [.ready])
        #expect(fleet.results == [.succeeded("The hub and 2 workers are ready.")])
        #expect(fleet.snapshot.health == .ok)
        #expect(fleet.snapshot.problems == [])
    }

    @Test func noWorkersAreNoFailure() {
        var fleet = FleetHarness.withoutWorkers()
        fleet.pass(.seconds(2))
        #expect(fleet.snapshot.health == .ok)
        #expect(fleet.exitCode == nil)
    }

    @Test func withAConfiguredCountOfZeroThereIsNoHubEither() {
        var fleet = FleetHarness(workers: 0)
        fleet.start()
        #expect(fleet.spawns == [] && fleet.notifications == [.ready])
        #expect(fleet.results == [.succeeded("There are no workers to start.")])
        fleet.pass(.seconds(2))
        #expect(fleet.snapshot.processes == [] && fleet.snapshot.health == .ok && !fleet.snapshot.servesClients)
        #expect(fleet.scale(to: 3) == .noWorkers && fleet.restart() == .noWorkers && fleet.restart(.hub) == .noWorkers)
        fleet.forget()
        #expect(fleet.reload(workers: 3, restartHub: true) == nil)
        #expect(fleet.spawns == [] && fleet.machine.workersWanted == 0 && fleet.machine.revision == 2)
        #expect(fleet.results == [.succeeded("The configuration is in force.")])
        fleet.stop()
        #expect(fleet.exitCode == 0)
        #expect(fleet.results.last == .succeeded("All processes have ended."))
    }

    @Test func aReloadDoesNotEndTheServingOfClients() {
        var fleet = FleetHarness.running(workers: 1)
        fleet.reload(workers: 0)
        fleet.readyAll()
        fleet.drainAll()
        #expect(fleet.snapshot.servesClients && fleet.snapshot.processes.map(\.slot) == [.hub])
    }

    @Test func aFailedSlotDoesNotHoldUpTheService() throws {
        var fleet = FleetHarness(workers: 2)
        fleet.start()
        fleet.exit(try fleet.current(.worker(2)), .exited(78))
        fleet.ready(try fleet.current(.hub))
        fleet.ready(try fleet.current(.worker(1)))
        #expect(fleet.notifications == [.ready])
        #expect(fleet.eventMessages.contains("Ready without the slots that have failed"))
        #expect(fleet.snapshot.health == .degraded)
        #expect(fleet.snapshot.problems.count == 1)
        #expect(fleet.snapshot.processes.map(\.state) == [.ready, .ready, .failed])
    }

    @Test func aSlotInBackoffHoldsUpReadyButNotOperations() throws {
        var fleet = FleetHarness(workers: 2)
        fleet.start()
        fleet.ready(try fleet.current(.hub))
        fleet.ready(try fleet.current(.worker(1)))
        #expect(fleet.reload() == .busy(.start))
        fleet.exit(try fleet.current(.worker(2)), .exited(1))
        #expect(fleet.results == [.failed("Not ready: worker 2.")])
        #expect(fleet.notifications.isEmpty)
        fleet.pass(.seconds(1))
        fleet.ready(try fleet.current(.worker(2)))
        #expect(fleet.notifications == [.ready])
    }

    @Test func theStartIsExtended() {
        var fleet = FleetHarness(workers: 1)
        fleet.start()
        fleet.pass(.seconds(9))
        let extensions = fleet.actions.count { $0 == .notify(.extendTimeout(FleetLimits.extendBy)) }
        #expect(extensions == 2)
    }

    @Test func nobodyIsAskedToWaitForAStartThatGoesOnFailing() throws {
        var fleet = FleetHarness(workers: 1)
        fleet.start()
        for _ in 0..<FleetLimits.patientAttempts {
            fleet.exit(try fleet.current(.hub), .exited(1))
            while !fleet.children.contains(where: { $0.slot == .hub }) { fleet.pass(.milliseconds(500)) }
        }
        let before = fleet.actions.count { $0 == .notify(.extendTimeout(FleetLimits.extendBy)) }
        fleet.pass(.seconds(60))
        #expect(fleet.actions.count { $0 == .notify(.extendTimeout(FleetLimits.extendBy)) } == before)
    }

    // MARK: Restarts

    @Test func anUnstableEndIsAnsweredWithDelay() throws {
        var fleet = FleetHarness.running()
        fleet.exit(try fleet.current(.worker(1)), .signalled(11, coreDumped: false))
        #expect(fleet.spawns == [])
        #expect(fleet.snapshot.health == .degraded)
        let retry = try #require(fleet.snapshot.processes[1].retryIn)
        #expect(retry <= .milliseconds(100))
        #expect(fleet.machine.nextDeadline == fleet.now + retry)
        fleet.pass(.milliseconds(500))
        #expect(fleet.spawns == [.worker(1)])
        fleet.readyAll()
        #expect(fleet.snapshot.health == .ok)
        #expect(fleet.snapshot.processes[1].restarts == 1)
        #expect(fleet.snapshot.processes[1].lastExit == "was killed by SIGSEGV")
        #expect(fleet.snapshot.restarts == 1)
    }

    @Test func aStableEndIsAnsweredAtOnce() throws {
        var fleet = FleetHarness.running()
        fleet.pass(.seconds(30))
        fleet.exit(try fleet.current(.worker(1)), .signalled(9, coreDumped: false))
        #expect(fleet.spawns == [.worker(1)])
    }

    @Test func theReadyDeadlineKillsAndCounts() throws {
        var fleet = FleetHarness(workers: 1)
        fleet.start()
        fleet.ready(try fleet.current(.hub))
        let worker = try fleet.current(.worker(1))
        fleet.pass(.milliseconds(9500))
        #expect(fleet.kills == [])
        fleet.pass(.milliseconds(500))
        #expect(fleet.kills == [worker])
        #expect(fleet.snapshot.processes[1].state == .stopping)
        fleet.pass(.seconds(60))
        #expect(fleet.spawns == [.hub, .worker(1)], "a killed process that still lives is not over-spawned")
        fleet.reap()
        fleet.pass(.milliseconds(500))
        #expect(fleet.spawns == [.hub, .worker(1), .worker(1)])
        #expect(fleet.snapshot.processes[1].lastExit == "was not ready within 10 s")
    }

    @Test func seventeenUnstableEndsFailTheSlot() throws {
        var fleet = FleetHarness.running(workers: 2)
        for _ in 0..<17 {
            fleet.exit(try fleet.current(.worker(2)), .exited(1))
            // No delay is longer than 15 s.
            for _ in 0..<30 where fleet.instances(.worker(2)).isEmpty { fleet.pass(.milliseconds(500)) }
            fleet.readyAll()
        }
        #expect(fleet.snapshot.processes.map(\.state) == [.ready, .ready, .failed])
        #expect(fleet.eventMessages.count { $0 == "Slot failed: it is not started any more" } == 1)
        #expect(fleet.exitCode == nil)
    }

    @Test func failedSpawnsAreUnstableEnds() throws {
        var fleet = FleetHarness.running(workers: 2)
        fleet.unspawnable = [.worker(2)]
        fleet.exit(try fleet.current(.worker(2)), .exited(1))
        fleet.pass(.seconds(200))
        #expect(fleet.snapshot.processes.map(\.state) == [.ready, .ready, .failed])
        #expect(fleet.snapshot.processes[2].lastExit == "could not be spawned: no memory")
    }

    @Test func theHubIsRetriedForEver() throws {
        var fleet = FleetHarness.running(workers: 1)
        for _ in 0..<60 {
            fleet.exit(try fleet.current(.hub), .exited(78))
            fleet.pass(.seconds(5))
        }
        fleet.readyAll()
        #expect(fleet.snapshot.health == .ok)
    }

    @Test func allSlotsFailedEndsTheService() throws {
        var fleet = FleetHarness.running(workers: 2)
        fleet.exit(try fleet.current(.worker(1)), .exited(78))
        #expect(!fleet.machine.isStopping)
        fleet.exit(try fleet.current(.worker(2)), .exited(78))
        #expect(fleet.machine.isStopping)
        #expect(fleet.exitCode == nil, "the hub is told to end first")
        fleet.drainAll()
        #expect(fleet.exitCode == ExitCode.failure)
    }

    @Test func aChildOfAnotherLinkVersionIsKilled() throws {
        var fleet = FleetHarness(workers: 1)
        fleet.start()
        let worker = try fleet.current(.worker(1))
        fleet.act { $0.childSaidHello(worker, version: "9.9", link: WsdVersion.link + 1, now: $1) }
        #expect(fleet.kills == [worker])
    }

    // MARK: Silence and lateness

    @Test func aSilentWorkerIsKilledAndReplaced() throws {
        var fleet = FleetHarness.running()
        let worker = try fleet.current(.worker(1))
        fleet.pass(.milliseconds(4500), silent: [worker])
        #expect(fleet.kills == [])
        fleet.pass(.milliseconds(500), silent: [worker])
        #expect(fleet.kills == [worker])
        fleet.reap()
        fleet.pass(.milliseconds(500))
        #expect(fleet.spawns == [.worker(1)])
    }

    @Test func nobodyIsKilledForTheSupervisorsSleep() throws {
        var fleet = FleetHarness.running()
        let worker = try fleet.current(.worker(1))
        fleet.pass(.milliseconds(4500), silent: [worker])
        fleet.sleep(.seconds(10))
        #expect(fleet.kills == [])
        #expect(fleet.eventMessages.contains("The supervisor itself was late: no silence counts"))
        fleet.pass(.milliseconds(4500), silent: [worker])
        #expect(fleet.kills == [], "the silence counts anew")
        fleet.pass(.milliseconds(500), silent: [worker])
        #expect(fleet.kills == [worker])
    }

    @Test func aFactReadFirstAfterASleepDoesNotHideTheSleep() throws {
        var fleet = FleetHarness.running()
        fleet.sleep(.zero)
        let (one, two) = (try fleet.current(.worker(1)), try fleet.current(.worker(2)))
        var machine = fleet.machine
        let later = fleet.now + .seconds(20)
        _ = machine.childBeat(one, memory: nil, now: later)
        let actions = machine.timePassed(now: later)
        #expect(!actions.contains(.kill(two)))
    }

    @Test func startsGetTheSleptTimeAgain() {
        var fleet = FleetHarness(workers: 1)
        fleet.start()
        fleet.pass(.seconds(9))
        fleet.sleep(.seconds(30))
        fleet.pass(.milliseconds(500))
        #expect(fleet.kills == [])
        fleet.pass(.milliseconds(500))
        #expect(fleet.kills.count == 2)
    }

    @Test func aSmallGapIsNoExcuse() throws {
        var fleet = FleetHarness.running()
        let worker = try fleet.current(.worker(1))
        for _ in 0..<5 { fleet.sleep(.seconds(1)) }
        #expect(fleet.kills.contains(worker))
    }

    // MARK: Memory

    private func beat(_ fleet: inout FleetHarness, _ slot: SlotID, memory: Int) throws {
        let instance = try fleet.current(slot)
        fleet.act { $0.childBeat(instance, memory: memory, now: $1) }
    }

    @Test func aFatWorkerIsRecycledOneAtATime() throws {
        var fleet = FleetHarness.running { $0.workers.maxMemory = 100 }
        let old = try fleet.current(.worker(1))
        try beat(&fleet, .worker(1), memory: 101)
        try beat(&fleet, .worker(2), memory: 500)
        fleet.sleep(.milliseconds(500))
        #expect(fleet.spawns == [.worker(1)])
        #expect(fleet.scale(to: 3) == .busy(.recycle(.worker(1))))
        fleet.readyAll()
        #expect(try fleet.child(old).drains.count == 1)
        fleet.release(old)
        #expect(fleet.results == [.succeeded("Restarted: worker 1. Old processes still draining: 1.")])
        fleet.sleep(.milliseconds(500))
        #expect(fleet.spawns == [.worker(1), .worker(2)])
    }

    @Test func aSlotIsNotRecycledAgainAtOnce() throws {
        var fleet = FleetHarness.running(workers: 1) { $0.workers.maxMemory = 100 }
        for _ in 0..<4 {
            try beat(&fleet, .worker(1), memory: 101)
            fleet.pass(.seconds(10))
            fleet.readyAll()
            fleet.drainAll()
        }
        #expect(fleet.spawns == [.worker(1)])
        fleet.pass(.seconds(30))
        try beat(&fleet, .worker(1), memory: 101)
        fleet.pass(.milliseconds(500))
        #expect(fleet.spawns == [.worker(1), .worker(1)])
    }

    @Test func noLimitMeansNone() throws {
        var fleet = FleetHarness.running()
        try beat(&fleet, .worker(1), memory: .max)
        fleet.pass(.seconds(1))
        #expect(fleet.spawns == [])
    }
}
