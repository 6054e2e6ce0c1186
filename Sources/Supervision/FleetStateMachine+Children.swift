package import Model

// Facts about processes.

extension FleetStateMachine {
    package mutating func childSpawned(_ instance: InstanceID, pid: Int32, now: MonotonicTime) -> [FleetAction] {
        guard let id = places[instance] else { return [] }
        var actions = noteTime(now)
        withSlot(id) { slot, _, _ in slot.spawned(instance, pid: pid) }
        updateDeparting(instance) { $0.process.pid = pid }
        if let process = process(instance) { actions.append(.event(.spawned(id, process))) }
        return actions
    }

    /// - Parameter reason: a sentence without its subject (`Cannot allocate memory`).
    package mutating func childSpawnFailed(
        _ instance: InstanceID, reason: String, now: MonotonicTime
    ) -> [FleetAction] {
        guard let id = places[instance] else { return [] }
        let former = process(instance)
        places[instance] = nil
        var actions = noteTime(now)
        departing.removeAll { $0.process.instance == instance }
        let outcomes = withSlot(id) { slot, rules, random in
            slot.spawnFailed(instance, reason: reason, now: now, rules: rules, random: &random)
        }
        actions += figured(apply(outcomes ?? [], to: id, now: now), end: nil, of: former, in: id, now: now)
        return actions + settle(now: now)
    }

    /// - Parameter link: version of the child link that it speaks; another than ``WsdVersion/link`` is its end.
    package mutating func childSaidHello(
        _ instance: InstanceID, version: String, link: Int, now: MonotonicTime
    ) -> [FleetAction] {
        guard let id = places[instance] else { return [] }
        var actions = noteTime(now)
        let outcomes = withSlot(id) { slot, _, _ in slot.saidHello(instance, version: version, link: link) }
        updateDeparting(instance) { $0.process.version = version }
        actions += apply(outcomes ?? [], to: id, now: now)
        return actions + settle(now: now)
    }

    package mutating func childBecameReady(_ instance: InstanceID, now: MonotonicTime) -> [FleetAction] {
        guard let id = places[instance] else { return [] }
        var actions = noteTime(now)
        let outcomes = withSlot(id) { slot, rules, _ in slot.becameReady(instance, now: now, rules: rules) }
        actions += apply(outcomes ?? [], to: id, now: now)
        return actions + settle(now: now)
    }

    /// - Parameter memory: resident bytes, if known.
    package mutating func childBeat(_ instance: InstanceID, memory: Int?, now: MonotonicTime) -> [FleetAction] {
        guard let id = places[instance] else { return [] }
        let actions = noteTime(now)
        withSlot(id) { slot, rules, _ in slot.beat(instance, memory: memory, now: now, rules: rules) }
        updateDeparting(instance) { $0.process.memory = memory ?? $0.process.memory }
        return actions
    }

    /// The child's own word about why it will exit. Its exit decides; a child that stays is killed at its deadline.
    package mutating func childFailedToStart(
        _ instance: InstanceID, reason: String, exitCode: Int32, now: MonotonicTime
    ) -> [FleetAction] {
        guard let id = places[instance] else { return [] }
        let actions = noteTime(now)
        withSlot(id) { slot, _, _ in slot.complained(instance, reason: reason, exitCode: exitCode) }
        updateDeparting(instance) {
            $0.process.complaint = SlotProcess.Complaint(reason: reason, exitCode: exitCode)
        }
        return actions
    }

    package mutating func childReleasedListener(_ instance: InstanceID, now: MonotonicTime) -> [FleetAction] {
        guard places[instance] != nil else { return [] }
        let actions = noteTime(now)
        updateDeparting(instance) { $0.hasReleasedListener = true }
        return actions + settle(now: now)
    }

    /// - Parameter remaining: clients still to be closed.
    package mutating func childReportedDraining(
        _ instance: InstanceID, remaining: Int, now: MonotonicTime
    ) -> [FleetAction] {
        guard let id = places[instance] else { return [] }
        var actions = noteTime(now)
        let before = departing.first { $0.process.instance == instance }?.remaining
        updateDeparting(instance) { $0.remaining = remaining }
        // It reports once a second, changed or not; one that never had a client is not worth a word.
        guard remaining != before ?? 0 else { return actions }
        let text =
            remaining == 0
            ? "\(id): all clients closed"
            : "\(id): \(remaining) \(remaining == 1 ? "client" : "clients") still to be closed"
        if let operation, operation.leaving.contains(instance) {
            actions.append(progress(operation, text))
        } else if case .stopping(let shutdown) = phase {
            actions.append(.operationProgress(shutdown.id, .stop, text))
        }
        return actions
    }

    package mutating func childExited(
        _ instance: InstanceID, _ exit: ProcessExit, now: MonotonicTime
    ) -> [FleetAction] {
        guard let id = places[instance] else { return [] }
        let exit = explained(exit, of: instance, now: now)
        let former = process(instance)
        places[instance] = nil
        var actions = noteTime(now)
        if exit == .killedForMemory, let former {
            withSlot(id) { slot, _, _ in slot.memoryKills += 1 }
            actions.append(.event(.killedForMemory(id, former, memory.reading)))
        }
        if let index = departing.firstIndex(where: { $0.process.instance == instance }) {
            let leaving = departing.remove(at: index)
            let reason = leaving.process.reason(for: exit)
            var event = FleetEvent.left(leaving, reason: reason, isClean: exit == .exited(ExitCode.success))
            event.end = figures(of: exit, of: former, in: id, isExpected: true, now: now)
            actions.append(.event(event))
        } else {
            let outcomes = withSlot(id) { slot, rules, random in
                slot.exited(instance, exit, now: now, rules: rules, random: &random)
            }
            actions += figured(apply(outcomes ?? [], to: id, now: now), end: exit, of: former, in: id, now: now)
        }
        return actions + settle(now: now)
    }

    /// The one event among these that tells of the end of a process says all that is known of it.
    private func figured(
        _ actions: [FleetAction], end exit: ProcessExit?, of process: SlotProcess?, in id: SlotID, now: MonotonicTime
    ) -> [FleetAction] {
        let isAwaited = operation?.waiting.contains(id) ?? false
        return actions.map { action in
            guard case .event(var event) = action else { return action }
            let isEnd = event.kind == .process(.exited)
            guard isEnd || event.kind == .process(.unready) else { return action }
            event.kind = .process(.exited)
            event.end = figures(of: exit, of: process, in: id, isExpected: isEnd && isAwaited, now: now)
            return .event(event)
        }
    }

    private func figures(
        of exit: ProcessExit?, of process: SlotProcess?, in id: SlotID, isExpected: Bool, now: MonotonicTime
    ) -> ProcessEndFigures {
        ProcessEndFigures(
            exit: exit, isExpected: isExpected, uptime: process.map { now - $0.spawnedAt } ?? .zero,
            restarts: slot(id)?.restarts ?? 0, memory: process?.memory)
    }

    /// A living process, wherever it is counted.
    func process(_ instance: InstanceID) -> SlotProcess? {
        guard let id = places[instance] else { return nil }
        return slot(id)?.process(instance) ?? departing.first { $0.process.instance == instance }?.process
    }

    private mutating func updateDeparting(_ instance: InstanceID, _ change: (inout DepartingProcess) -> Void) {
        guard let index = departing.firstIndex(where: { $0.process.instance == instance }) else { return }
        change(&departing[index])
    }
}
