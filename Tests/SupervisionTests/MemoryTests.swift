import Model
import Testing

@testable import Supervision

/// What is told of the control group's memory, and whose end was the kernel's doing.
struct MemoryTests {
    private static let start = MonotonicTime(nanoseconds: 1_000_000_000)

    private static func reading(
        usage: Int = 500, inactiveFile: Int = 0, high: Int? = 1000, max: Int? = nil,
        _ events: MemoryEvents = MemoryEvents()
    ) -> MemoryReading {
        MemoryReading(usage: usage, inactiveFile: inactiveFile, high: high, max: max, events: events)
    }

    /// A machine that has read once, long after the group was made.
    private static func begun() -> MemoryStateMachine {
        var machine = MemoryStateMachine()
        let findings = machine.read(
            reading(usage: 950, MemoryEvents(high: 100, max: 50, oom: 5, oomKills: 4)), now: start)
        #expect(findings.isEmpty, "what was before is not the service's")
        #expect(machine.events == MemoryEvents())
        return machine
    }

    @Test func highIsToldOnceInAWhileWithTheCount() {
        var machine = Self.begun()
        func read(_ high: Int, after seconds: Int) -> [MemoryStateMachine.Finding] {
            machine.read(
                Self.reading(usage: 990, MemoryEvents(high: high, max: 50, oom: 5, oomKills: 4)),
                now: Self.start + .seconds(seconds))
        }
        #expect(read(103, after: 1) == [.aboveHigh(3)])
        #expect(read(110, after: 2) == [])
        #expect(read(110, after: 60) == [])
        #expect(read(111, after: 61) == [.aboveHigh(8)])
        #expect(read(111, after: 200) == [])
        #expect(machine.events.high == 11)
        #expect(machine.strainedAt == Self.start + .seconds(61))
    }

    @Test func fileCacheAtTheLimitIsNoTrouble() {
        var machine = Self.begun()
        var events = MemoryEvents(high: 200, max: 50, oom: 5, oomKills: 4)
        #expect(machine.read(Self.reading(usage: 999, inactiveFile: 300, events), now: Self.start) == [])
        #expect(machine.events.high == 100)
        #expect(machine.strainedAt == nil)
        // The same with little of it.
        events.high += 1
        #expect(machine.read(Self.reading(usage: 999, inactiveFile: 199, events), now: Self.start) == [.aboveHigh(1)])
    }

    @Test func theLimitIsToldApartFromHigh() {
        var machine = Self.begun()
        var events = MemoryEvents(high: 101, max: 50, oom: 5, oomKills: 4)
        #expect(machine.read(Self.reading(usage: 990, max: 1200, events), now: Self.start) == [.aboveHigh(1)])
        events.max += 4
        #expect(
            machine.read(Self.reading(usage: 1190, max: 1200, events), now: Self.start + .seconds(1))
                == [.atLimit(4, outOfMemory: 0)])
        events.oom += 1
        #expect(machine.read(Self.reading(usage: 1190, max: 1200, events), now: Self.start + .seconds(2)) == [])
        #expect(
            machine.read(Self.reading(usage: 1190, max: 1200, events), now: Self.start + .seconds(61))
                == [.atLimit(0, outOfMemory: 1)])
    }

    /// After the kill there is room again: an end of memory counts whatever the usage is now.
    @Test func outOfMemoryIsToldEvenWhenItIsOver() {
        var machine = Self.begun()
        let events = MemoryEvents(high: 100, max: 50, oom: 6, oomKills: 5)
        #expect(
            machine.read(Self.reading(usage: 10, high: nil, max: 1000, events), now: Self.start)
                == [.atLimit(0, outOfMemory: 1)])
    }

    @Test func troubleIsOverOnlyWellBelowAndAfterAWhile() {
        var machine = Self.begun()
        let events = MemoryEvents(high: 101, max: 50, oom: 5, oomKills: 4)
        func read(_ usage: Int, after seconds: Int) -> [MemoryStateMachine.Finding] {
            machine.read(Self.reading(usage: usage, events), now: Self.start + .seconds(seconds))
        }
        #expect(read(990, after: 0) == [.aboveHigh(1)])
        #expect(read(500, after: 59) == [])
        #expect(read(750, after: 90) == [])
        #expect(read(699, after: 95) == [.relieved])
        #expect(read(699, after: 99) == [])
    }

    @Test func aKillIsClaimedOnceAndInTime() {
        var machine = Self.begun()
        let events = MemoryEvents(high: 100, max: 50, oom: 5, oomKills: 6)
        #expect(machine.claimKill(now: Self.start) == false)
        #expect(machine.read(Self.reading(events), now: Self.start) == [])
        #expect(machine.claimKill(now: Self.start + .seconds(9)) == true)
        #expect(machine.claimKill(now: Self.start + .seconds(10)) == false, "too late: the other one was a stranger")
        #expect(machine.read(Self.reading(events), now: Self.start + .seconds(10)) == [.strangersKilled(1)])
        #expect(machine.read(Self.reading(events), now: Self.start + .seconds(11)) == [])
        #expect(machine.events.oomKills == 2)
    }

    @Test func countersThatBeginAnewAndAbsurdOnes() {
        var machine = Self.begun()
        _ = machine.read(Self.reading(usage: 990, MemoryEvents(high: 3)), now: Self.start)
        #expect(machine.events == MemoryEvents(high: 3))
        _ = machine.read(Self.reading(MemoryEvents(high: .max, max: .max, oom: .max, oomKills: .max)), now: Self.start)
        _ = machine.read(Self.reading(MemoryEvents(high: .max, max: .max, oom: .max, oomKills: .max)), now: Self.start)
        #expect(machine.claimKill(now: Self.start) == true)
    }

    // MARK: In the fleet

    private static func event(_ message: String, of fleet: FleetHarness) throws -> FleetEvent {
        let events = fleet.actions.compactMap { if case .event(let event) = $0 { event } else { nil } }
        return try #require(events.first { $0.message == message }, "\(fleet.eventMessages)")
    }

    private static let killed = "The kernel killed a process of the service for memory"

    @Test func aKilledWorkerIsConnectedWithTheKill() throws {
        var fleet = FleetHarness.running()
        let gibibyte = 1 << 30
        fleet.act { $0.memoryRead(Self.reading(high: nil, max: gibibyte), own: nil, now: $1) }
        let worker = try fleet.current(.worker(2))
        fleet.act { $0.childBeat(worker, memory: 600 << 20, now: $1) }
        fleet.act {
            $0.memoryRead(
                Self.reading(usage: 400 << 20, high: nil, max: gibibyte, MemoryEvents(max: 9, oom: 1, oomKills: 1)),
                own: 1 << 20, now: $1)
        }
        fleet.exit(worker, .signalled(9, coreDumped: false))
        let event = try Self.event(Self.killed, of: fleet)
        #expect(event.severity == .error)
        #expect(event.slot == .worker(2))
        #expect(event.fields["process.memory.bytes"] == "629145600")
        #expect(event.fields["memory.usage"] == "400 MiB of 1.0 GiB")
        let row = fleet.snapshot.processes[2]
        #expect(row.lastExit == "was killed by the kernel for memory")
        #expect(row.memoryKills == 1)
        #expect(fleet.snapshot.problems[0].contains("was killed by the kernel for memory"))
        #expect(fleet.snapshot.memory?.events.oomKills == 1)
        // The next SIGKILL is somebody else's.
        fleet.pass(.seconds(1))
        fleet.readyAll()
        fleet.exit(try fleet.current(.worker(2)), .signalled(9, coreDumped: false))
        #expect(fleet.snapshot.processes[2].lastExit == "was killed by SIGKILL")
        #expect(fleet.snapshot.processes[2].memoryKills == 1)
    }

    @Test func aKillFromHereIsNotTheKernels() throws {
        var fleet = FleetHarness.running(workers: 1)
        fleet.act { $0.memoryRead(Self.reading(), own: nil, now: $1) }
        // Silent, hence killed from here; the kernel killed a stranger at the same time.
        let worker = try fleet.current(.worker(1))
        fleet.pass(.seconds(60), silent: [worker])
        #expect(fleet.kills == [worker])
        fleet.act { $0.memoryRead(Self.reading(MemoryEvents(oomKills: 1)), own: nil, now: $1) }
        fleet.reap()
        #expect(!fleet.eventMessages.contains(Self.killed))
        fleet.pass(.seconds(10))
        fleet.act { $0.memoryRead(Self.reading(MemoryEvents(oomKills: 1)), own: nil, now: $1) }
        let stranger = try Self.event(
            "The kernel killed processes for memory that run beside the service in its control group", of: fleet)
        #expect(stranger.fields["memory.kills"] == "1")
    }

    @Test func otherEndsAreNoKills() throws {
        var fleet = FleetHarness.running(workers: 2)
        fleet.act { $0.memoryRead(Self.reading(), own: nil, now: $1) }
        fleet.act { $0.memoryRead(Self.reading(MemoryEvents(oomKills: 1)), own: nil, now: $1) }
        fleet.exit(try fleet.current(.worker(1)), .signalled(11, coreDumped: false))
        fleet.exit(try fleet.current(.worker(2)), .exited(9))
        #expect(!fleet.eventMessages.contains(Self.killed))
        fleet.exit(try fleet.current(.hub), .signalled(9, coreDumped: false))
        #expect(try Self.event(Self.killed, of: fleet).slot == .hub)
    }

    /// A worker that drains is no slot's any more, but its end is told all the same.
    @Test func aDrainingWorkerThatTheKernelKills() throws {
        var fleet = FleetHarness.running(workers: 2)
        fleet.act { $0.memoryRead(Self.reading(), own: nil, now: $1) }
        let leaving = try fleet.current(.worker(2))
        fleet.scale(to: 1)
        fleet.act { $0.memoryRead(Self.reading(MemoryEvents(oomKills: 1)), own: nil, now: $1) }
        fleet.exit(leaving, .signalled(9, coreDumped: false))
        #expect(
            try Self.event("Drained process ended", of: fleet).fields["exit.reason"]
                == "was killed by the kernel for memory")
    }

    @Test func theWarningNamesTheLargest() throws {
        var fleet = FleetHarness.running(workers: 3)
        fleet.act { $0.childBeat(InstanceID(rawValue: 1), memory: 600 << 20, now: $1) }
        fleet.act { $0.childBeat(InstanceID(rawValue: 3), memory: 400 << 20, now: $1) }
        fleet.act { $0.childBeat(InstanceID(rawValue: 4), memory: 9 << 20, now: $1) }
        fleet.act { $0.memoryRead(Self.reading(), own: nil, now: $1) }
        fleet.act {
            $0.memoryRead(
                Self.reading(usage: 1229 << 20, high: 1 << 30, max: 2 << 30, MemoryEvents(high: 12)), own: 10 << 20,
                now: $1)
        }
        let event = try Self.event("Memory is above MemoryHigh: the kernel slows the service down", of: fleet)
        #expect(event.severity == .warning)
        #expect(event.fields["memory.largest"] == "hub 600 MiB, worker 2 400 MiB, supervisor 10.0 MiB")
        #expect(event.fields["memory.usage"] == "1.2 GiB of 1.0 GiB")
        #expect(event.fields["memory.events"] == "12")
        #expect(fleet.snapshot.memory?.strainedAgo == .zero)
        #expect(fleet.snapshot.health == .ok)
    }

    @Test(arguments: [
        (0, "0 B"), (980, "980 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (102_348, "99.9 KiB"), (1_047_552, "1023 KiB"),
        (1_048_100, "1.0 MiB"), (1 << 30, "1.0 GiB"), (-5, "0 B"), (.max, "8388608 TiB"),
    ])
    func sizesInSentences(_ bytes: Int, _ text: String) {
        #expect(bytes.spokenBytes == text)
    }
}
