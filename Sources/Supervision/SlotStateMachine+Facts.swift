package import Model

// What a slot is told about its processes, and the time.

extension SlotStateMachine {
    package mutating func spawned(_ instance: InstanceID, pid: Int32) {
        update(instance) { $0.pid = pid }
    }

    /// An end like any other, though there never was a process.
    package mutating func spawnFailed(
        _ instance: InstanceID, reason: String, now: MonotonicTime, rules: SlotRules, random: inout SplitMix64
    ) -> [SlotOutcome] {
        ended(instance, reason: "could not be spawned: \(reason)", misconfigured: false, now, rules, &random)
    }

    /// - Returns: a kill when the child cannot be talked to.
    package mutating func saidHello(_ instance: InstanceID, version: String, link: Int) -> [SlotOutcome] {
        update(instance) { $0.version = version }
        return link == WsdVersion.link ? [] : giveUp(instance, .linkVersion(link))
    }

    package mutating func complained(_ instance: InstanceID, reason: String, exitCode: Int32) {
        update(instance) { $0.complaint = SlotProcess.Complaint(reason: reason, exitCode: exitCode) }
    }

    package mutating func beat(_ instance: InstanceID, memory: Int?, now: MonotonicTime, rules: SlotRules) {
        update(instance) { $0.beat(memory: memory, now: now, heartbeatTimeout: rules.heartbeatTimeout) }
    }

    package mutating func becameReady(_ instance: InstanceID, now: MonotonicTime, rules: SlotRules) -> [SlotOutcome] {
        switch state {
        case .starting(var process):
            guard process.instance == instance else { return [] }
            process.becameReady(now: now, heartbeatTimeout: rules.heartbeatTimeout)
            state = .ready(process)
            revision = process.revision
            return [.becameReady(process)]
        case .replacing(let old, var successor):
            guard successor.instance == instance else { return [] }
            successor.becameReady(now: now, heartbeatTimeout: rules.heartbeatTimeout)
            state = .ready(successor)
            revision = successor.revision
            return [.becameReady(successor), .departs(old, .replaced)]
        case .ready, .ending:
            // A child that says it twice, or one that was killed a moment ago.
            return []
        case .stopped, .backoff, .failed:
            return []
        }
    }

    package mutating func exited(
        _ instance: InstanceID, _ exit: ProcessExit, now: MonotonicTime, rules: SlotRules, random: inout SplitMix64
    ) -> [SlotOutcome] {
        guard let process = process(instance) else { return [] }
        return ended(
            instance, reason: process.reason(for: exit), misconfigured: process.isMisconfigured(exit), now, rules,
            &random
        )
    }

    /// Kills what missed its deadline, starts what is due.
    package mutating func timePassed(now: MonotonicTime, rules: SlotRules) -> [SlotOutcome] {
        switch state {
        case .stopped, .failed:
            return []
        case .starting(let process):
            guard now >= process.deadline else { return [] }
            return giveUp(process.instance, .missedReadyDeadline(rules.readyTimeout))
        case .ready(let process):
            guard now >= process.deadline else { return [] }
            return giveUp(process.instance, .silent(rules.heartbeatTimeout))
        case .replacing(let old, let successor):
            var outcomes: [SlotOutcome] = []
            if now >= successor.deadline {
                outcomes += giveUp(successor.instance, .missedReadyDeadline(rules.readyTimeout))
            }
            if now >= old.deadline {
                outcomes += giveUp(old.instance, .silent(rules.heartbeatTimeout))
            }
            return outcomes
        case .ending(let process, var ending):
            guard let killAt = ending.killAt, now >= killAt else { return [] }
            ending.killAt = nil
            state = .ending(process, ending)
            return [.kill(process, .missedEndDeadline)]
        case .backoff(let until, _):
            return now >= until ? [.startDue(revision: revision)] : []
        }
    }

    /// The supervisor was late by `lateness`: nobody is judged by that time.
    package mutating func excuse(lateness: Duration, now: MonotonicTime, rules: SlotRules) {
        switch state {
        case .stopped, .failed, .backoff:
            break
        case .starting(var process):
            process.excuse(lateness: lateness, now: now, heartbeatTimeout: rules.heartbeatTimeout)
            state = .starting(process)
        case .ready(var process):
            process.excuse(lateness: lateness, now: now, heartbeatTimeout: rules.heartbeatTimeout)
            state = .ready(process)
        case .replacing(var old, var successor):
            old.excuse(lateness: lateness, now: now, heartbeatTimeout: rules.heartbeatTimeout)
            successor.excuse(lateness: lateness, now: now, heartbeatTimeout: rules.heartbeatTimeout)
            state = .replacing(old: old, successor: successor)
        case .ending(let process, var ending):
            ending.killAt = ending.killAt.map { $0 + lateness }
            state = .ending(process, ending)
        }
    }

    /// When ``timePassed(now:rules:)`` has something to do.
    package var nextDeadline: MonotonicTime? {
        switch state {
        case .stopped, .failed: nil
        case .starting(let process), .ready(let process): process.deadline
        case .replacing(let old, let successor): min(old.deadline, successor.deadline)
        case .ending(_, let ending): ending.killAt
        case .backoff(let until, _): until
        }
    }
}

// MARK: - Transitions

extension SlotStateMachine {
    /// A process has to go: it is killed, and its end counts as one of its own making.
    private mutating func giveUp(_ instance: InstanceID, _ why: KillReason) -> [SlotOutcome] {
        switch state {
        case .starting(let process):
            guard process.instance == instance else { return [] }
            state = .ending(process, Ending(then: .restart(readyFor: nil, reason: why.sentence), killAt: nil))
            return [.kill(process, why), .attemptFailed(process, reason: why.sentence)]
        case .ready(let process):
            guard process.instance == instance else { return [] }
            // Its last sign of life ends the time it was good for something.
            let readyFor: Duration? =
                switch why {
                case .silent(let limit): process.readyAt.map { process.deadline - limit - $0 }
                case .missedReadyDeadline, .linkVersion, .missedEndDeadline, .notNeeded, .hurried: nil
                }
            state = .ending(process, Ending(then: .restart(readyFor: readyFor, reason: why.sentence), killAt: nil))
            return [.kill(process, why)]
        case .replacing(let old, let successor):
            if successor.instance == instance {
                state = .ready(old)
                return [.departs(successor, .killed(why)), .attemptFailed(successor, reason: why.sentence)]
            }
            guard old.instance == instance else { return [] }
            state = .starting(successor)
            restarts += 1
            lastExit = why.sentence
            return [.departs(old, .killed(why))]
        case .stopped, .ending, .backoff, .failed:
            return []
        }
    }

    private mutating func ended(
        _ instance: InstanceID, reason: String, misconfigured: Bool, _ now: MonotonicTime, _ rules: SlotRules,
        _ random: inout SplitMix64
    ) -> [SlotOutcome] {
        switch state {
        case .starting(let process):
            guard process.instance == instance else { return [] }
            lastExit = reason
            return [.attemptFailed(process, reason: reason)]
                + restart(readyFor: nil, reason: reason, misconfigured: misconfigured, now, rules, &random)
        case .ready(let process):
            guard process.instance == instance else { return [] }
            lastExit = reason
            return [.ended(process, reason: reason)]
                + restart(
                    readyFor: process.readyFor(now: now), reason: reason, misconfigured: misconfigured, now, rules,
                    &random
                )
        case .replacing(let old, let successor):
            if successor.instance == instance {
                state = .ready(old)
                return [.attemptFailed(successor, reason: reason)]
            }
            guard old.instance == instance else { return [] }
            lastExit = reason
            restarts += 1
            state = .starting(successor)
            return [.ended(old, reason: reason)]
        case .ending(let process, let ending):
            guard process.instance == instance else { return [] }
            switch ending.then {
            case .restart(let readyFor, let cause):
                lastExit = cause
                return [.ended(process, reason: reason)]
                    + restart(readyFor: readyFor, reason: cause, misconfigured: misconfigured, now, rules, &random)
            case .start(let revision):
                lastExit = reason
                state = .stopped
                return [.ended(process, reason: reason), .startDue(revision: revision)]
            }
        case .stopped, .backoff, .failed:
            return []
        }
    }

    private mutating func restart(
        readyFor: Duration?, reason: String, misconfigured: Bool, _ now: MonotonicTime, _ rules: SlotRules,
        _ random: inout SplitMix64
    ) -> [SlotOutcome] {
        let decision = rules.restart.decide(
            readyFor: readyFor, misconfigured: misconfigured, unstableEnds: &unstableEnds, random: &random
        )
        switch decision {
        case .atOnce:
            state = .backoff(until: now, reason: reason)
            return [.startDue(revision: revision)]
        case .after(let delay):
            state = .backoff(until: now + delay, reason: reason)
            return [.backingOff(delay, reason: reason)]
        case .giveUp(let why):
            state = .failed(why, reason: reason)
            return [.gaveUp(why, reason: reason)]
        }
    }

    // MARK: Processes

    /// The living processes of the slot: at most two.
    package var processes: [SlotProcess] {
        switch state {
        case .stopped, .backoff, .failed: []
        case .starting(let process), .ready(let process), .ending(let process, _): [process]
        case .replacing(let old, let successor): [old, successor]
        }
    }

    package func process(_ instance: InstanceID) -> SlotProcess? {
        processes.first { $0.instance == instance }
    }

    private mutating func update(_ instance: InstanceID, _ change: (inout SlotProcess) -> Void) {
        switch state {
        case .stopped, .backoff, .failed:
            break
        case .starting(var process):
            guard process.instance == instance else { return }
            change(&process)
            state = .starting(process)
        case .ready(var process):
            guard process.instance == instance else { return }
            change(&process)
            state = .ready(process)
        case .ending(var process, let ending):
            guard process.instance == instance else { return }
            change(&process)
            state = .ending(process, ending)
        case .replacing(var old, var successor):
            if old.instance == instance { change(&old) }
            if successor.instance == instance { change(&successor) }
            state = .replacing(old: old, successor: successor)
        }
    }
}
