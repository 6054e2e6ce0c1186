internal import Model

// The steps of the running operation.

extension FleetStateMachine {
    /// Takes every step that is possible now. Called after each input that may have changed something.
    mutating func settle(now: MonotonicTime) -> [FleetAction] {
        var actions: [FleetAction] = []
        // Each turn either finishes the operation, moves it to its next stage or begins with another slot.
        while let step = nextStep(now: now) { actions += step }
        actions += noteReadiness()
        actions += stopIfAllFailed(now: now)
        actions += advanceShutdown(now: now)
        return actions
    }

    /// `nil`: nothing to do until the next input.
    private mutating func nextStep(now: MonotonicTime) -> [FleetAction]? {
        guard var running = operation else { return nil }
        switch running.stage {
        case .settling:
            guard ([hub] + workers).allSatisfy(\.isSettled) else { return nil }
            return finish(startResult())
        case .rolling:
            return rollingStep(&running, now: now)
        case .hub:
            guard running.waiting.isEmpty else { return nil }
            return running.failures.isEmpty ? hubDone(running, now: now) : finish(abortion(running))
        case .together:
            guard running.waiting.isEmpty else { return nil }
            return finish(togetherResult(running))
        case .leaving:
            running.leaving.removeAll { places[$0] == nil }
            operation = running
            guard running.leaving.isEmpty else { return nil }
            return finish(.succeeded("\(workersSentence(workers.count))."))
        }
    }

    // MARK: Rolling

    private mutating func rollingStep(_ running: inout RunningOperation, now: MonotonicTime) -> [FleetAction]? {
        guard running.failures.isEmpty else { return finish(abortion(running)) }
        guard running.waiting.isEmpty else { return nil }
        if let awaited = running.awaitedRelease {
            let holder = departing.first { $0.process.instance == awaited }
            if let holder, !holder.hasReleasedListener { return nil }
            running.awaitedRelease = nil
        }
        // A slot that failed meanwhile has no place in a reload: it is started again at the end.
        if running.isReload { running.pending.removeAll { slot($0)?.hasFailed ?? true } }
        operation = running
        guard !running.pending.isEmpty else { return workersDone(running, now: now) }
        if let serving = running.pending.first(where: { slot($0)?.servesAlone ?? false }) {
            return replace(serving, &running, now: now)
        }
        // A slot that is about to start or to end will soon be one or the other.
        if running.pending.contains(where: { !(slot($0)?.isSettled ?? true) }) { return nil }
        let empty = running.pending.removeFirst()
        running.waiting = [empty]
        operation = running
        let revision = running.revision
        let outcomes = withSlot(empty) { slot, _, _ in slot.endThenStart(revision: revision, killAt: nil) } ?? []
        return [progress(running, "\(empty): starting")] + apply(outcomes, to: empty, now: now)
    }

    private mutating func replace(
        _ id: SlotID, _ running: inout RunningOperation, now: MonotonicTime
    ) -> [FleetAction] {
        running.pending.removeAll { $0 == id }
        running.waiting = [id]
        operation = running
        return [progress(running, "\(id): starting the successor")]
            + spawn(id, revision: running.revision, replacing: true, now: now)
    }

    private mutating func workersDone(_ running: RunningOperation, now: MonotonicTime) -> [FleetAction] {
        guard running.includesHub else { return hubDone(running, now: now) }
        var next = running
        next.stage = .hub
        next.waiting = [.hub]
        operation = next
        return [progress(next, "hub: restarting")] + restartHub(revision: next.revision, now: now)
    }

    /// All slots have the new configuration: what remains of a reload is to adopt it and to change the number of
    /// workers.
    private mutating func hubDone(_ running: RunningOperation, now: MonotonicTime) -> [FleetAction] {
        guard let newPolicy = running.policy else { return finish(rollingResult(running)) }
        let isResized = newPolicy.workers != policy.workers
        let before = workers.count
        policy = newPolicy
        revision = running.revision
        hub.revision = revision
        for index in workers.indices { workers[index].revision = revision }
        var next = running
        next.policy = nil
        next.stage = .together
        if isResized, newPolicy.workers > before {
            next.waiting = (before + 1...newPolicy.workers).map { .worker($0) }
        }
        operation = next
        var actions = [FleetAction.adoptConfiguration(revision: revision)]
        if isResized {
            actions.append(progress(next, "\(workersSentence(newPolicy.workers)) from now on"))
            actions += shrink(to: newPolicy.workers, now: now)
        }
        for id in workers.filter(\.hasFailed).map(\.id) {
            let outcomes = withSlot(id) { slot, _, _ in slot.endThenStart(revision: running.revision, killAt: nil) }
            actions.append(progress(next, "\(id): had failed, is started again"))
            actions += apply(outcomes ?? [], to: id, now: now)
        }
        if isResized { actions += grow(to: newPolicy.workers, revision: revision, now: now) }
        return actions
    }

    // MARK: What slots report

    mutating func attemptSucceeded(_ id: SlotID, _ process: SlotProcess) -> [FleetAction] {
        guard var running = operation, running.waiting.contains(id) else { return [] }
        running.waiting.removeAll { $0 == id }
        running.done.append(id)
        operation = running
        let pid = process.pid.map { " (pid \($0))" } ?? ""
        return [progress(running, "\(id): ready\(pid)")]
    }

    mutating func attemptFailed(_ id: SlotID, reason: String) {
        guard var running = operation, running.waiting.contains(id) else { return }
        running.waiting.removeAll { $0 == id }
        running.failures.append("\(id) \(reason)")
        operation = running
    }

    mutating func operationSaw(departure leaving: DepartingProcess, _ why: DepartureReason) {
        guard var running = operation else { return }
        switch (running.stage, why) {
        case (.rolling, .replaced):
            running.awaitedRelease = leaving.process.instance
        case (.leaving, .replaced), (.leaving, .retired), (.leaving, .killed), (.leaving, .dying):
            running.leaving.append(leaving.process.instance)
        case (.settling, _), (.hub, _), (.together, _), (.rolling, .retired), (.rolling, .killed), (.rolling, .dying):
            return
        }
        operation = running
    }

    // MARK: Ends

    mutating func finish(_ result: OperationResult) -> [FleetAction] {
        guard let running = operation else { return [] }
        operation = nil
        var actions: [FleetAction] = [
            .operationFinished(running.id, running.operation, result),
            .event(.operationFinished(running.operation, result)),
        ]
        if running.isReload, hasBeenReady { actions.append(.notify(.reloaded)) }
        return actions
    }

    func progress(_ running: RunningOperation, _ text: String) -> FleetAction {
        .operationProgress(running.id, running.operation, text)
    }
}
