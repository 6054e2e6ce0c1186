package import Model

// READY of the service, and its stop.

extension FleetStateMachine {
    /// READY once the hub and every worker are; a failed slot does not hold it up, but says so.
    mutating func noteReadiness() -> [FleetAction] {
        guard !hasBeenReady, case .running = phase, operation?.operation != .start else { return [] }
        guard hub.isServing || !policy.servesClients, workers.allSatisfy({ $0.isServing || $0.hasFailed }) else {
            return []
        }
        guard workers.isEmpty || workers.contains(where: \.isServing) else { return [] }
        hasBeenReady = true
        let failed = workers.filter(\.hasFailed).map(\.id)
        return [.notify(.ready)] + (failed.isEmpty ? [] : [.event(.readyWithout(list(failed)))])
    }

    mutating func stopIfAllFailed(now: MonotonicTime) -> [FleetAction] {
        guard case .running = phase, operation == nil, !workers.isEmpty, workers.allSatisfy(\.hasFailed) else {
            return []
        }
        let id = nextOperationID()
        return [.event(.allWorkersFailed)]
            + beginShutdown(id: id, reason: "every worker has failed", exitCode: ExitCode.failure, now: now)
    }

    mutating func beginShutdown(id: OperationID, reason: String, exitCode: Int32, now: MonotonicTime) -> [FleetAction] {
        var actions = finish(.failed("The service stops."))
        for slot in workers.map(\.id) {
            actions += apply(withSlot(slot) { slot, _, _ in slot.abandonReplacement() } ?? [], to: slot, now: now)
        }
        actions += [.notify(.stopping), .event(.serviceStops(reason: reason))]
        let lameDuck = policy.shutdown.lameDuck
        let isLame = lameDuck > .zero && workers.contains(where: \.isServing)
        let stage =
            isLame ? Shutdown.Stage.lameDuck(until: now + lameDuck) : .draining(killAt: now + policy.shutdown.timeout)
        phase = .stopping(Shutdown(id: id, exitCode: exitCode, stage: stage))
        extendAt = nil
        guard isLame else { return actions + drainWorkers(now: now) }
        let text = "Still serving for \(lameDuck.spoken) (lame duck)."
        return actions + [.setLameDuck(true), .operationProgress(id, .stop, text)]
    }

    mutating func lameDuckPassed(now: MonotonicTime) -> [FleetAction] {
        guard case .stopping(var shutdown) = phase, case .lameDuck(let until) = shutdown.stage, now >= until else {
            return []
        }
        shutdown.stage = .draining(killAt: now + policy.shutdown.timeout)
        phase = .stopping(shutdown)
        return drainWorkers(now: now)
    }

    /// Every slot is retired and every process that still serves or drains is told the stop's terms.
    private mutating func drainWorkers(now: MonotonicTime) -> [FleetAction] {
        guard case .stopping(let shutdown) = phase else { return [] }
        let draining = departing.filter { $0.isDraining && $0.killAt != nil }.map(\.process.instance)
        var actions: [FleetAction] = [.closeListeners]
        if policy.servesClients {
            let clients =
                "Closing the clients of \(workersSentence(workers.filter(\.isServing).count + draining.count))."
            actions.append(.operationProgress(shutdown.id, .stop, clients))
        }
        actions += redrain(now: now)
        return actions + shrink(to: 0, now: now)
    }

    /// Processes that drain already are told the terms of the stop, and have no longer than it has.
    private mutating func redrain(now: MonotonicTime) -> [FleetAction] {
        var actions: [FleetAction] = []
        for index in departing.indices {
            guard departing[index].isDraining, departing[index].slot.role == .worker,
                let killAt = departing[index].killAt
            else { continue }
            let order = drainOrder(for: departing[index].slot, now: now)
            departing[index].killAt = min(killAt, order.killAt)
            actions.append(order.action(for: departing[index].process.instance))
        }
        return actions
    }

    /// The first call drains at once, the second kills. Nothing happens when the service is not stopping.
    package mutating func hurryRequested(now: MonotonicTime) -> [FleetAction] {
        guard case .stopping = phase else { return [] }
        var actions = noteTime(now)
        guard case .stopping(var shutdown) = phase else { return actions }
        shutdown.hurries += 1
        actions.append(.event(.stopHurried(kill: shutdown.hurries > 1)))
        switch shutdown.stage {
        case .lameDuck:
            shutdown.stage = .draining(killAt: hurriedKill(now: now))
            phase = .stopping(shutdown)
            actions += drainWorkers(now: now)
        case .draining(let killAt):
            shutdown.stage = .draining(killAt: min(killAt, hurriedKill(now: now)))
            phase = .stopping(shutdown)
            if shutdown.hurries == 1 { actions += redrain(now: now) }
        case .endingHub:
            phase = .stopping(shutdown)
        }
        if shutdown.hurries > 1 { actions += killAll(now: now) }
        return actions + settle(now: now)
    }

    private func hurriedKill(now: MonotonicTime) -> MonotonicTime {
        now + min(FleetLimits.hurriedDrain + FleetLimits.killGrace, policy.shutdown.timeout)
    }

    /// The hub goes with the workers.
    private mutating func killAll(now: MonotonicTime) -> [FleetAction] {
        var actions = apply(hub.retire(), to: .hub, now: now)
        for index in departing.indices where departing[index].killAt != nil {
            actions += kill(departingAt: index, .hurried, now: now)
        }
        return actions
    }

    mutating func advanceShutdown(now: MonotonicTime) -> [FleetAction] {
        guard case .stopping(var shutdown) = phase else { return [] }
        var actions: [FleetAction] = []
        let awaited = departing.filter { !$0.outlivesPatience(now: now) }
        switch shutdown.stage {
        case .lameDuck:
            return []
        case .draining:
            guard !awaited.contains(where: { $0.slot.role == .worker }) else { return [] }
            shutdown.stage = .endingHub
            phase = .stopping(shutdown)
            actions += apply(hub.retire(), to: .hub, now: now)
            actions += advanceShutdown(now: now)
        case .endingHub:
            guard awaited.isEmpty else { return [] }
            phase = .ended
            actions += departing.map { .event(.outlivesKill($0)) }
            let exitCode = departing.isEmpty ? shutdown.exitCode : ExitCode.failure
            actions += [.operationFinished(shutdown.id, .stop, stopResult(shutdown)), .exit(exitCode)]
        }
        return actions
    }

    private func stopResult(_ shutdown: Shutdown) -> OperationResult {
        if !departing.isEmpty { return .failed("\(departing.count) processes do not end although they were killed.") }
        let killed = shutdown.killed == 0 ? "" : " \(shutdown.killed) had to be killed."
        return .succeeded("All processes have ended.\(killed)")
    }
}
