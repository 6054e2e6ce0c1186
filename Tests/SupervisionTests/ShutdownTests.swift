import FoundationEssentials
import Model
import Supervision
import Testing

@Suite struct ShutdownTests {
    @Test func workersThenHubThenExit() throws {
        var fleet = FleetHarness.running(workers: 2)
        let hub = try fleet.current(.hub)
        let one = try fleet.current(.worker(1))
        fleet.stop()
        #expect(fleet.notifications == [.stopping])
        #expect(fleet.actions.contains(.closeListeners))
        #expect(fleet.snapshot.health == .stopping)
        #expect(
            try fleet.child(one).drains == [.drain(one, code: .goingAway, spread: .seconds(2), deadline: .seconds(29))]
        )
        #expect(try fleet.child(hub).drains == [])
        fleet.exit(one)
        #expect(try fleet.child(hub).drains == [])
        fleet.exit(try #require(fleet.children.last).instance)
        #expect(try fleet.child(hub).drains.count == 1)
        #expect(fleet.exitCode == nil)
        fleet.exit(hub)
        #expect(fleet.exitCode == 0)
        #expect(fleet.results == [.succeeded("All processes have ended.")])
        #expect(fleet.spawns == [])
    }

    @Test func lameDuckServesFirst() throws {
        var fleet = FleetHarness.running(workers: 2) { $0.shutdown.lameDuck = .seconds(5) }
        fleet.stop()
        #expect(fleet.children.count { $0.isLame } == 2)
        #expect(!fleet.actions.contains(.closeListeners))
        fleet.exit(try fleet.current(.worker(1)), .signalled(9, coreDumped: false))
        fleet.pass(.milliseconds(500))
        fleet.readyAll()
        #expect(fleet.children.count { $0.isLame } == 2, "a worker that crashes meanwhile is replaced, and told")
        fleet.pass(.seconds(4))
        #expect(fleet.children.allSatisfy { $0.drains.isEmpty })
        fleet.pass(.milliseconds(500))
        #expect(fleet.children.count { !$0.drains.isEmpty } == 2)
        #expect(fleet.actions.contains(.closeListeners))
        fleet.drainAll()
        #expect(fleet.exitCode == 0)
    }

    @Test func whatIsLeftAtTheDeadlineIsKilled() throws {
        var fleet = FleetHarness.running(workers: 2)
        let one = try fleet.current(.worker(1))
        fleet.stop()
        fleet.pass(.milliseconds(29_500))
        #expect(fleet.kills == [])
        fleet.pass(.milliseconds(500))
        #expect(fleet.kills.contains(one))
        fleet.reap()
        fleet.drainAll()
        #expect(fleet.exitCode == 0)
        #expect(fleet.results == [.succeeded("All processes have ended. 2 had to be killed.")])
    }

    @Test func theHubThatDoesNotEndIsKilled() throws {
        var fleet = FleetHarness.withoutWorkers()
        let hub = try fleet.current(.hub)
        fleet.stop()
        fleet.pass(.seconds(3))
        #expect(fleet.kills == [hub])
        fleet.reap()
        #expect(fleet.exitCode == 0)
    }

    @Test func theSecondSignalDrainsAtOnceTheThirdKills() throws {
        var fleet = FleetHarness.running(workers: 1)
        let (hub, worker) = (try fleet.current(.hub), try fleet.current(.worker(1)))
        fleet.stop()
        fleet.pass(.seconds(1))
        fleet.hurry()
        #expect(
            try fleet.child(worker).drains.last
                == .drain(worker, code: .goingAway, spread: .zero, deadline: .seconds(1))
        )
        #expect(fleet.kills == [])
        fleet.hurry()
        #expect(Set(fleet.kills) == [hub, worker])
        fleet.reap()
        #expect(fleet.exitCode == 0)
    }

    @Test func aHurriedDrainEndsWithTheKill() throws {
        var fleet = FleetHarness.running(workers: 1)
        let worker = try fleet.current(.worker(1))
        fleet.stop()
        fleet.hurry()
        fleet.pass(.milliseconds(1500))
        #expect(fleet.kills == [])
        fleet.pass(.milliseconds(500))
        #expect(fleet.kills == [worker])
    }

    @Test func hurryCutsTheLameDuckShort() throws {
        var fleet = FleetHarness.running(workers: 1) { $0.shutdown.lameDuck = .seconds(60) }
        let worker = try fleet.current(.worker(1))
        fleet.stop()
        fleet.hurry()
        #expect(
            try fleet.child(worker).drains
                == [.drain(worker, code: .goingAway, spread: .zero, deadline: .seconds(1))]
        )
    }

    @Test func hurryWithoutStopDoesNothing() {
        var fleet = FleetHarness.running(workers: 1)
        fleet.hurry()
        #expect(fleet.actions == [])
    }

    @Test func drainingOnesAreToldTheTermsOfTheStop() throws {
        var fleet = FleetHarness.running(workers: 1)
        let old = try fleet.current(.worker(1))
        fleet.reload(workers: 1)
        fleet.readyAll()
        fleet.pass(.seconds(20))
        fleet.stop()
        #expect(
            try fleet.child(old).drains.last
                == .drain(old, code: .goingAway, spread: .seconds(2), deadline: .seconds(29))
        )
        fleet.pass(.seconds(11))
        #expect(fleet.kills == [old], "its first deadline stands")
    }

    @Test func startingOnesAreKilled() throws {
        var fleet = FleetHarness(workers: 2)
        fleet.start()
        fleet.stop()
        #expect(fleet.kills.count == 2)
        #expect(fleet.results == [.failed("The service stops.")])
        fleet.reap()
        #expect(fleet.kills.count == 3, "the hub, too")
        fleet.reap()
        #expect(fleet.exitCode == 0)
    }

    @Test func theHubIsKeptAliveWhileWorkersDrain() throws {
        var fleet = FleetHarness.running(workers: 1)
        fleet.stop()
        fleet.exit(try fleet.current(.hub), .signalled(9, coreDumped: false))
        fleet.pass(.seconds(1))
        #expect(fleet.spawns == [.hub])
        fleet.readyAll()
        fleet.drainAll()
        #expect(fleet.exitCode == 0)
    }

    @Test func theStopIsExtended() throws {
        var fleet = FleetHarness.running(workers: 1)
        fleet.stop()
        fleet.pass(.seconds(12))
        #expect(fleet.actions.count { $0 == .notify(.extendTimeout(FleetLimits.extendBy)) } == 3)
    }

    @Test func theSupervisorsSleepKillsNobodyWhileDraining() throws {
        var fleet = FleetHarness.running(workers: 1)
        fleet.stop()
        fleet.pass(.seconds(20))
        fleet.sleep(.seconds(60))
        #expect(fleet.kills == [])
        fleet.pass(.milliseconds(9500))
        #expect(fleet.kills == [])
        fleet.pass(.milliseconds(500))
        #expect(fleet.kills.count == 1)
    }

    @Test func aProcessThatOutlivesSIGKILLIsNotWaitedForForEver() throws {
        var fleet = FleetHarness.running(workers: 1)
        fleet.stop()
        fleet.hurry()
        fleet.hurry()
        fleet.pass(.milliseconds(9500))
        #expect(fleet.exitCode == nil)
        fleet.pass(.milliseconds(500))
        #expect(fleet.exitCode == ExitCode.failure)
        #expect(fleet.eventMessages.contains("Process outlives SIGKILL"))
    }

    @Test func progressTellsHowManyAreLeft() throws {
        var fleet = FleetHarness.running(workers: 1)
        let worker = try fleet.current(.worker(1))
        fleet.stop()
        fleet.forget()
        fleet.act { $0.childReportedDraining(worker, remaining: 7, now: $1) }
        guard case .operationProgress(_, .stop, let text)? = fleet.actions.first else {
            Issue.record("no progress")
            return
        }
        #expect(text == "worker 1: 7 clients still to be closed")
    }

    @Test func progressIsToldOnceAndOnlyOfClients() throws {
        var fleet = FleetHarness.running(workers: 2)
        let (one, two) = (try fleet.current(.worker(1)), try fleet.current(.worker(2)))
        fleet.stop()
        fleet.forget()
        for remaining in [0, 0] { fleet.act { $0.childReportedDraining(one, remaining: remaining, now: $1) } }
        for remaining in [2, 2, 1, 0, 0] { fleet.act { $0.childReportedDraining(two, remaining: remaining, now: $1) } }
        let told = fleet.actions.compactMap {
            if case .operationProgress(_, .stop, let text) = $0 { text } else { nil }
        }
        #expect(
            told == [
                "worker 2: 2 clients still to be closed", "worker 2: 1 client still to be closed",
                "worker 2: all clients closed",
            ])
    }

    /// The state is handed over when the program is replaced in place: nothing may be lost on the way.
    @Test func theStateSurvivesEncoding() throws {
        var fleet = FleetHarness.running(workers: 2)
        fleet.reload()
        fleet.pass(.seconds(1))
        let data = try JSONEncoder().encode(fleet.machine)
        fleet.machine = try JSONDecoder().decode(FleetStateMachine.self, from: data)
        fleet.readyAll()
        fleet.drainAll()
        fleet.readyAll()
        fleet.drainAll()
        #expect(fleet.results == [.succeeded("Restarted: worker 1, worker 2.")])
        fleet.stop()
        fleet.drainAll()
        #expect(fleet.exitCode == 0)
    }
}
