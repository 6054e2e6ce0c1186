import Model
import Supervision

// What processes do, and what the driver makes of actions.

extension ProgramsWorld {
    mutating func perform(_ batch: [ProgramAction]) throws {
        var waiting = batch
        while !waiting.isEmpty {
            let action = waiting.removeFirst()
            try check(action)
            switch action {
            case .spawn(let instance, let place, let configuration):
                count("spawns")
                lastInstance = instance.rawValue
                spawnsOfPlace[place, default: 0] += 1
                if isChaotic, chance(4) {
                    waiting += machine.spawnFailed(instance, reason: "no memory", now: time)
                } else {
                    spawn(instance, place, configuration)
                }
            case .signal(let instance, let signal):
                signalled(instance, signal)
            case .killTree(let instance):
                count("kills")
                change(instance) { $0.isAsked = true }
                beginPatience(instance)
                // Uninterruptible sleep may outlast any patience.
                let after = chance(3) ? between(5, 20) * Self.second : between(1, 20) * Self.second / 1000
                schedule(instance, .end(.signalled(9, coreDumped: false)), after: after)
            case .sweepTree(let instance):
                let leavesMuch = processes[instance]?.leavesMuch ?? false
                if leavesMuch { count("slow trees") }
                schedule(
                    instance, .treeGone, after: leavesMuch ? between(1, 14) * Self.second : between(0, 20) * 1_000_000)
            case .probe(let instance, _, let timeout):
                guard let process = processes[instance] else { break }
                let isGood = !process.isHung && !(isChaotic && chance(15))
                let after = process.isHung ? timeout.nanoseconds : between(1, timeout.nanoseconds)
                schedule(instance, .answer(isGood: isGood, askedAt: now), after: after)
            case .operationFinished(let id, let result):
                if case .succeeded = result { count("successes") } else { count("failures") }
                openOperations[id] = nil
            case .settled:
                hasSettled = true
            case .allStopped:
                isStopped = true
            case .event(let event):
                count(event.message)
            case .closeSockets, .watch, .remember, .operationProgress:
                break
            }
        }
    }

    private mutating func spawn(
        _ instance: InstanceID, _ place: ProgramProcessID, _ configuration: ProgramConfiguration
    ) {
        var process = Process(place: place, configuration: configuration)
        process.isHung = isChaotic && chance(8)
        process.ignoresSignals = isChaotic && chance(15)
        process.leavesMuch = isChaotic && chance(8)
        processes[instance] = process
        let executed: Fact = isChaotic && chance(3) ? .notExecuted : .executed
        schedule(instance, executed, after: between(0, 30) * 1_000_000)
        if isChaotic, chance(40) {
            schedule(instance, .crash, after: between(1, chance(50) ? 500 : 15_000) * 1_000_000)
        } else if configuration.restart == .never, chance(50) {
            schedule(instance, .end(.exited(0)), after: between(100, 5000) * 1_000_000)
        }
        if !process.isHung { schedule(instance, .ready, after: between(31, 1500) * 1_000_000) }
        if isChaotic, chance(30) {
            for second in 1...3 {
                schedule(instance, .memory(chance(70) ? 2000 : 10), after: (4 + Int64(second)) * Self.second)
            }
        }
    }

    private mutating func signalled(_ instance: InstanceID, _ signal: Int32) {
        guard let process = processes[instance], signal == process.configuration.stopSignal else { return }
        processes[instance]?.isAsked = true
        guard !process.ignoresSignals, !process.isHung else { return }
        let exit: ProcessExit = chance(70) ? .exited(0) : .signalled(signal, coreDumped: false)
        schedule(instance, .end(exit), after: between(0, 1500) * 1_000_000)
    }

    mutating func happen(_ instance: InstanceID, _ fact: Fact) throws {
        guard let process = processes[instance] else { return }
        switch fact {
        case .executed:
            guard !process.hasExited else { return }
            processes[instance]?.isExecuted = true
            try perform(machine.spawned(instance, pid: Int32(truncatingIfNeeded: instance.rawValue), now: time))
        case .notExecuted:
            guard !process.hasExited else { return }
            processes[instance] = nil
            try perform(machine.spawnFailed(instance, reason: "there is no such program", now: time))
        case .ready:
            guard !process.hasExited else { return }
            try perform(machine.saidReady(instance, now: time))
        case .crash:
            // Nothing crashes any more once it is calm.
            guard !process.hasExited, isChaotic, process.isExecuted else { return }
            count("crashes")
            try exit(instance, chance(80) ? .exited(Int32(between(0, 2))) : .signalled(11, coreDumped: true))
        case .end(let exit):
            guard !process.hasExited else { return }
            try self.exit(instance, exit)
        case .treeGone:
            processes[instance] = nil
            try perform(machine.treeGone(instance, now: time))
        case .answer(let isGood, let askedAt):
            guard !process.hasExited, askedAt >= lastTakeover else { return }
            try perform(machine.probed(instance, failure: isGood ? nil : "connection refused", now: time))
        case .memory(let bytes):
            guard !process.hasExited else { return }
            try perform(machine.measured(instance, memory: bytes, now: time))
        }
    }

    private mutating func exit(_ instance: InstanceID, _ exit: ProcessExit) throws {
        change(instance) { $0.hasExited = true }
        beginPatience(instance)
        try perform(machine.exited(instance, exit, now: time))
    }

    private mutating func beginPatience(_ instance: InstanceID) {
        let since = awake
        // It goes on where it has begun.
        guard !isTakingOver, let process = processes[instance], !isGivenUp(process) else { return }
        change(instance) { $0.patienceSince = since }
    }

    private mutating func change(_ instance: InstanceID, _ body: (inout Process) -> Void) {
        guard var process = processes[instance] else { return }
        body(&process)
        processes[instance] = process
    }

    private mutating func schedule(_ instance: InstanceID, _ fact: Fact, after delay: Int64) {
        queue.schedule(.fact(instance, fact), at: now + max(delay, 0))
    }
}
