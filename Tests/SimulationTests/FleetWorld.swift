import Model
import Supervision

/// A machine full of fake processes on a virtual clock, with the real ``FleetStateMachine`` as their supervisor.
///
/// Everything follows from the seed: how long processes take to start, which of them crash, hang or ignore their
/// drain, which spawns fail, when the supervisor oversleeps and what the operator asks for. Every action is checked
/// when it is performed (`FleetWorld+Checks.swift`); the first one that makes no sense is thrown.
struct FleetWorld {
    enum Event {
        case tick
        case fact(InstanceID, Fact)
        case supervisorSleeps
        case operatorAsks
        case stop
        case hurry
    }

    /// Something that a process does.
    enum Fact {
        case hello, ready, beat, listenerReleased, draining, complaint
        case exit(ProcessExit)
    }

    struct Process {
        var instance: InstanceID
        var slot: SlotID
        var revision: Int
        var spawnedAwake: Int64
        /// It has said READY and the supervisor has read it.
        var isReady = false
        /// Its loop is stuck: it says nothing and hears nothing.
        var isHung = false
        var ignoresDrain = false
        var isKilled = false
        /// The process is gone; the supervisor may not know yet.
        var isDead = false
        /// Awake time of the first drain, and the shortest deadline it was given.
        var drainedAwake: Int64?
        var drainDeadline = Int64.max

        var serves: Bool { isReady && drainedAwake == nil && !isKilled }
    }

    struct Violation: Error, CustomStringConvertible {
        var description: String
    }

    static let second: Int64 = 1_000_000_000
    /// Faults and requests happen in this time…
    static let chaos = 50 * second
    /// …then none do, and after this time everything that can be ready is.
    static let calm = 45 * second

    var machine: FleetStateMachine
    let policy: FleetPolicy
    var random: SplitMix64
    var queue = EventQueue<Event>()
    var now: Int64 = 1000 * second
    let begin: Int64
    /// Time that the supervisor has slept through, so far.
    var slept: Int64 = 0
    var awakeAt: Int64 = 0
    var sleptSince: Int64 = 0
    /// The whole machine sleeps, the processes too.
    var isPaused = false
    /// What happened while the supervisor slept, to be read when it wakes.
    var inbox: [(InstanceID, Fact)] = []
    /// Living in the eyes of the supervisor.
    var processes: [InstanceID: Process] = [:]
    /// When a process' loop gets stuck.
    var hangs: [InstanceID: Int64] = [:]
    var lastInstance = 0
    var lastRevision = 1
    var badRevisions: Set<Int> = []
    var harmlessForHub: Set<Int> = []
    var openOperationID: OperationID?
    var isStopping = false
    var hurries = 0
    var exitCode: Int32?
    var readyNotified = false
    var statistics: [String: Int] = [:]

    var awake: Int64 { now - slept }
    var time: MonotonicTime { MonotonicTime(nanoseconds: now) }
    var isChaotic: Bool { now < begin + Self.chaos }

    init(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var configuration = WsdConfiguration()
        configuration.workers.count = Int.random(in: 0...4, using: &random)
        configuration.workers.readyTimeout = .seconds(3)
        configuration.workers.heartbeatTimeout = .seconds(2)
        configuration.workers.maxMemory = Bool.random(using: &random) ? 1000 : 0
        configuration.restart.maxDelay = .seconds(2)
        configuration.restart.stableAfter = .seconds(6)
        configuration.restart.maxUnstable = Int.random(in: 2...8, using: &random)
        configuration.reload.drainSpread = .seconds(1)
        configuration.reload.drainTimeout = .seconds(3)
        configuration.shutdown.timeout = .seconds(5)
        configuration.shutdown.lameDuck = Bool.random(using: &random) ? .seconds(2) : .zero
        var policy = FleetPolicy(configuration, cores: 1)
        // A fleet of no workers, too, is one that has a hub: without it there would be nothing to simulate.
        policy.servesClients = true
        self.policy = policy
        machine = FleetStateMachine(policy: policy, seed: random.next())
        self.random = random
        begin = now
    }

    // MARK: Running

    /// - Throws: ``Violation``.
    mutating func run() throws {
        queue.schedule(.tick, at: now)
        queue.schedule(.operatorAsks, at: now + between(1, 8) * Self.second)
        queue.schedule(.supervisorSleeps, at: now + between(1, 30) * Self.second)
        // One in four is stopped in the middle of things.
        let stopAt = chance(25) ? between(1, 50) * Self.second : Self.chaos + Self.calm
        queue.schedule(.stop, at: begin + stopAt)
        try perform(machine.start(now: time))
        // A world that does not end by itself is a fault: no process, drain or backoff lasts this long.
        let limit = begin + stopAt + 300 * Self.second
        while exitCode == nil {
            guard let (at, event) = queue.next(), at < limit else {
                throw Violation(description: "the fleet does not end")
            }
            now = max(now, at)
            try handle(event)
            try checkInvariants()
        }
        try checkEnd()
    }

    private mutating func handle(_ event: Event) throws {
        if awakeAt > 0, now >= awakeAt {
            slept += now - sleptSince
            awakeAt = 0
        }
        switch event {
        case .tick:
            if now < awakeAt { return queue.schedule(.tick, at: awakeAt) }
            try wakeUp()
        case .fact(let instance, let fact):
            try happen(instance, fact)
        case .supervisorSleeps:
            guard isChaotic else { return }
            let duration = between(2, 20) * Self.second
            awakeAt = now + duration
            sleptSince = now
            isPaused = chance(50)
            count("sleeps")
            queue.schedule(.supervisorSleeps, at: awakeAt + between(1, 30) * Self.second)
        case .operatorAsks:
            guard isChaotic else { return }
            if now < awakeAt { return queue.schedule(.operatorAsks, at: awakeAt) }
            try ask()
            queue.schedule(.operatorAsks, at: now + between(200, 9000) * Self.second / 1000)
        case .stop:
            if now < awakeAt { return queue.schedule(.stop, at: awakeAt) }
            if now >= begin + Self.chaos + Self.calm { try checkCalm() }
            try stop()
        case .hurry:
            if now < awakeAt { return queue.schedule(.hurry, at: awakeAt) }
            hurries += 1
            try perform(machine.hurryRequested(now: time))
        }
    }

    /// The regular turn of the supervisor's loop: everything that can be read is, then time passes.
    private mutating func wakeUp() throws {
        let facts = inbox
        inbox = []
        for (instance, fact) in facts where exitCode == nil { try tell(instance, fact) }
        guard exitCode == nil else { return }
        try perform(machine.timePassed(now: time))
        guard exitCode == nil else { return }
        var next = now + Self.second / 2
        if let deadline = machine.nextDeadline {
            guard deadline > time else {
                throw Violation(description: "a deadline is due after timePassed: \(deadline)")
            }
            next = min(next, deadline.nanoseconds)
        }
        queue.schedule(.tick, at: next)
    }

    private mutating func stop() throws {
        if exitCode != nil || machine.isStopping { return }
        isStopping = true
        try accept(machine.stopRequested(reason: "simulated", now: time))
        if chance(30) { queue.schedule(.hurry, at: now + between(0, 3000) * Self.second / 1000) }
        if chance(15) { queue.schedule(.hurry, at: now + between(0, 5000) * Self.second / 1000) }
    }

    private mutating func ask() throws {
        let kind = between(0, 9)
        count("requests")
        switch kind {
        case 0...3:
            lastRevision += 1
            if chance(30) { badRevisions.insert(lastRevision) }
            var changed = policy
            changed.workers = chance(30) ? Int(between(0, 4)) : machine.workersWanted
            // What the hub does not go by cannot be bad for it.
            let restartHub = chance(30)
            if !restartHub { harmlessForHub.insert(lastRevision) }
            try accept(
                machine.reloadRequested(policy: changed, revision: lastRevision, restartHub: restartHub, now: time)
            )
        case 4:
            try accept(machine.restartRequested(slot: nil, immediately: false, now: time))
        case 5:
            try accept(machine.restartRequested(slot: nil, immediately: true, now: time))
        case 6, 7:
            let slot = chance(20) ? SlotID.hub : .worker(Int(between(0, 5)))
            let immediately = chance(30)
            try accept(machine.restartRequested(slot: slot, immediately: immediately, now: time))
        default:
            try accept(machine.scaleRequested(workers: Int(between(-1, 5)), now: time))
        }
    }

    // MARK: Chance

    mutating func between(_ low: Int64, _ high: Int64) -> Int64 { Int64.random(in: low...high, using: &random) }

    mutating func chance(_ percent: Int64) -> Bool { between(1, 100) <= percent }

    mutating func count(_ what: String) { statistics[what, default: 0] += 1 }
}
