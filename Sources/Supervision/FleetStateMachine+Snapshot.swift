package import Model

// The view from outside.

extension FleetStateMachine {
    package func snapshot(now: MonotonicTime) -> FleetSnapshot {
        let problems = problems(now: now)
        let slots = (policy.servesClients ? [hub] : []) + workers
        return FleetSnapshot(
            health: health(problems), problems: problems, operation: currentOperation, workersWanted: workers.count,
            servesClients: policy.servesClients, revision: revision,
            restarts: pastRestarts + slots.reduce(0) { $0 + $1.restarts },
            processes: slots.flatMap { rows(of: $0, now: now) } + departing.map { row(of: $0, now: now) },
            memory: memory.reading.map { reading in
                MemorySnapshot(
                    reading: reading, events: memory.events, strainedAgo: memory.strainedAt.map { now - $0 })
            }
        )
    }

    package var currentOperation: FleetOperation? {
        switch phase {
        case .stopping: .stop
        case .idle, .running, .ended: operation?.operation
        }
    }

    private func health(_ problems: [String]) -> FleetSnapshot.Health {
        switch phase {
        case .idle: .starting
        case .running: hasBeenReady ? (problems.isEmpty ? .ok : .degraded) : .starting
        case .stopping, .ended: .stopping
        }
    }

    // MARK: Problems

    private func problems(now: MonotonicTime) -> [String] {
        var problems = ([hub] + workers).compactMap { problem(of: $0, now: now) }
        let differing = workers.filter { $0.revision != revision }
        if !differing.isEmpty, operation == nil {
            problems.append(
                "\(list(differing.map(\.id))): running with a configuration whose reload was aborted; "
                    + "reload again, or restart to return to the running configuration."
            )
        }
        for leaving in departing where leaving.outlivesPatience(now: now) {
            problems.append("A process of \(leaving.slot)\(pid(leaving.process)) does not end although it was killed.")
        }
        return problems
    }

    private func problem(of slot: SlotStateMachine, now: MonotonicTime) -> String? {
        switch slot.state {
        case .ready, .replacing, .stopped:
            nil
        case .starting(let process):
            "\(slot.id) is starting\(pid(process))."
        case .ending(let process, _):
            "\(slot.id) is ending\(pid(process)) and will be started again."
        case .backoff(let until, let reason):
            backoff(slot, in: max(until - now, .zero), reason: reason)
        case .failed(.misconfigured, let reason):
            "\(slot.id) is given up: what it was configured with cannot work (\(reason)). "
                + "Correct the configuration, then `wsctl reload`."
        case .failed(.tooManyUnstableEnds(let count), let reason):
            "\(slot.id) is given up after \(count) unstable ends in a row; the last time it \(reason). "
                + "See why with `wsctl logs --worker \(slot.id.number)`; when the cause is gone: "
                + "`wsctl restart worker:\(slot.id.number)`."
        }
    }

    /// With the advice to look into it from the second unstable end on.
    private func backoff(_ slot: SlotStateMachine, in delay: Duration, reason: String) -> String {
        let next = "\(slot.id) \(reason); it is started again \(delay.spokenWait)"
        let repeated = slot.unstableEnds > 1
        switch slot.id.role {
        case .hub:
            let logs = repeated ? " See why with `wsctl logs --source hub`." : ""
            return "\(next), and until then nothing is delivered between workers.\(logs)"
        case .worker:
            guard repeated else { return "\(next)." }
            return "\(next) (unstable end \(slot.unstableEnds) in a row; it is given up after "
                + "\(policy.restart.maxUnstable)). See why with `wsctl logs --worker \(slot.id.number)`."
        }
    }

    private func pid(_ process: SlotProcess) -> String {
        process.pid.map { " (pid \($0))" } ?? ""
    }

    // MARK: Processes

    private func rows(of slot: SlotStateMachine, now: MonotonicTime) -> [ProcessSnapshot] {
        switch slot.state {
        case .stopped:
            [row(of: slot, .stopped, nil, now: now)]
        case .starting(let process):
            [row(of: slot, .starting, process, now: now)]
        case .ready(let process):
            [row(of: slot, .ready, process, now: now)]
        case .replacing(let old, let successor):
            [row(of: slot, .ready, old, now: now), row(of: slot, .starting, successor, now: now)]
        case .ending(let process, _):
            [row(of: slot, .stopping, process, now: now)]
        case .backoff(let until, _):
            [row(of: slot, .backoff, nil, retryIn: max(until - now, .zero), now: now)]
        case .failed:
            [row(of: slot, .failed, nil, now: now)]
        }
    }

    private func row(
        of slot: SlotStateMachine, _ state: ProcessSnapshot.State, _ process: SlotProcess?, retryIn: Duration? = nil,
        now: MonotonicTime
    ) -> ProcessSnapshot {
        ProcessSnapshot(
            slot: slot.id, state: state, instance: process?.instance, pid: process?.pid, version: process?.version,
            uptime: process.map { now - $0.spawnedAt }, restarts: slot.restarts, lastExit: slot.lastExit,
            retryIn: retryIn,
            memory: process?.memory, memoryKills: slot.memoryKills, remaining: nil
        )
    }

    private func row(of leaving: DepartingProcess, now: MonotonicTime) -> ProcessSnapshot {
        ProcessSnapshot(
            slot: leaving.slot, state: leaving.isDraining && leaving.killAt != nil ? .draining : .stopping,
            instance: leaving.process.instance, pid: leaving.process.pid, version: leaving.process.version,
            uptime: now - leaving.process.spawnedAt, restarts: slot(leaving.slot)?.restarts ?? 0,
            lastExit: slot(leaving.slot)?.lastExit, retryIn: nil, memory: leaving.process.memory,
            memoryKills: slot(leaving.slot)?.memoryKills ?? 0, remaining: leaving.remaining
        )
    }
}
