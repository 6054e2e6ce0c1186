import Model
import Supervision
import Testing

/// Drives the programs by hand: performs their actions on paper, keeps what was said, and records an issue for an action that
/// makes no sense.
struct ProgramsHarness {
    struct Child: Equatable {
        var instance: InstanceID
        var place: ProgramProcessID
        var configuration: ProgramConfiguration
        var signals: [Int32] = []
        var isKilled = false
        /// Its main process has ended.
        var hasExited = false
        /// Asked and not answered.
        var probe: ProgramProbe?
    }

    var machine = ProgramsStateMachine(cores: 4, seed: 42)
    private(set) var now = MonotonicTime(nanoseconds: 5_000_000_000)
    /// Those of which something lives, oldest first.
    private(set) var children: [Child] = []
    private(set) var actions: [ProgramAction] = []
    /// What a process leaves behind goes at once.
    var treesGoAtOnce = true
    /// The command of these programs cannot be executed.
    var unspawnable: Set<String> = []

    /// Programs of the configuration; they say that they are ready as soon as they run unless they show it otherwise.
    init(_ programs: [ProgramConfiguration] = []) {
        perform(machine.start(programs.map { ProgramDefinition(configuration: $0, origin: .file) }, now: now))
    }

    static func program(
        _ name: String, _ change: (inout ProgramConfiguration) -> Void = { _ in }
    ) -> ProgramConfiguration {
        var configuration = ProgramConfiguration()
        configuration.name = name
        configuration.command = [name]
        configuration.ready = .log("ready")
        change(&configuration)
        return configuration
    }

    // MARK: Inputs

    mutating func act(_ input: (inout ProgramsStateMachine, MonotonicTime) -> [ProgramAction]) {
        perform(input(&machine, now))
    }

    @discardableResult
    mutating func request(
        _ input: (inout ProgramsStateMachine, MonotonicTime) -> ProgramResponse
    ) -> ProgramRefusal? {
        switch input(&machine, now) {
        case .accepted(_, let actions):
            perform(actions)
            return nil
        case .refused(let refusal):
            return refusal
        }
    }

    @discardableResult
    mutating func add(_ configuration: ProgramConfiguration) -> ProgramRefusal? {
        let definition = ProgramDefinition(configuration: configuration, origin: .runTime)
        return request { $0.addRequested(definition, now: $1) }
    }

    @discardableResult
    mutating func start(_ name: String) -> ProgramRefusal? { request { $0.startRequested(name, now: $1) } }

    @discardableResult
    mutating func stop(_ name: String) -> ProgramRefusal? { request { $0.stopRequested(name, now: $1) } }

    @discardableResult
    mutating func restart(_ name: String, number: Int? = nil) -> ProgramRefusal? {
        request { $0.restartRequested(ProgramTarget(program: name, number: number), now: $1) }
    }

    @discardableResult
    mutating func reload(_ name: String) -> ProgramRefusal? { request { $0.reloadRequested(name, now: $1) } }

    @discardableResult
    mutating func scale(_ name: String, to count: Int) -> ProgramRefusal? {
        request { $0.scaleRequested(name, to: count, now: $1) }
    }

    mutating func exit(_ instance: InstanceID, _ exit: ProcessExit = .exited(0)) {
        change(instance) { $0.hasExited = true }
        act { $0.exited(instance, exit, now: $1) }
    }

    /// Everything that has been asked to end, or was killed, does.
    mutating func endAsked() {
        while let child = children.first(where: { !$0.hasExited && ($0.isKilled || !$0.signals.isEmpty) }) {
            exit(child.instance, child.isKilled ? .signalled(9, coreDumped: false) : .exited(0))
        }
    }

    mutating func treeGone(_ instance: InstanceID) {
        children.removeAll { $0.instance == instance }
        act { $0.treeGone(instance, now: $1) }
    }

    mutating func sayReady(_ instance: InstanceID) { act { $0.saidReady(instance, now: $1) } }

    mutating func answer(_ instance: InstanceID, failure: String? = nil) {
        change(instance) { $0.probe = nil }
        act { $0.probed(instance, failure: failure, now: $1) }
    }

    /// Time passes in ticks of 100 ms; probes are answered by `answer`, if at all.
    mutating func pass(_ duration: Duration, answer: ((Child) -> String?)? = nil) {
        let end = now + duration
        while now < end {
            now = min(end, now + .milliseconds(100))
            if let answer {
                while let child = children.first(where: { $0.probe != nil }) {
                    self.answer(child.instance, failure: answer(child))
                }
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

    private mutating func perform(_ batch: [ProgramAction]) {
        var queue = batch
        while !queue.isEmpty {
            let action = queue.removeFirst()
            actions.append(action)
            switch action {
            case .spawn(let instance, let place, let configuration):
                if unspawnable.contains(place.program) {
                    queue += machine.spawnFailed(instance, reason: "there is no program “nod”", now: now)
                } else {
                    children.append(Child(instance: instance, place: place, configuration: configuration))
                    queue += machine.spawned(instance, pid: 1000 + Int32(instance.rawValue), now: now)
                    if configuration.ready == .log("ready") { queue += machine.saidReady(instance, now: now) }
                }
            case .signal(let instance, let signal):
                change(instance) { $0.signals.append(signal) }
            case .killTree(let instance):
                change(instance) { $0.isKilled = true }
            case .sweepTree(let instance):
                guard treesGoAtOnce else { continue }
                children.removeAll { $0.instance == instance }
                queue += machine.treeGone(instance, now: now)
            case .probe(let instance, let probe, _):
                change(instance) { $0.probe = probe }
            case .closeSockets, .watch, .remember, .operationProgress, .operationFinished, .event, .settled,
                .allStopped:
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

    func children(of program: String) -> [Child] { children.filter { $0.place.program == program } }

    /// The newest process of a place.
    func current(_ program: String, _ number: Int = 1) throws -> InstanceID {
        let place = ProgramProcessID(program: program, number: number)
        return try #require(children.last { $0.place == place }, "\(place) has no process").instance
    }

    func child(_ instance: InstanceID) throws -> Child {
        try #require(children.first { $0.instance == instance }, "\(instance) does not live")
    }

    func snapshot(_ program: String) throws -> ProgramSnapshot {
        try #require(
            machine.snapshots(now: now).first { $0.definition.configuration.name == program }, "no program \(program)")
    }

    func state(_ program: String) throws -> ProgramSnapshot.State { try snapshot(program).state }

    /// A process of it has this state.
    func states(_ program: String) throws -> [ProgramSnapshot.State] { try snapshot(program).processes.map(\.state) }

    var results: [OperationResult] {
        actions.compactMap { if case .operationFinished(_, let result) = $0 { result } else { nil } }
    }

    var progress: [String] {
        actions.compactMap { if case .operationProgress(_, let text) = $0 { text } else { nil } }
    }

    var spawns: [String] {
        actions.compactMap { if case .spawn(_, let place, _) = $0 { place.description } else { nil } }
    }

    var kills: [InstanceID] { actions.compactMap { if case .killTree(let instance) = $0 { instance } else { nil } } }

    var eventMessages: [String] { actions.compactMap { if case .event(let event) = $0 { event.message } else { nil } } }
}
