import Model
import Supervision
import Testing

/// Drives a fleet by hand: performs its actions on paper, keeps what it said, and records an issue for an action that
/// makes no sense.
struct FleetHarness {
    struct Child: Equatable {
        var instance: InstanceID
        var slot: SlotID
        var revision: Int
        var isReady = false
        var drains: [FleetAction] = []
        var isKilled = false
        var isLame = false
    }

    var machine: FleetStateMachine
    private(set) var now = MonotonicTime(nanoseconds: 5_000_000_000)
    /// Living ones, oldest first.
    private(set) var children: [Child] = []
    private(set) var actions: [FleetAction] = []
    private(set) var exitCode: Int32?
    /// Spawns of these slots fail.
    var unspawnable: Set<SlotID> = []
    private var spawned: Set<InstanceID> = []

    init(workers: Int = 2, _ change: (inout WsdConfiguration) -> Void = { _ in }) {
        machine = FleetStateMachine(policy: Self.policy(workers: workers, change), seed: 42)
    }

    static func policy(workers: Int, _ change: (inout WsdConfiguration) -> Void = { _ in }) -> FleetPolicy {
        var configuration = WsdConfiguration()
        configuration.workers.count = workers
        change(&configuration)
        return FleetPolicy(configuration, cores: 1)
    }

    /// A fleet whose every process is ready, with its actions forgotten.
    static func running(workers: Int = 2, _ change: (inout WsdConfiguration) -> Void = { _ in }) -> FleetHarness {
        var fleet = FleetHarness(workers: workers, change)
        fleet.start()
        fleet.readyAll()
        fleet.forget()
        return fleet
    }

    /// Scaled to none: hub and sockets stay.
    static func withoutWorkers() -> FleetHarness {
        var fleet = running(workers: 1)
        fleet.scale(to: 0)
        fleet.drainAll()
        fleet.forget()
        return fleet
    }

    // MARK: Inputs

    mutating func start() { perform(machine.start(now: now)) }

    mutating func ready(_ instance: InstanceID) {
        guard let index = children.firstIndex(where: { $0.instance == instance }) else { return }
        children[index].isReady = true
        perform(machine.childSaidHello(instance, version: WsdVersion.current, link: WsdVersion.link, now: now))
        perform(machine.childBecameReady(instance, now: now))
    }

    mutating func readyAll() {
        while let child = children.first(where: { !$0.isReady && !$0.isKilled }) { ready(child.instance) }
    }

    mutating func exit(_ instance: InstanceID, _ exit: ProcessExit = .exited(0)) {
        children.removeAll { $0.instance == instance }
        perform(machine.childExited(instance, exit, now: now))
    }

    mutating func release(_ instance: InstanceID) { perform(machine.childReleasedListener(instance, now: now)) }

    /// Every killed process ends.
    mutating func reap() {
        while let child = children.first(where: \.isKilled) { exit(child.instance, .signalled(9, coreDumped: false)) }
    }

    /// Every draining process lets go and ends.
    mutating func drainAll() {
        while let child = children.first(where: { !$0.drains.isEmpty && !$0.isKilled }) { exit(child.instance) }
    }

    mutating func act(_ input: (inout FleetStateMachine, MonotonicTime) -> [FleetAction]) {
        perform(input(&machine, now))
    }

    @discardableResult
    mutating func request(
        _ input: (inout FleetStateMachine, MonotonicTime) -> OperationResponse
    ) -> OperationRefusal? {
        switch input(&machine, now) {
        case .accepted(_, let actions):
            perform(actions)
            return nil
        case .refused(let refusal):
            return refusal
        }
    }

    @discardableResult
    mutating func reload(
        workers: Int = 2, revision: Int = 2, restartHub: Bool = false,
        _ change: (inout WsdConfiguration) -> Void = { _ in }
    ) -> OperationRefusal? {
        let policy = Self.policy(workers: workers, change)
        return request { $0.reloadRequested(policy: policy, revision: revision, restartHub: restartHub, now: $1) }
    }

    @discardableResult
    mutating func restart(_ slot: SlotID? = nil, immediately: Bool = false) -> OperationRefusal? {
        request { $0.restartRequested(slot: slot, immediately: immediately, now: $1) }
    }

    @discardableResult
    mutating func scale(to count: Int) -> OperationRefusal? { request { $0.scaleRequested(workers: count, now: $1) } }

    @discardableResult
    mutating func stop() -> OperationRefusal? { request { $0.stopRequested(reason: "SIGTERM", now: $1) } }

    mutating func hurry() { act { $0.hurryRequested(now: $1) } }

    /// Time passes in ticks of half a second; ready processes in `beating` (all by default) send heartbeats.
    mutating func pass(_ duration: Duration, silent: Set<InstanceID> = []) {
        let end = now + duration
        while now < end {
            now = min(end, now + .milliseconds(500))
            for child in children where child.isReady && !silent.contains(child.instance) {
                perform(machine.childBeat(child.instance, memory: nil, now: now))
            }
            perform(machine.timePassed(now: now))
        }
    }

    /// The supervisor does nothing for this long, and then ticks.
    mutating func sleep(_ duration: Duration) {
        now += duration
        perform(machine.timePassed(now: now))
    }

    mutating func forget() { actions = [] }

    // MARK: Performing

    private mutating func perform(_ batch: [FleetAction]) {
        var queue = batch
        while !queue.isEmpty {
            let action = queue.removeFirst()
            actions.append(action)
            if exitCode != nil { Issue.record("\(action) follows exit") }
            switch action {
            case .spawn(let instance, let slot, let revision):
                if !spawned.insert(instance).inserted { Issue.record("\(instance) is spawned twice") }
                if unspawnable.contains(slot) {
                    queue += machine.childSpawnFailed(instance, reason: "no memory", now: now)
                } else {
                    children.append(Child(instance: instance, slot: slot, revision: revision))
                    queue += machine.childSpawned(instance, pid: 1000 + Int32(instance.rawValue), now: now)
                }
            case .kill(let instance):
                change(instance) { $0.isKilled = true }
            case .drain(let instance, _, _, _):
                change(instance) { $0.drains.append(action) }
            case .setLameDuck(let isLame):
                for index in children.indices where children[index].slot.role == .worker {
                    children[index].isLame = isLame
                }
            case .exit(let code):
                if !children.isEmpty, children.contains(where: { !$0.isKilled }) {
                    Issue.record("exit although \(children) live")
                }
                exitCode = code
            case .closeListeners, .adoptConfiguration, .operationProgress, .operationFinished, .event, .notify:
                break
            }
        }
    }

    private mutating func change(_ instance: InstanceID, _ body: (inout Child) -> Void) {
        guard let index = children.firstIndex(where: { $0.instance == instance }) else {
            Issue.record("\(instance) does not live")
            return
        }
        body(&children[index])
    }

    // MARK: Queries

    /// The living processes of a slot that are neither draining nor killed, oldest first.
    func instances(_ slot: SlotID) -> [InstanceID] {
        children.filter { $0.slot == slot && $0.drains.isEmpty && !$0.isKilled }.map(\.instance)
    }

    /// The newest of them.
    func current(_ slot: SlotID) throws -> InstanceID {
        try #require(instances(slot).last, "\(slot) has no process")
    }

    func child(_ instance: InstanceID) throws -> Child {
        try #require(children.first { $0.instance == instance }, "\(instance) does not live")
    }

    var results: [OperationResult] {
        actions.compactMap { if case .operationFinished(_, _, let result) = $0 { result } else { nil } }
    }

    var notifications: [ServiceNotification] {
        actions.compactMap {
            guard case .notify(let notification) = $0 else { return nil }
            if case .extendTimeout = notification { return nil }
            return notification
        }
    }

    var spawns: [SlotID] { actions.compactMap { if case .spawn(_, let slot, _) = $0 { slot } else { nil } } }

    var kills: [InstanceID] { actions.compactMap { if case .kill(let instance) = $0 { instance } else { nil } } }

    var eventMessages: [String] { actions.compactMap { if case .event(let event) = $0 { event.message } else { nil } } }

    var snapshot: FleetSnapshot { machine.snapshot(now: now) }
}
