import Model
import Supervision
import Testing

@Suite struct RollingReloadTests {
    @Test func slotBySlotWithOverlappingDrains() throws {
        var fleet = FleetHarness.running()
        let (one, two) = (try fleet.current(.worker(1)), try fleet.current(.worker(2)))
        #expect(fleet.reload() == nil)
        #expect(fleet.notifications == [.reloading])
        #expect(fleet.spawns == [.worker(1)])
        #expect(fleet.machine.revisionsInUse == [1, 2])

        let successor = try fleet.current(.worker(1))
        #expect(try fleet.child(successor).revision == 2)
        #expect(fleet.snapshot.processes.map(\.state) == [.ready, .ready, .starting, .ready])
        #expect(try fleet.child(one).drains == [], "the old one serves until the successor is ready")
        fleet.ready(successor)
        #expect(
            try fleet.child(one).drains
                == [.drain(one, code: .serviceRestart, spread: .seconds(5), deadline: .seconds(30))]
        )
        #expect(fleet.spawns == [.worker(1)], "the next slot waits for the listener")
        fleet.release(one)
        #expect(fleet.spawns == [.worker(1), .worker(2)])
        fleet.readyAll()
        #expect(fleet.snapshot.processes.map(\.state) == [.ready, .ready, .ready, .draining, .draining])
        #expect(fleet.results == [])
        fleet.exit(two)
        #expect(
            fleet.results
                == [.succeeded("Restarted: worker 1, worker 2. Old processes still draining: 1.")]
        )
        #expect(fleet.notifications == [.reloading, .reloaded])
        #expect(fleet.actions.contains(.adoptConfiguration(revision: 2)))
        #expect(fleet.machine.revision == 2)
        fleet.exit(one)
        #expect(fleet.machine.revisionsInUse == [2])
        #expect(fleet.snapshot.health == .ok)
    }

    @Test func aConfigurationThatConcernsNobodyReplacesNobody() throws {
        var fleet = FleetHarness.running(workers: 2)
        fleet.request { $0.scaleRequested(workers: 3, now: $1) }
        fleet.readyAll()
        let before = fleet.children.map(\.instance)
        #expect(fleet.request { $0.adoptionRequested(now: $1) } == nil)
        #expect(fleet.children.map(\.instance) == before && fleet.machine.workersWanted == 3)
        #expect(fleet.results.last == .succeeded("The configuration is in force."))
        #expect(fleet.notifications == [.reloading, .reloaded])
        #expect(fleet.actions.contains(.adoptConfiguration(revision: 1)))
        #expect(fleet.machine.revisionsInUse == [1])
        #expect(fleet.snapshot.health == .ok && fleet.snapshot.operation == nil)
    }

    @Test func anOldProcessThatIgnoresItsDrainIsKilled() throws {
        var fleet = FleetHarness.running(workers: 1)
        let old = try fleet.current(.worker(1))
        fleet.reload(workers: 1)
        fleet.readyAll()
        fleet.pass(.milliseconds(30_500))
        #expect(fleet.kills == [])
        fleet.pass(.milliseconds(500))
        #expect(fleet.kills == [old])
        fleet.reap()
        #expect(fleet.results.count == 1)
    }

    @Test func abortsWhenASuccessorExits() throws {
        var fleet = FleetHarness.running(workers: 3)
        let two = try fleet.current(.worker(2))
        fleet.reload(workers: 3)
        fleet.readyAll()
        fleet.drainAll()
        fleet.exit(try fleet.current(.worker(2)), .exited(1))
        #expect(
            fleet.results == [
                .failed(
                    "Aborted: worker 2 exited with 1. What served before goes on serving. Done before: worker 1. "
                        + "Not reached: worker 3."
                )
            ]
        )
        #expect(fleet.notifications == [.reloading, .reloaded])
        #expect(try fleet.current(.worker(2)) == two)
        #expect(fleet.machine.revision == 1)
        #expect(!fleet.actions.contains(.adoptConfiguration(revision: 2)))
        #expect(fleet.snapshot.health == .degraded)
        #expect(fleet.snapshot.problems.first?.hasPrefix("worker 1: running with a configuration") ?? false)
        fleet.pass(.seconds(30))
        #expect(fleet.spawns == [.worker(1), .worker(2)], "an abandoned successor is not tried again")
    }

    @Test func aSlotDoneBeforeAnAbortKeepsItsConfiguration() throws {
        var fleet = FleetHarness.running(workers: 2)
        fleet.reload()
        fleet.readyAll()
        fleet.drainAll()
        fleet.exit(try fleet.current(.worker(2)), .exited(1))
        fleet.exit(try fleet.current(.worker(1)), .exited(1))
        fleet.pass(.seconds(1))
        #expect(try fleet.child(fleet.current(.worker(1))).revision == 2)
        fleet.readyAll()
        fleet.restart()
        for _ in 0..<3 {
            fleet.readyAll()
            fleet.drainAll()
        }
        #expect(try fleet.child(fleet.current(.worker(1))).revision == 1)
        #expect(fleet.machine.revisionsInUse == [1])
    }

    @Test func abortsWhenASuccessorMissesItsDeadline() throws {
        var fleet = FleetHarness.running(workers: 2)
        let one = try fleet.current(.worker(1))
        fleet.reload()
        let successor = try fleet.current(.worker(1))
        fleet.pass(.seconds(10))
        #expect(fleet.kills == [successor])
        #expect(fleet.results.first?.message.hasPrefix("Aborted: worker 1 was not ready within 10 s.") ?? false)
        #expect(try fleet.current(.worker(1)) == one)
        fleet.reap()
        #expect(fleet.snapshot.health == .ok)
    }

    @Test func abortsWithTheSuccessorsOwnWords() throws {
        var fleet = FleetHarness.running(workers: 1)
        fleet.reload(workers: 1)
        let successor = try fleet.current(.worker(1))
        fleet.act { $0.childFailedToStart(successor, reason: "cannot read the static folder", exitCode: 78, now: $1) }
        fleet.exit(successor, .exited(78))
        #expect(fleet.results.first?.message.contains("exited with 78: cannot read the static folder") ?? false)
        #expect(fleet.snapshot.processes.map(\.state) == [.ready, .ready])
    }

    @Test func abortsWhenASuccessorCannotBeSpawned() throws {
        var fleet = FleetHarness.running(workers: 1)
        fleet.unspawnable = [.worker(1)]
        fleet.reload(workers: 1)
        #expect(fleet.results.first?.message.contains("could not be spawned: no memory") ?? false)
        #expect(fleet.snapshot.health == .ok)
    }

    @Test func theOldOneDiesWhileTheSuccessorStarts() throws {
        var fleet = FleetHarness.running(workers: 2)
        let old = try fleet.current(.worker(1))
        fleet.reload()
        fleet.exit(old, .signalled(9, coreDumped: false))
        #expect(fleet.spawns == [.worker(1)], "no third process")
        fleet.readyAll()
        #expect(fleet.spawns == [.worker(1), .worker(2)])
        fleet.drainAll()
        #expect(fleet.results == [.succeeded("Restarted: worker 1, worker 2.")])
    }

    @Test func oldAndSuccessorDie() throws {
        var fleet = FleetHarness.running(workers: 2)
        let old = try fleet.current(.worker(1))
        fleet.reload()
        fleet.exit(old, .signalled(9, coreDumped: false))
        fleet.exit(try fleet.current(.worker(1)), .exited(1))
        #expect(fleet.results.first?.message.hasPrefix("Aborted: worker 1 exited with 1.") ?? false)
        fleet.pass(.milliseconds(500))
        #expect(try fleet.child(fleet.current(.worker(1))).revision == 1, "back to the running configuration")
    }

    @Test func theSilentOldOneIsKilledWhileTheSuccessorStarts() throws {
        var fleet = FleetHarness.running(workers: 1)
        let old = try fleet.current(.worker(1))
        fleet.reload(workers: 1)
        fleet.pass(.seconds(5), silent: [old])
        #expect(fleet.kills == [old])
        fleet.readyAll()
        fleet.reap()
        #expect(fleet.results == [.succeeded("Restarted: worker 1.")])
    }

    @Test func slotsInBackoffComeLast() throws {
        var fleet = FleetHarness.running(workers: 2) { $0.restart.initialDelay = .seconds(10) }
        fleet.exit(try fleet.current(.worker(1)), .exited(1))
        fleet.forget()
        fleet.reload()
        #expect(fleet.spawns == [.worker(2)])
        fleet.readyAll()
        fleet.drainAll()
        #expect(fleet.spawns == [.worker(2), .worker(1)])
        fleet.readyAll()
        #expect(fleet.results == [.succeeded("Restarted: worker 2, worker 1.")])
    }

    @Test func aStartingSlotIsWaitedFor() throws {
        var fleet = FleetHarness.running(workers: 1)
        fleet.exit(try fleet.current(.worker(1)), .exited(1))
        fleet.pass(.milliseconds(500))
        fleet.forget()
        fleet.reload(workers: 1)
        #expect(fleet.spawns == [])
        fleet.readyAll()
        #expect(try fleet.child(fleet.current(.worker(1))).revision == 2)
        fleet.drainAll()
        #expect(fleet.results == [.succeeded("Restarted: worker 1.")])
    }

    @Test func failedSlotsAreStartedAgainAfterSuccess() throws {
        var fleet = FleetHarness.running(workers: 2)
        fleet.exit(try fleet.current(.worker(1)), .exited(78))
        fleet.forget()
        fleet.reload()
        #expect(fleet.spawns == [.worker(2)])
        fleet.readyAll()
        fleet.drainAll()
        #expect(fleet.spawns == [.worker(2), .worker(1)])
        #expect(try fleet.child(fleet.current(.worker(1))).revision == 2)
        #expect(fleet.results == [.succeeded("Restarted: worker 2.")])
        // It fails again: with the adopted configuration from now on.
        fleet.exit(try fleet.current(.worker(1)), .exited(1))
        fleet.pass(.seconds(1))
        #expect(try fleet.child(fleet.current(.worker(1))).revision == 2)
    }

    @Test func failedSlotsStayFailedAfterAnAbort() throws {
        var fleet = FleetHarness.running(workers: 2)
        fleet.exit(try fleet.current(.worker(1)), .exited(78))
        fleet.reload()
        fleet.exit(try fleet.current(.worker(2)), .exited(1))
        #expect(fleet.snapshot.processes.map(\.state) == [.ready, .failed, .ready])
    }

    @Test func aStopInTheMiddleAbortsAndStops() throws {
        var fleet = FleetHarness.running(workers: 2)
        let (one, two) = (try fleet.current(.worker(1)), try fleet.current(.worker(2)))
        fleet.reload()
        let successor = try fleet.current(.worker(1))
        fleet.stop()
        #expect(fleet.results == [.failed("The service stops.")])
        #expect(fleet.notifications == [.reloading, .reloaded, .stopping])
        #expect(fleet.kills == [successor])
        for instance in [one, two] {
            #expect(
                try fleet.child(instance).drains
                    == [.drain(instance, code: .goingAway, spread: .seconds(2), deadline: .seconds(29))]
            )
        }
        fleet.reap()
        fleet.drainAll()
        fleet.drainAll()
        #expect(fleet.exitCode == 0)
    }

    @Test func secondOperationsAreRefusedNamingTheFirst() throws {
        var fleet = FleetHarness.running(workers: 2)
        fleet.reload()
        #expect(fleet.reload(revision: 3) == .busy(.reload))
        #expect(fleet.restart() == .busy(.reload))
        #expect(fleet.scale(to: 4) == .busy(.reload))
        let refusal = fleet.scale(to: 4)
        #expect(refusal?.description.contains("reload is running") ?? false)
        #expect(fleet.stop() == nil)
        #expect(fleet.scale(to: 4) == .busy(.stop))
        #expect(fleet.stop() == .busy(.stop))
    }

    // MARK: Hub

    @Test func theHubIsRestartedLast() throws {
        var fleet = FleetHarness.running(workers: 1)
        let hub = try fleet.current(.hub)
        fleet.reload(workers: 1, restartHub: true)
        fleet.readyAll()
        #expect(try fleet.child(hub).drains == [])
        fleet.drainAll()
        #expect(fleet.spawns == [.worker(1), .hub], "the old hub has been told to end, and has ended")
        #expect(fleet.results == [])
        fleet.readyAll()
        #expect(fleet.results == [.succeeded("Restarted: worker 1, hub.")])
        #expect(fleet.machine.revision == 2)
    }

    @Test func neverTwoHubs() throws {
        var fleet = FleetHarness.withoutWorkers()
        let hub = try fleet.current(.hub)
        fleet.restart()
        #expect(try fleet.child(hub).drains.count == 1)
        #expect(fleet.spawns == [])
        fleet.pass(.seconds(3))
        #expect(fleet.kills == [hub])
        #expect(fleet.spawns == [])
        fleet.reap()
        #expect(fleet.spawns == [.hub])
    }

    @Test func aHubThatDoesNotComeBackAbortsTheReload() throws {
        var fleet = FleetHarness.running(workers: 1)
        fleet.reload(workers: 1, restartHub: true)
        fleet.readyAll()
        fleet.drainAll()
        fleet.exit(try fleet.current(.hub), .exited(1))
        #expect(fleet.results == [.failed("Aborted: hub exited with 1. Done before: worker 1.")])
        #expect(fleet.machine.revision == 1)
        fleet.pass(.seconds(1))
        #expect(try fleet.child(fleet.current(.hub)).revision == 1, "retried with what it last ran with")
    }

    // MARK: Changed number of workers

    @Test func aChangedCountIsAppliedAfterTheRoll() throws {
        var fleet = FleetHarness.running(workers: 1)
        fleet.reload(workers: 3)
        fleet.readyAll()
        fleet.drainAll()
        #expect(fleet.spawns == [.worker(1), .worker(2), .worker(3)])
        #expect(fleet.results == [])
        fleet.readyAll()
        #expect(fleet.results == [.succeeded("Restarted: worker 1, worker 2, worker 3.")])
    }

    @Test func aSmallerCountRetiresSlotsWithoutRestartingThem() throws {
        var fleet = FleetHarness.running(workers: 3)
        fleet.reload(workers: 1)
        fleet.readyAll()
        fleet.drainAll()
        #expect(fleet.spawns == [.worker(1)])
        #expect(fleet.snapshot.workersWanted == 1)
        #expect(fleet.results.count == 1)
    }

    @Test func aFailedSlotThatIsRetiredIsNotStartedAgain() throws {
        var fleet = FleetHarness.running(workers: 2)
        fleet.exit(try fleet.current(.worker(2)), .exited(78))
        fleet.forget()
        fleet.reload(workers: 1)
        fleet.readyAll()
        fleet.drainAll()
        #expect(fleet.spawns == [.worker(1)])
        #expect(fleet.results == [.succeeded("Restarted: worker 1.")])
    }

    @Test func anUnchangedCountLeavesAScaledFleetAlone() throws {
        var fleet = FleetHarness.running(workers: 2)
        fleet.scale(to: 3)
        fleet.readyAll()
        fleet.reload(workers: 2)
        for _ in 0..<3 {
            fleet.readyAll()
            fleet.drainAll()
        }
        #expect(fleet.snapshot.workersWanted == 3)
        #expect(fleet.snapshot.health == .ok)
    }
}
