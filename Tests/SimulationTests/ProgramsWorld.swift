import Foundation
import Model
import Supervision

/// A machine full of fake programs on a virtual clock, with the real ``ProgramsStateMachine`` as their supervisor.
///
/// Everything follows from the seed: what there is, how long processes take to start, which of them crash, hang, ignore their
/// signals or leave something behind, when the supervisor oversleeps and what the operator asks for. Every action is checked
/// when it is performed (`ProgramsWorld+Checks.swift`); the first one that makes no sense is thrown.
struct ProgramsWorld {
    enum Event {
        case tick
        case fact(InstanceID, Fact)
        case supervisorSleeps
        case operatorAsks
        case stopAll
        case hurry
    }

    /// Something that happens to a process.
    enum Fact {
        case executed, notExecuted, ready, crash
        /// Its main process ends.
        case end(ProcessExit)
        case treeGone
        case answer(isGood: Bool, askedAt: Int64)
        case memory(Int)
    }

    struct Process {
        var place: ProgramProcessID
        var configuration: ProgramConfiguration
        var isHung = false
        var ignoresSignals = false
        /// What it leaves behind stays for a while.
        var leavesMuch = false
        var isExecuted = false
        /// The machine has asked it to end.
        var isAsked = false
        /// Awake time of SIGKILL, or of its end: from then on the machine's patience runs.
        var patienceSince: Int64?
        var hasExited = false
    }

    struct Violation: Error, CustomStringConvertible {
        var description: String
    }

    static let second: Int64 = 1_000_000_000
    /// Faults and requests happen in this time…
    static let chaos = 40 * second
    /// …then none do, and after this time everything that can be ready is.
    static let calm = 60 * second

    var machine: ProgramsStateMachine
    var random: SplitMix64
    var queue = EventQueue<Event>()
    var now: Int64 = 1000 * second
    let begin: Int64
    /// Time that the supervisor has slept through, so far.
    var slept: Int64 = 0
    var awakeAt: Int64 = 0
    var sleptSince: Int64 = 0
    /// Of which something lives in the eyes of the driver.
    var processes: [InstanceID: Process] = [:]
    var spawnsOfPlace: [ProgramProcessID: Int] = [:]
    var lastInstance = 0
    var configurations: [ProgramConfiguration] = []
    var openOperations: [ProgramOperationID: ProgramOperation] = [:]
    /// Nobody asks for anything.
    let isUndisturbed: Bool
    var isStopping = false
    var hasHurried = false
    var isStopped = false
    var hasSettled = false
    var lastTakeover: Int64 = 0
    var isTakingOver = false
    var steps = 0
    var statistics: [String: Int] = [:]

    var awake: Int64 { now - slept }
    var time: MonotonicTime { MonotonicTime(nanoseconds: now) }
    var isChaotic: Bool { now < begin + Self.chaos }

    init(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        isUndisturbed = seed.isMultiple(of: 4)
        machine = ProgramsStateMachine(cores: 2, seed: random.next())
        self.random = random
        begin = now
        for number in 1...Int(between(1, 5)) { configurations.append(program("p\(number)", others: number - 1)) }
    }

    /// - Parameter others: it may depend on the programs from p1 to this.
    mutating func program(_ name: String, others: Int) -> ProgramConfiguration {
        var configuration = ProgramConfiguration()
        configuration.name = name
        configuration.command = [name]
        configuration.instances = chance(10) ? nil : Int(between(1, 3))
        configuration.restart = chance(70) ? .always : chance(50) ? .onFailure : .never
        configuration.backoff.maxUnstable = Int(between(2, 8))
        configuration.backoff.maxDelay = .seconds(2)
        configuration.backoff.stableAfter = .seconds(4)
        configuration.stopTimeout = .milliseconds(between(0, 3000))
        configuration.readyTimeout = .seconds(2)
        let probe = ProgramProbe.tcp(host: "127.0.0.1", port: 80)
        configuration.ready = [.after(.zero), .after(.seconds(1)), .probe(probe), .notify][Int(between(0, 3))]
        if chance(40) {
            configuration.alive = probe
            configuration.aliveInterval = .seconds(1)
            configuration.aliveTimeout = .milliseconds(500)
            configuration.aliveFailures = Int(between(1, 3))
        }
        if chance(40) { configuration.maxMemory = 1000 }
        if chance(40) { configuration.listen = [.tcp(host: nil, port: UInt16(between(1, 2)))] }
        for other in 0..<others where chance(30) { configuration.dependsOn.append("p\(other + 1)") }
        if chance(30), !isUndisturbed { configuration.restartsWith = ["p\(between(1, 5))"] }
        return configuration
    }

    // MARK: Running

    /// - Throws: ``Violation``.
    mutating func run() throws {
        queue.schedule(.tick, at: now)
        if !isUndisturbed { queue.schedule(.operatorAsks, at: now + between(1, 5) * Self.second) }
        queue.schedule(.supervisorSleeps, at: now + between(1, 30) * Self.second)
        // One in four is stopped in the middle of things.
        let stopAt = chance(25) ? between(1, 40) * Self.second : Self.chaos + Self.calm
        queue.schedule(.stopAll, at: begin + stopAt)
        try perform(
            machine.start(configurations.map { ProgramDefinition(configuration: $0, origin: .file) }, now: time))
        // A world that does not end by itself is a fault: every program has its stop and the patience after SIGKILL.
        let limit = begin + stopAt + 300 * Self.second
        while !isStopped {
            guard let (at, event) = queue.next(), at < limit else {
                throw Violation(description: "the programs do not end")
            }
            now = max(now, at)
            steps += 1
            try handle(event)
            try checkInvariants()
            if between(1, 100) == 1 {
                try takeOver()
            }
        }
        try checkEnd()
    }

    /// Another program goes on with the machine: answers to questions that were put before are lost, and what the driver may not
    /// have done is asked for again.
    private mutating func takeOver() throws {
        machine = try JSONDecoder().decode(ProgramsStateMachine.self, from: JSONEncoder().encode(machine))
        guard hasSettled, !isStopping else { return }
        count("takeovers")
        lastTakeover = now
        isTakingOver = true
        try perform(machine.takenOver(now: time))
        isTakingOver = false
    }

    private mutating func handle(_ event: Event) throws {
        if awakeAt > 0, now >= awakeAt {
            slept += now - sleptSince
            awakeAt = 0
        }
        if now < awakeAt {
            // What there is to read is read before it is judged by the clock.
            if case .tick = event { return queue.schedule(event, at: awakeAt + 1) }
            return queue.schedule(event, at: awakeAt)
        }
        switch event {
        case .tick:
            try perform(machine.timePassed(now: time))
            guard machine.nextDeadline.map({ $0 > time }) ?? true else {
                throw Violation(description: "a deadline that has passed stays")
            }
            let next = machine.nextDeadline.map { min($0.nanoseconds, now + Self.second / 2) } ?? now + Self.second / 2
            queue.schedule(.tick, at: next)
        case .fact(let instance, let fact):
            try happen(instance, fact)
        case .supervisorSleeps:
            guard isChaotic else { return }
            let duration = between(2, 10) * Self.second
            awakeAt = now + duration
            sleptSince = now
            count("sleeps")
            queue.schedule(.supervisorSleeps, at: awakeAt + between(5, 30) * Self.second)
        case .operatorAsks:
            guard isChaotic else { return }
            try ask()
            queue.schedule(.operatorAsks, at: now + between(50, 5000) * Self.second / 1000)
        case .stopAll:
            if now >= begin + Self.chaos + Self.calm { try checkCalm() }
            isStopping = true
            if chance(20) { queue.schedule(.hurry, at: now + between(0, 5) * Self.second) }
            try perform(machine.stopAllRequested(now: time))
        case .hurry:
            hasHurried = true
            try perform(machine.hurryRequested(now: time))
        }
    }

    // MARK: Operator

    private mutating func ask() throws {
        let name = "p\(between(1, 6))"
        let definition = machine.definitions.first { $0.configuration.name == name }
        let target = ProgramTarget(program: name, number: chance(50) ? nil : Int(between(1, 3)))
        switch between(0, 12) {
        case 0, 1: try request(.start, machine.startRequested(name, now: time))
        case 2: try request(.stop, machine.stopRequested(name, now: time))
        case 3, 4: try request(.restart(number: target.number), machine.restartRequested(target, now: time))
        case 5, 6: try request(.reload, machine.reloadRequested(name, now: time))
        case 7:
            let number = Int(between(0, 4))
            try request(.scale(to: number), machine.scaleRequested(name, to: number, now: time))
        case 8: try request(.delete, machine.deleteRequested(name, now: time))
        case 9:
            let new = definition?.configuration ?? program(name, others: min(configurations.count, 2))
            let definition = ProgramDefinition(configuration: new, origin: .runTime)
            try request(.start, machine.addRequested(definition, now: time))
        case 10:
            let response =
                chance(50) ? machine.signalRequested(target, 1, now: time) : machine.resetRequested(name, now: time)
            try request(.start, response)
        case 11:
            try perform(
                chance(50) ? machine.filesChanged(name, "x", now: time) : machine.cronDue(name, now: time))
        default:
            try reconfigure()
        }
    }

    /// One program goes, comes back or changes.
    private mutating func reconfigure() throws {
        let index = Int(between(0, Int64(configurations.count) - 1))
        if chance(30) {
            let name = configurations[index].name
            let needed = configurations.contains { $0.dependsOn.contains(name) }
            if !needed, configurations.count > 1 { configurations.remove(at: index) }
        } else if chance(50) {
            var new = program(configurations[index].name, others: 0)
            new.dependsOn = configurations[index].dependsOn
            configurations[index] = new
        } else {
            configurations[index].command.append("--more")
        }
        count("reconfigurations")
        try perform(machine.configured(configurations, now: time))
    }

    private mutating func request(_ operation: ProgramOperation, _ response: ProgramResponse) throws {
        switch response {
        case .accepted(let id, let actions):
            count("accepted")
            guard openOperations.updateValue(operation, forKey: id) == nil else {
                throw Violation(description: "\(id) is used twice")
            }
            try perform(actions)
        case .refused:
            count("refused")
        }
    }

    // MARK: Chance

    mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

    mutating func between(_ low: Int64, _ high: Int64) -> Int64 { Int64.random(in: low...high, using: &random) }

    mutating func count(_ what: String) { statistics[what, default: 0] += 1 }
}
