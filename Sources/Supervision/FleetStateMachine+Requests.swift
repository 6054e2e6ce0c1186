package import Model

// What an operator may ask for. One at a time; a stop pre-empts everything.

extension FleetStateMachine {
    /// Rolls the fleet over to a new configuration, which becomes the running one when all slots have it.
    ///
    /// - Parameters:
    ///   - revision: larger than any before. The driver keeps the configurations of ``revisionsInUse``.
    ///   - restartHub: something the hub goes by has changed.
    ///
    /// Whether clients are served does not change.
    package mutating func reloadRequested(
        policy: FleetPolicy, revision: Int, restartHub: Bool, now: MonotonicTime
    ) -> OperationResponse {
        var policy = policy
        policy.servesClients = self.policy.servesClients
        if !policy.servesClients { policy.workers = 0 }
        return request { [policy] fleet in
            var reload = fleet.newOperation(.reload, revision: revision, stage: .rolling)
            reload.policy = policy
            reload.includesHub = restartHub && policy.servesClients
            // Failed slots are started again only once the new configuration has shown that it works.
            reload.pending = fleet.workers.prefix(policy.workers == fleet.policy.workers ? .max : policy.workers)
                .filter { !$0.hasFailed }.map(\.id)
            var actions = fleet.noteTime(now) + fleet.begin(reload)
            if fleet.hasBeenReady { actions.append(.notify(.reloading)) }
            return (reload.id, actions + fleet.settle(now: now))
        }
    }

    /// A reload in which nothing differs that the hub or a worker goes by: none of them is replaced. The driver gives the
    /// present ``revision`` its new configuration first.
    package mutating func adoptionRequested(now: MonotonicTime) -> OperationResponse {
        request { fleet in
            var reload = fleet.newOperation(.reload, revision: fleet.revision, stage: .rolling)
            reload.policy = fleet.policy
            var actions = fleet.noteTime(now) + fleet.begin(reload)
            if fleet.hasBeenReady { actions.append(.notify(.reloading)) }
            return (reload.id, actions + fleet.settle(now: now))
        }
    }

    /// - Parameters:
    ///   - slot: `nil`: all workers, then the hub.
    ///   - immediately: all at once instead of one after the other (`--now`).
    package mutating func restartRequested(
        slot: SlotID?, immediately: Bool, now: MonotonicTime
    ) -> OperationResponse {
        guard policy.servesClients else { return .refused(.noWorkers) }
        if let slot, self.slot(slot) == nil { return .refused(.unknownSlot(slot)) }
        return request { fleet in
            var restart = fleet.newOperation(
                .restart(slot: slot, now: immediately), revision: fleet.revision,
                stage: immediately ? .together : .rolling
            )
            switch slot {
            case nil:
                restart.pending = fleet.workers.map(\.id)
                restart.includesHub = true
            case .some(.hub):
                restart.includesHub = true
            case .some(let worker):
                restart.pending = [worker]
            }
            let targets = restart.pending + (restart.includesHub ? [.hub] : [])
            if immediately {
                restart.pending = []
                restart.waiting = targets
            }
            var actions = fleet.noteTime(now) + fleet.begin(restart)
            if immediately {
                for target in targets { actions += fleet.restartAtOnce(target, now: now) }
            }
            return (restart.id, actions + fleet.settle(now: now))
        }
    }

    package mutating func scaleRequested(workers count: Int, now: MonotonicTime) -> OperationResponse {
        guard policy.servesClients else { return .refused(.noWorkers) }
        guard (0...FleetLimits.workers).contains(count) else { return .refused(.impossibleCount(count)) }
        return request { fleet in
            let before = fleet.workers.count
            var scale = fleet.newOperation(
                .scale(to: count), revision: fleet.revision, stage: count < before ? .leaving : .together
            )
            if count > before { scale.waiting = (before + 1...count).map { .worker($0) } }
            var actions = fleet.noteTime(now) + fleet.begin(scale)
            actions += fleet.grow(to: count, revision: fleet.revision, now: now)
            actions += fleet.shrink(to: count, now: now)
            return (scale.id, actions + fleet.settle(now: now))
        }
    }

    /// Ends the service. What runs is aborted. Refused when it is stopping already: then ``hurryRequested(now:)`` is
    /// the one to call.
    package mutating func stopRequested(reason: String, now: MonotonicTime) -> OperationResponse {
        switch phase {
        case .idle, .ended:
            return .refused(.notRunning)
        case .stopping:
            return .refused(.busy(.stop))
        case .running:
            let id = nextOperationID()
            var actions = noteTime(now)
            actions += beginShutdown(id: id, reason: reason, exitCode: ExitCode.success, now: now)
            return .accepted(id, actions + settle(now: now))
        }
    }

    private mutating func request(
        _ begin: (inout FleetStateMachine) -> (OperationID, [FleetAction])
    ) -> OperationResponse {
        switch phase {
        case .idle, .ended: return .refused(.notRunning)
        case .stopping: return .refused(.busy(.stop))
        case .running: break
        }
        if let operation { return .refused(.busy(operation.operation)) }
        let (id, actions) = begin(&self)
        return .accepted(id, actions)
    }

    /// The new operation is the one that runs; its first step is the next ``settle(now:)``.
    mutating func begin(_ operation: RunningOperation) -> [FleetAction] {
        self.operation = operation
        return [.event(.operationStarted(operation.operation))]
    }

    private mutating func restartAtOnce(_ id: SlotID, now: MonotonicTime) -> [FleetAction] {
        switch id.role {
        case .hub: restartHub(revision: revision, now: now)
        case .worker:
            apply(
                withSlot(id) { [revision] slot, _, _ in slot.releaseThenStart(revision: revision) } ?? [], to: id,
                now: now)
        }
    }

    /// Never two hubs at once: the present one is told to end, and the next is started after it.
    mutating func restartHub(revision: Int, now: MonotonicTime) -> [FleetAction] {
        let order = DrainOrder.hub(code: .serviceRestart, now: now)
        var actions: [FleetAction] = []
        if case .ready(let process) = hub.state { actions.append(order.action(for: process.instance)) }
        let outcomes = hub.endThenStart(revision: revision, killAt: order.killAt)
        return actions + apply(outcomes, to: .hub, now: now)
    }
}
