internal import Model

// What a place is told about its processes.

extension ProgramPlace {
    mutating func spawned(_ instance: InstanceID, pid: Int32, now: MonotonicTime) -> [ProgramAction] {
        var actions: [ProgramAction] = []
        var isDue = false
        let id = id
        change(instance) { process in
            guard process.pid == nil else { return }
            actions.append(.event(.spawned(id, instance, pid: pid)))
            if process.end == nil {
                process.spawned(pid: pid, now: now)
                isDue = process.readyDue.map { now >= $0 } ?? false
            } else {
                process.pid = pid
            }
        }
        if isDue { actions += becameReady(instance, now: now) }
        return actions + askDueProbes(now: now)
    }

    /// It has said so itself, where that counts.
    mutating func saidReady(_ instance: InstanceID, now: MonotonicTime) -> [ProgramAction] {
        guard let process = processes.first(where: { $0.instance == instance }) else { return [] }
        switch process.configuration.ready {
        case .notify, .log: return becameReady(instance, now: now)
        case .after, .probe: return []
        }
    }

    mutating func probed(
        _ instance: InstanceID, failure: String?, now: MonotonicTime, random: inout SplitMix64
    ) -> [ProgramAction] {
        guard let process = processes.first(where: { $0.instance == instance }), process.end == nil,
            case .asked(let at, _, let counts) = process.probing
        else { return [] }
        guard let failure else {
            if process.readyAt == nil {
                change(instance) { $0.probing = .none }
                return becameReady(instance, now: now)
            }
            change(instance) { process in
                process.probeFailures = 0
                process.probing = .due(max(now, at + process.configuration.aliveInterval))
            }
            return []
        }
        var isUnwell = false
        change(instance) { process in
            if process.readyAt == nil {
                process.lastProbeFailure = LastWords.shortened(failure)
                process.probing = .due(now + ProgramLimits.readyProbeInterval)
                return
            }
            process.probing = .due(max(now, at + process.configuration.aliveInterval))
            guard counts else { return }
            process.probeFailures += 1
            process.lastProbeFailure = LastWords.shortened(failure)
            isUnwell = process.probeFailures >= process.configuration.aliveFailures
        }
        guard isUnwell, let process = processes.first(where: { $0.instance == instance }) else { return [] }
        let times = process.probeFailures == 1 ? "once" : "\(process.probeFailures) times in a row"
        let event = ProgramAction.event(.doesNotAnswer(id, process))
        return [event]
            + replaceUnwell(instance, reason: "did not answer \(times): \(process.lastProbeFailure ?? "")", now: now)
    }

    enum MemoryVerdict: Equatable {
        case fine
        /// A successor should take over first, where it can.
        case exceeded(isStable: Bool)
    }

    mutating func measured(_ instance: InstanceID, memory: Int, now: MonotonicTime) -> MemoryVerdict {
        var verdict = MemoryVerdict.fine
        change(instance) { process in
            process.memory = memory
            let limit = process.configuration.maxMemory
            process.memoryExcesses = limit > 0 && memory > limit ? process.memoryExcesses + 1 : 0
            guard process.end == nil, process.memoryExcesses >= ProgramLimits.memoryReadings else { return }
            let readyFor = process.readyFor(now: now)
            verdict = .exceeded(isStable: readyFor.map { $0 >= process.configuration.backoff.stableAfter } ?? false)
        }
        switch state {
        // Its successor is on its way.
        case .replacing: return .fine
        case .empty, .starting, .ready, .ending, .backoff, .failed, .finished: return verdict
        }
    }

    mutating func saidStatus(_ instance: InstanceID, _ text: String) {
        change(instance) { $0.statusText = text.isEmpty ? nil : LastWords.shortened(text) }
    }

    mutating func lastLine(_ instance: InstanceID, _ line: String) {
        change(instance) { $0.words.say(line) }
    }

    mutating func adopt(_ configuration: ProgramConfiguration, now: MonotonicTime) {
        for process in processes { change(process.instance) { $0.adopt(configuration, now: now) } }
    }

    mutating func excuse(_ lateness: Duration) {
        for process in processes { change(process.instance) { $0.excuse(lateness) } }
        departing?.excuse(lateness)
    }

    // MARK: Time

    mutating func timePassed(now: MonotonicTime, random: inout SplitMix64) -> [ProgramAction] {
        var actions: [ProgramAction] = []
        for process in processes where process.end == nil {
            if let due = process.readyDue, now >= due {
                actions += becameReady(process.instance, now: now)
            } else if let deadline = process.readyDeadline, now >= deadline {
                actions += missedReadyDeadline(process, now: now)
            } else if case .asked(_, let overdue, _) = process.probing, now >= overdue {
                actions += probed(process.instance, failure: "there was no answer", now: now, random: &random)
            }
        }
        actions += askDueProbes(now: now)
        if case .backoff(let until, _) = state, now >= until { state = .empty }
        return actions + enforceEnds(now: now, random: &random)
    }

    private mutating func askDueProbes(now: MonotonicTime) -> [ProgramAction] {
        var actions: [ProgramAction] = []
        for process in processes where process.end == nil {
            guard case .due(let time) = process.probing, now >= time, let probe = process.probe else { continue }
            let timeout = process.probeTimeout
            actions.append(.probe(process.instance, probe, timeout: timeout))
            change(process.instance) {
                $0.probing = .asked(at: now, overdue: now + timeout + ProgramLimits.probeGrace, counts: true)
            }
        }
        return actions
    }

    // MARK: Helpers

    /// Changes a process in place, the departing one, too.
    mutating func change(_ instance: InstanceID, _ body: (inout ProgramProcess) -> Void) {
        if var process = departing, process.instance == instance {
            body(&process)
            departing = process
        }
        switch state {
        case .starting(var process):
            guard process.instance == instance else { return }
            body(&process)
            state = .starting(process)
        case .ready(var process):
            guard process.instance == instance else { return }
            body(&process)
            state = .ready(process)
        case .ending(var process, let then):
            guard process.instance == instance else { return }
            body(&process)
            state = .ending(process, then)
        case .replacing(var old, var successor):
            if old.instance == instance { body(&old) }
            if successor.instance == instance { body(&successor) }
            state = .replacing(old: old, successor: successor)
        case .empty, .backoff, .failed, .finished:
            break
        }
    }

    private mutating func becameReady(_ instance: InstanceID, now: MonotonicTime) -> [ProgramAction] {
        switch state {
        case .starting(var process):
            guard process.instance == instance else { return [] }
            process.becameReady(now: now)
            state = .ready(process)
            noteRenewal()
            return [.event(.ready(id, process, now: now))]
        case .replacing(var old, var successor):
            guard successor.instance == instance else { return [] }
            successor.becameReady(now: now)
            let actions = ask(&old, now: now)
            departing = old
            state = .ready(successor)
            noteRenewal()
            return [.event(.ready(id, successor, now: now))] + actions
        case .ready, .ending, .empty, .backoff, .failed, .finished:
            // It says so twice, or was asked to end a moment ago.
            return []
        }
    }

    private mutating func noteRenewal() {
        isRenewed = isRenewed || hasBeenReady
        hasBeenReady = true
    }
}
