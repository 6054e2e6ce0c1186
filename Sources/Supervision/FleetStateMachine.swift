package import Model

/// All decisions of the supervisor, as one encodable value without I/O, clock or random source.
///
/// Inputs are facts (`childExited`) and requests; each returns the actions to perform, in order. The driver
/// 1. performs actions first in, first out, and reports `childSpawned` or `childSpawnFailed` from within the `spawn`;
/// 2. calls ``timePassed(now:)`` every 500 ms at least and at ``nextDeadline``, after it has read what the links and
///    pidfds hold;
/// 3. passes a time to every input that never runs backwards.
///
/// Facts about a process that has already ended are ignored: a link's last lines may be read after its exit.
package struct FleetStateMachine: Codable, Sendable {
    enum Phase: Codable, Sendable {
        case idle
        case running
        case stopping(Shutdown)
        case ended
    }

    var phase = Phase.idle
    var policy: FleetPolicy
    /// Revision of the running configuration.
    package internal(set) var revision: Int
    var hub: SlotStateMachine
    /// Worker `n` stands at index `n - 1`.
    var workers: [SlotStateMachine] = []
    var departing: [DepartingProcess] = []
    /// Every living process and the slot it was spawned for.
    var places: [InstanceID: SlotID] = [:]
    var operation: RunningOperation?
    /// READY=1 has been sent.
    var hasBeenReady = false
    var random: SplitMix64
    var lastInstance = 0
    var lastOperation = 0
    var lastInputAt: MonotonicTime?
    var extendAt: MonotonicTime?
    /// When a slot may be recycled again.
    var recycleNotBefore: [SlotID: MonotonicTime] = [:]
    /// Restarts of slots that were scaled away.
    var pastRestarts = 0
    var memory = MemoryStateMachine()

    package init(policy: FleetPolicy, revision: Int = 1, seed: UInt64) {
        self.policy = policy
        self.revision = revision
        hub = SlotStateMachine(id: .hub, revision: revision)
        random = SplitMix64(seed: seed)
    }

    /// Once, first of all: hub and workers are spawned, where clients are served.
    package mutating func start(now: MonotonicTime) -> [FleetAction] {
        switch phase {
        case .idle:
            break
        case .running, .stopping, .ended:
            preconditionFailure("The fleet is started twice.")
        }
        phase = .running
        _ = noteTime(now)
        operation = newOperation(.start, revision: revision, stage: .settling)
        guard policy.servesClients else { return settle(now: now) }
        var actions = spawn(.hub, revision: revision, replacing: false, now: now)
        actions += grow(to: policy.workers, revision: revision, now: now)
        return actions + settle(now: now)
    }

    // MARK: Queries

    package var isStopping: Bool {
        switch phase {
        case .stopping, .ended: true
        case .idle, .running: false
        }
    }

    package var workersWanted: Int { workers.count }

    /// There is a hub, and there may be workers.
    package var servesClients: Bool { policy.servesClients }

    /// Configurations that the driver must keep: a process may be spawned with any of them.
    package var revisionsInUse: Set<Int> {
        var revisions: Set<Int> = [revision]
        for slot in [hub] + workers {
            revisions.insert(slot.revision)
            if case .ending(_, let ending) = slot.state, case .start(let next) = ending.then { revisions.insert(next) }
        }
        if let operation { revisions.insert(operation.revision) }
        return revisions
    }

    /// Living processes: those of slots and the departing ones.
    package var livingInstances: [InstanceID] { places.keys.sorted() }

    /// When ``timePassed(now:)`` has something to do; `nil`: nothing is due but the regular tick.
    package var nextDeadline: MonotonicTime? {
        var deadlines = workers.compactMap(\.nextDeadline)
        hub.nextDeadline.map { deadlines.append($0) }
        deadlines += departing.compactMap(\.killAt)
        if case .stopping(let shutdown) = phase {
            if case .lameDuck(let until) = shutdown.stage { deadlines.append(until) }
            let past = lastInputAt ?? .zero
            deadlines += departing.compactMap { $0.killedAt.map { $0 + FleetLimits.killPatience } }.filter { $0 > past }
        }
        return deadlines.min()
    }

    func slot(_ id: SlotID) -> SlotStateMachine? {
        switch id.role {
        case .hub: hub
        case .worker: id.number >= 1 && id.number <= workers.count ? workers[id.number - 1] : nil
        }
    }

    // MARK: Helpers

    /// Changes a slot in place; `nil` when it has been scaled away.
    mutating func withSlot<Result>(
        _ id: SlotID, _ body: (inout SlotStateMachine, SlotRules, inout SplitMix64) -> Result
    ) -> Result? {
        let rules = policy.rules(for: id.role)
        switch id.role {
        case .hub:
            return body(&hub, rules, &random)
        case .worker:
            guard id.number >= 1, id.number <= workers.count else { return nil }
            return body(&workers[id.number - 1], rules, &random)
        }
    }

    mutating func newOperation(
        _ kind: FleetOperation, revision: Int, stage: RunningOperation.Stage
    ) -> RunningOperation {
        RunningOperation(id: nextOperationID(), operation: kind, revision: revision, stage: stage)
    }

    mutating func nextOperationID() -> OperationID {
        lastOperation += 1
        return OperationID(rawValue: lastOperation)
    }

    mutating func spawn(_ id: SlotID, revision: Int, replacing: Bool, now: MonotonicTime) -> [FleetAction] {
        lastInstance += 1
        let instance = InstanceID(rawValue: lastInstance)
        places[instance] = id
        let known: Void? = withSlot(id) { slot, rules, _ in
            if replacing {
                slot.replace(instance: instance, revision: revision, now: now, rules: rules)
            } else {
                slot.start(instance: instance, revision: revision, now: now, rules: rules)
            }
        }
        guard known != nil else { preconditionFailure("\(id) is to be filled, but there is no such slot.") }
        var actions = [FleetAction.spawn(instance, slot: id, revision: revision)]
        if case .stopping(let shutdown) = phase, case .lameDuck = shutdown.stage { actions.append(.setLameDuck(true)) }
        return actions
    }

    /// Adds worker slots up to `count` and fills them.
    mutating func grow(to count: Int, revision: Int, now: MonotonicTime) -> [FleetAction] {
        var actions: [FleetAction] = []
        while workers.count < count {
            let id = SlotID.worker(workers.count + 1)
            workers.append(SlotStateMachine(id: id, revision: revision))
            actions += spawn(id, revision: revision, replacing: false, now: now)
        }
        return actions
    }

    /// Removes the highest worker slots down to `count`; what lived in them drains.
    mutating func shrink(to count: Int, now: MonotonicTime) -> [FleetAction] {
        var actions: [FleetAction] = []
        while workers.count > count {
            let id = SlotID.worker(workers.count)
            let outcomes = withSlot(id) { slot, _, _ in slot.retire() } ?? []
            pastRestarts += workers.removeLast().restarts
            recycleNotBefore[id] = nil
            actions += apply(outcomes, to: id, now: now)
        }
        return actions
    }
}
