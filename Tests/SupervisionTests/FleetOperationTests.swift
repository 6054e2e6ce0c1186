import Model
import Supervision
import Testing

@Suite struct RestartAndScaleTests {
    // MARK: Restart

    @Test func restartIsRollingAndEndsWithTheHub() throws {
        var fleet = FleetHarness.running(workers: 2)
        fleet.restart()
        #expect(fleet.spawns == [.worker(1)])
        fleet.readyAll()
        fleet.drainAll()
        fleet.readyAll()
        fleet.drainAll()
        fleet.drainAll()
        fleet.readyAll()
        #expect(fleet.spawns == [.worker(1), .worker(2), .hub])
        #expect(fleet.results == [.succeeded("Restarted: worker 1, worker 2, hub.")])
        #expect(fleet.notifications == [], "no reload")
    }

    @Test func oneSlotAlone() throws {
        var fleet = FleetHarness.running(workers: 2)
        fleet.restart(.worker(2))
        fleet.readyAll()
        fleet.drainAll()
        #expect(fleet.spawns == [.worker(2)])
        #expect(fleet.results == [.succeeded("Restarted: worker 2.")])
        #expect(fleet.restart(.worker(3)) == .unknownSlot(.worker(3)))
        #expect(fleet.restart(.worker(0)) == .unknownSlot(.worker(0)))
        #expect(fleet.restart(.worker(.min)) == .unknownSlot(.worker(.min)))
    }

    @Test func theHubAlone() throws {
        var fleet = FleetHarness.running(workers: 1)
        fleet.restart(.hub)
        fleet.drainAll()
        fleet.readyAll()
        #expect(fleet.spawns == [.hub])
        #expect(fleet.results == [.succeeded("Restarted: hub.")])
    }

    @Test func restartRevivesFailedSlots() throws {
        var fleet = FleetHarness.running(workers: 2)
        fleet.exit(try fleet.current(.worker(1)), .exited(78))
        fleet.restart(.worker(1))
        #expect(fleet.spawns == [.worker(1)])
        fleet.readyAll()
        #expect(fleet.results == [.succeeded("Restarted: worker 1.")])
        #expect(fleet.snapshot.health == .ok)
    }

    @Test func restartNowIsAtOnceWithAShortDrain() throws {
        var fleet = FleetHarness.running(workers: 2)
        let old = try [fleet.current(.worker(1)), fleet.current(.worker(2))]
        let hub = try fleet.current(.hub)
        fleet.restart(immediately: true)
        #expect(fleet.spawns == [.worker(1), .worker(2)])
        for instance in old {
            #expect(
                try fleet.child(instance).drains
                    == [.drain(instance, code: .serviceRestart, spread: .zero, deadline: .seconds(1))]
            )
        }
        fleet.pass(.seconds(2))
        #expect(fleet.kills == old)
        fleet.reap()
        fleet.exit(hub)
        fleet.readyAll()
        #expect(fleet.spawns == [.worker(1), .worker(2), .hub])
        #expect(fleet.results == [.succeeded("Restarted: worker 1, worker 2, hub.")])
    }

    @Test func restartNowKillsWhatIsNotReady() throws {
        var fleet = FleetHarness.running(workers: 1)
        fleet.exit(try fleet.current(.worker(1)), .exited(1))
        fleet.pass(.milliseconds(500))
        let starting = try fleet.current(.worker(1))
        fleet.restart(.worker(1), immediately: true)
        #expect(fleet.kills == [starting])
        #expect(fleet.results == [])
        fleet.reap()
        fleet.readyAll()
        #expect(fleet.results == [.succeeded("Restarted: worker 1.")])
    }

    @Test func restartNowTellsAllFailures() throws {
        var fleet = FleetHarness.running(workers: 2)
        fleet.restart(immediately: true)
        fleet.exit(try fleet.current(.worker(1)), .exited(1))
        fleet.exit(try fleet.current(.worker(2)), .exited(2))
        #expect(fleet.results == [])
        fleet.drainAll()
        fleet.readyAll()
        #expect(fleet.results == [.failed("worker 1 exited with 1; worker 2 exited with 2.")])
    }

    // MARK: Scale

    @Test func scaleUp() throws {
        var fleet = FleetHarness.running(workers: 1)
        fleet.scale(to: 3)
        #expect(fleet.spawns == [.worker(2), .worker(3)])
        fleet.readyAll()
        #expect(fleet.results == [.succeeded("3 workers.")])
    }

    @Test func scaleUpTellsFailures() throws {
        var fleet = FleetHarness.running(workers: 1)
        fleet.scale(to: 2)
        fleet.exit(try fleet.current(.worker(2)), .exited(1))
        #expect(fleet.results == [.failed("worker 2 exited with 1.")])
        fleet.pass(.seconds(1))
        #expect(fleet.spawns == [.worker(2), .worker(2)], "the slot is wanted all the same")
    }

    @Test func scaleDownDrainsTheHighest() throws {
        var fleet = FleetHarness.running(workers: 3)
        let (two, three) = (try fleet.current(.worker(2)), try fleet.current(.worker(3)))
        fleet.scale(to: 1)
        for instance in [two, three] {
            #expect(
                try fleet.child(instance).drains
                    == [.drain(instance, code: .serviceRestart, spread: .seconds(5), deadline: .seconds(30))]
            )
        }
        fleet.act { $0.childReportedDraining(three, remaining: 12, now: $1) }
        #expect(fleet.snapshot.processes.map(\.remaining).contains(12))
        #expect(
            fleet.actions.contains {
                if case .operationProgress(_, .scale(to: 1), let text) = $0 {
                    text == "worker 3: 12 clients still to be closed"
                } else {
                    false
                }
            }
        )
        fleet.exit(two)
        #expect(fleet.results == [])
        fleet.exit(three)
        #expect(fleet.results == [.succeeded("1 worker.")])
        #expect(fleet.snapshot.health == .ok)
    }

    @Test func scaleToTheSameIsDoneAtOnce() {
        var fleet = FleetHarness.running(workers: 2)
        fleet.scale(to: 2)
        #expect(fleet.results == [.succeeded("2 workers.")])
    }

    @Test func scaleToNothingAndBack() {
        var fleet = FleetHarness.running(workers: 2)
        fleet.scale(to: 0)
        fleet.drainAll()
        fleet.pass(.seconds(2))
        #expect(fleet.exitCode == nil)
        fleet.scale(to: 1)
        fleet.readyAll()
        #expect(fleet.results == [.succeeded("0 workers."), .succeeded("1 worker.")])
    }

    @Test(arguments: [-1, 1025, .max, .min])
    func impossibleCounts(count: Int) {
        var fleet = FleetHarness.running(workers: 2)
        #expect(fleet.scale(to: count) == .impossibleCount(count))
        #expect(fleet.actions == [])
    }

    @Test func scaleDownOfASlotInBackoff() throws {
        var fleet = FleetHarness.running(workers: 2)
        fleet.exit(try fleet.current(.worker(2)), .exited(1))
        fleet.scale(to: 1)
        #expect(fleet.results == [.succeeded("1 worker.")])
        fleet.pass(.seconds(30))
        #expect(fleet.spawns == [])
    }

    @Test func factsAboutTheDeadAreIgnored() throws {
        var fleet = FleetHarness.running(workers: 1)
        let old = try fleet.current(.worker(1))
        fleet.exit(old, .exited(1))
        fleet.forget()
        fleet.act { $0.childBeat(old, memory: 1, now: $1) }
        fleet.act { $0.childBecameReady(old, now: $1) }
        fleet.act { $0.childReleasedListener(old, now: $1) }
        fleet.act { $0.childReportedDraining(old, remaining: 3, now: $1) }
        fleet.act { $0.childFailedToStart(old, reason: "late", exitCode: 1, now: $1) }
        fleet.act { $0.childExited(old, .exited(0), now: $1) }
        fleet.act { $0.childSpawned(old, pid: 1, now: $1) }
        fleet.act { $0.childSpawnFailed(old, reason: "late", now: $1) }
        #expect(fleet.actions == [])
    }

    @Test func nothingIsAcceptedBeforeTheStart() {
        var fleet = FleetHarness(workers: 1)
        #expect(fleet.reload() == .notRunning)
        #expect(fleet.stop() == .notRunning)
        fleet.hurry()
        fleet.sleep(.seconds(1))
        #expect(fleet.actions == [])
    }
}
