package import Model

// Deadlines, and the supervisor's own lateness.

extension FleetStateMachine {
    /// At least every 500 ms, and at ``nextDeadline``; after what has been read from the links and pidfds.
    package mutating func timePassed(now: MonotonicTime) -> [FleetAction] {
        switch phase {
        case .idle, .ended: return []
        case .running, .stopping: break
        }
        var actions = noteTime(now)
        for id in [SlotID.hub] + workers.map(\.id) {
            let outcomes = withSlot(id) { slot, rules, _ in slot.timePassed(now: now, rules: rules) }
            actions += apply(outcomes ?? [], to: id, now: now)
        }
        actions += killOverdue(now: now)
        actions += lameDuckPassed(now: now)
        actions += recycleForMemory(now: now)
        actions += extendTimeout(now: now)
        return actions + settle(now: now)
    }

    /// Takes the time of an input. After a gap in which the supervisor did not run, whatever it waited for gets that
    /// time again: nobody is killed for the supervisor's sleep.
    mutating func noteTime(_ now: MonotonicTime) -> [FleetAction] {
        let last = lastInputAt ?? now
        lastInputAt = max(last, now)
        let lateness = now - last
        guard lateness > FleetLimits.lateness else { return [] }
        for id in [SlotID.hub] + workers.map(\.id) {
            withSlot(id) { slot, rules, _ in slot.excuse(lateness: lateness, now: now, rules: rules) }
        }
        for index in departing.indices {
            departing[index].killAt = departing[index].killAt.map { $0 + lateness }
            departing[index].killedAt = departing[index].killedAt.map { $0 + lateness }
        }
        if case .stopping(var shutdown) = phase, case .draining(let killAt) = shutdown.stage {
            shutdown.stage = .draining(killAt: killAt + lateness)
            phase = .stopping(shutdown)
        }
        return [.event(.late(lateness))]
    }

    private mutating func killOverdue(now: MonotonicTime) -> [FleetAction] {
        var actions: [FleetAction] = []
        for index in departing.indices {
            guard let killAt = departing[index].killAt, now >= killAt else { continue }
            actions += kill(departingAt: index, .missedEndDeadline, now: now)
        }
        return actions
    }

    mutating func kill(departingAt index: Int, _ why: KillReason, now: MonotonicTime) -> [FleetAction] {
        departing[index].killAt = nil
        departing[index].killedAt = now
        if case .stopping(var shutdown) = phase {
            shutdown.killed += 1
            phase = .stopping(shutdown)
        }
        let leaving = departing[index]
        return [.event(.killed(leaving.slot, leaving.process, why)), .kill(leaving.process.instance)]
    }

    /// The service manager waits for READY=1, for the end of a reload and for the stop only so long, unless it is told
    /// to. Not for a start that goes on failing: who waits for it is to hear of that.
    private mutating func extendTimeout(now: MonotonicTime) -> [FleetAction] {
        let isFailing = ([hub] + workers).contains { $0.unstableEnds >= FleetLimits.patientAttempts }
        let isAwaited = (!hasBeenReady && !isFailing) || isStopping || (operation?.isReload ?? false)
        guard isAwaited else {
            extendAt = nil
            return []
        }
        if let extendAt, now < extendAt { return [] }
        extendAt = now + FleetLimits.extendInterval
        return [.notify(.extendTimeout(FleetLimits.extendBy))]
    }

    /// One worker at a time, and only when nothing else is going on.
    private mutating func recycleForMemory(now: MonotonicTime) -> [FleetAction] {
        guard policy.maxMemory > 0, operation == nil, case .running = phase else { return [] }
        for slot in workers {
            guard case .ready(let process) = slot.state, let memory = process.memory, memory > policy.maxMemory,
                now >= recycleNotBefore[slot.id] ?? now
            else { continue }
            recycleNotBefore[slot.id] = now + FleetLimits.recycleInterval
            var recycling = newOperation(.recycle(slot.id), revision: slot.revision, stage: .rolling)
            recycling.pending = [slot.id]
            return [.event(.recycling(slot.id, process, limit: policy.maxMemory))] + begin(recycling)
        }
        return []
    }
}
