internal import Model

// How processes end, and what follows.

extension ProgramPlace {
    /// The main process has ended: what it left behind is swept.
    mutating func exited(
        _ instance: InstanceID, _ exit: ProcessExit, now: MonotonicTime, random: inout SplitMix64
    ) -> [ProgramAction] {
        guard let process = process(instance) else { return [] }
        if case .swept = process.end { return [] }
        return [.sweepTree(instance)]
            + ended(instance, exit, reason: process.reason(for: exit), now: now, random: &random)
    }

    /// It never ran, and nothing of it lives.
    mutating func spawnFailed(
        _ instance: InstanceID, reason: String, now: MonotonicTime, random: inout SplitMix64
    ) -> [ProgramAction] {
        guard let process = process(instance) else { return [] }
        if case .swept = process.end { return treeGone(instance, now: now) }
        let reason = "could not be started: \(LastWords.shortened(reason))"
        return ended(instance, nil, reason: reason, now: now, random: &random) + treeGone(instance, now: now)
    }

    mutating func treeGone(_ instance: InstanceID, now: MonotonicTime) -> [ProgramAction] {
        if let process = departing, process.instance == instance, case .swept = process.end {
            departing = nil
            return []
        }
        if case .ending(let process, let then) = state, process.instance == instance, case .swept = process.end {
            free(then, now: now)
        }
        return []
    }

    /// - Parameter exit: `nil`: it never ran.
    private mutating func ended(
        _ instance: InstanceID, _ exit: ProcessExit?, reason: String, now: MonotonicTime, random: inout SplitMix64
    ) -> [ProgramAction] {
        let swept = ProgramProcess.End.swept(patience: now + ProgramLimits.killPatience)
        if var process = departing, process.instance == instance {
            process.end = swept
            departing = process
            return [.event(.ended(id, process, reason: reason, figures(process, exit, isExpected: true, now: now)))]
        }
        switch state {
        case .starting(var process), .ready(var process):
            guard process.instance == instance else { return [] }
            let readyFor = process.readyFor(now: now)
            process.end = swept
            lastExit = reason
            let figures = figures(process, exit, isExpected: false, now: now)
            let (then, events) = verdict(exit, readyFor: readyFor, reason: reason, process, now: now, &random)
            state = .ending(process, then)
            if case .finished = then { return [.event(.finished(id, process, reason: reason, figures))] }
            return [.event(.ended(id, process, reason: reason, figures))] + events
        case .replacing(var old, var successor):
            if old.instance == instance {
                old.end = swept
                departing = old
                state = .starting(successor)
                lastExit = reason
                return [.event(.ended(id, old, reason: reason, figures(old, exit, isExpected: false, now: now)))]
            }
            guard successor.instance == instance else { return [] }
            successor.end = swept
            departing = successor
            state = .ready(old)
            failure = reason
            let figures = figures(successor, exit, isExpected: false, now: now)
            return [.event(.ended(id, successor, reason: reason, figures))]
        case .ending(var process, let then):
            guard process.instance == instance else { return [] }
            process.end = swept
            let event = ProgramAction.event(
                .ended(id, process, reason: reason, figures(process, exit, isExpected: true, now: now)))
            switch then {
            case .judge(let readyFor, let why):
                let (then, events) = judge(readyFor: readyFor, reason: why, process, now: now, &random)
                lastExit = why
                state = .ending(process, then)
                return [event] + events
            case .empty, .backoff, .failed, .finished:
                lastExit = reason
                state = .ending(process, then)
                return [event]
            }
        case .empty, .backoff, .failed, .finished:
            return []
        }
    }

    private func figures(
        _ process: ProgramProcess, _ exit: ProcessExit?, isExpected: Bool, now: MonotonicTime
    ) -> ProcessEndFigures {
        ProcessEndFigures(
            exit: exit, isExpected: isExpected, uptime: now - process.spawnedAt, restarts: restarts,
            memory: process.memory)
    }

    private mutating func free(_ then: Then, now: MonotonicTime) {
        switch then {
        case .empty, .judge: state = .empty
        case .backoff(let until, let reason): state = now < until ? .backoff(until: until, reason: reason) : .empty
        case .failed(let why, let reason): state = .failed(why: why, reason: reason)
        case .finished(let reason): state = .finished(reason: reason)
        }
    }

    // MARK: Verdicts

    /// What an end that nobody asked for means.
    private mutating func verdict(
        _ exit: ProcessExit?, readyFor: Duration?, reason: String, _ process: ProgramProcess, now: MonotonicTime,
        _ random: inout SplitMix64
    ) -> (Then, [ProgramAction]) {
        let configuration = process.configuration
        if case .exited(let code)? = exit {
            let isWell =
                configuration.stopExitCodes.contains(Int(code)) || (code == 0 && configuration.restart != .always)
            if isWell { return (.finished(reason: reason), []) }
        }
        switch configuration.restart {
        case .always, .onFailure:
            return judge(readyFor: readyFor, reason: reason, process, now: now, &random)
        case .never:
            failure = reason
            let why = "as `restart: never` says"
            return (.failed(why: why, reason: reason), [.event(.gaveUp(id, why: "restart: never", reason: reason))])
        }
    }

    private mutating func judge(
        readyFor: Duration?, reason: String, _ process: ProgramProcess, now: MonotonicTime, _ random: inout SplitMix64
    ) -> (Then, [ProgramAction]) {
        let policy = RestartPolicy(configuration: process.configuration.backoff, neverGivesUp: false)
        let decision = policy.decide(
            readyFor: readyFor, misconfigured: false, unstableEnds: &unstableEnds, random: &random)
        switch decision {
        case .atOnce:
            restartIsDue = true
            let earliest = process.spawnedAt + ProgramLimits.startInterval
            guard now < earliest else { return (.empty, []) }
            failure = reason
            return (.backoff(until: earliest, reason: reason), [])
        case .after(let delay):
            restartIsDue = true
            failure = reason
            return (.backoff(until: now + delay, reason: reason), [.event(.delayed(id, delay))])
        case .giveUp(let why):
            restartIsDue = false
            failure = reason
            return (
                .failed(why: "after \(why)", reason: reason),
                [.event(.gaveUp(id, why: why.description, reason: reason))]
            )
        }
    }

    mutating func missedReadyDeadline(_ process: ProgramProcess, now: MonotonicTime) -> [ProgramAction] {
        let missing =
            switch process.configuration.ready {
            case .notify: "it did not say READY=1"
            case .log(let text): "no line of its output contains “\(LastWords.shortened(text))”"
            case .probe, .after: process.lastProbeFailure
            }
        let wait = "was not ready within \(process.configuration.readyTimeout.spoken)"
        let reason = missing.map { "\(wait): \($0)" } ?? wait
        var killed = process
        let actions = kill(&killed, reason, .warning, now: now)
        switch state {
        case .starting:
            switch process.configuration.restart {
            case .always, .onFailure:
                state = .ending(killed, .judge(readyFor: nil, reason: reason))
                return actions
            case .never:
                failure = reason
                state = .ending(killed, .failed(why: "as `restart: never` says", reason: reason))
                return actions + [.event(.gaveUp(id, why: "restart: never", reason: reason))]
            }
        case .replacing(let old, let successor):
            guard successor.instance == process.instance else { return [] }
            departing = killed
            state = .ready(old)
            failure = reason
            return actions
        case .empty, .ready, .ending, .backoff, .failed, .finished:
            return []
        }
    }

    /// A process that lives, but is to be replaced: asked to end, then the restart policy decides, whatever `restart` says.
    mutating func replaceUnwell(_ instance: InstanceID, reason: String, now: MonotonicTime) -> [ProgramAction] {
        switch state {
        case .starting(var process), .ready(var process):
            guard process.instance == instance else { return [] }
            let readyFor = process.readyFor(now: now)
            let actions = ask(&process, now: now)
            state = .ending(process, .judge(readyFor: readyFor, reason: reason))
            return actions
        case .replacing(var old, let successor):
            guard old.instance == instance else { return [] }
            let actions = ask(&old, now: now)
            departing = old
            state = .starting(successor)
            lastExit = reason
            return actions
        case .empty, .ending, .backoff, .failed, .finished:
            return []
        }
    }

    // MARK: Patience

    /// Kills what did not end in time. What does not go away even then no longer blocks the place.
    mutating func enforceEnds(now: MonotonicTime, random: inout SplitMix64) -> [ProgramAction] {
        var actions: [ProgramAction] = []
        if var process = departing {
            actions += enforceEnd(of: &process, now: now)
            departing = isGivenUp(process, now: now) ? nil : process
        }
        guard case .ending(var process, var then) = state else { return actions }
        actions += enforceEnd(of: &process, now: now)
        guard isGivenUp(process, now: now) else {
            state = .ending(process, then)
            return actions
        }
        if case .judge(let readyFor, let reason) = then {
            let (verdict, events) = judge(readyFor: readyFor, reason: reason, process, now: now, &random)
            then = verdict
            actions += events
        }
        free(then, now: now)
        return actions
    }

    private func enforceEnd(of process: inout ProgramProcess, now: MonotonicTime) -> [ProgramAction] {
        switch process.end {
        case .asked(let killAt):
            guard now >= killAt else { return [] }
            let limit = process.configuration.stopTimeout.spoken
            return kill(&process, "did not end within \(limit)", .warning, now: now)
        case .killed(let patience):
            return now >= patience ? [.event(.outlivesKill(id, process))] : []
        case .swept(let patience):
            return now >= patience ? [.event(.leftBehind(id, process))] : []
        case nil:
            return []
        }
    }

    private func isGivenUp(_ process: ProgramProcess, now: MonotonicTime) -> Bool {
        switch process.end {
        case .killed(let patience), .swept(let patience): now >= patience
        case .asked, nil: false
        }
    }
}
