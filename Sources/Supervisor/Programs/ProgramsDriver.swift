import Model
import NIOCore
import Supervision
import Wire

/// Drives the programs: performs the actions of ``ProgramsStateMachine`` and feeds it what happens. Everything in it is
/// confined to one event loop; all decisions are the machine's.
final class ProgramsDriver {
    /// How long programs have to end once a hurried stop has come to them.
    static let hurriedStop = TimeAmount.seconds(2)

    let eventLoop: any EventLoop
    let log: LogCenter
    let system: any ProgramSystem
    let clock: () -> MonotonicTime

    var machine: ProgramsStateMachine
    var processes: [InstanceID: ProgramProcess] = [:]
    var operations: [ProgramOperationID: ProgramOperationListener] = [:]
    /// Every program has settled for the first time.
    private(set) var isSettled = false
    private(set) var isStopping = false
    private(set) var hasStopped = false
    /// Told once, when every program has settled.
    var settled: () -> Void = {}
    /// Told every event.
    var told: (ProgramEvent) -> Void = { _ in }
    private var stopped: () -> Void = {}

    private let actions = ActionQueue<ProgramAction>()
    private let alarm: MachineAlarm
    let starts: ProgramStarts
    private var isMeasuring = false

    init(
        eventLoop: any EventLoop, log: LogCenter, system: any ProgramSystem, cores: Int, seed: UInt64,
        clock: @escaping () -> MonotonicTime
    ) {
        self.eventLoop = eventLoop
        self.log = log
        self.system = system
        self.clock = clock
        alarm = MachineAlarm(eventLoop: eventLoop, clock: clock)
        starts = ProgramStarts(eventLoop: eventLoop, clock: clock)
        machine = ProgramsStateMachine(cores: cores, seed: seed)
    }

    /// Starts the programs of the configuration, then those that were started at run time before.
    func start(_ configured: [ProgramConfiguration]) {
        let (remembered, warnings) = system.recall()
        for warning in warnings { log.takeOwn(.error, warning, [:]) }
        let names = Set(configured.map(\.name))
        let definitions =
            configured.map { ProgramDefinition(configuration: $0, origin: .file, isWanted: $0.autostart) }
            + remembered.filter { !names.contains($0.configuration.name) }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        system.adoptSockets(for: definitions)
        system.listen { instance, word in bound.value.said(instance, word) }
        input { $0.start(definitions, now: now()) }
        if definitions.isEmpty { settle() }
    }

    /// The configuration's programs are these from now on.
    func configured(_ configured: [ProgramConfiguration]) {
        guard !isStopping else { return }
        input { $0.configured(configured, now: now()) }
    }

    /// Ends all programs.
    ///
    /// - Parameters:
    ///   - hurried: an operator does not want to wait.
    ///   - done: once, when nothing lives any more.
    func stopAll(hurried: Bool, done: @escaping () -> Void) {
        guard !isStopping else { return }
        isStopping = true
        stopped = done
        input { $0.stopAllRequested(now: now()) }
        guard hurried, !hasStopped else { return }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.scheduleTask(in: Self.hurriedStop) { bound.value.hurry() }
    }

    /// Kills what is left. Nothing when the programs are not being stopped.
    func hurry() {
        guard isStopping, !hasStopped else { return }
        input { $0.hurryRequested(now: now()) }
    }

    func now() -> MonotonicTime { clock() }

    // MARK: - The machine

    /// Feeds the machine one fact and performs what follows.
    func input(_ fact: (inout ProgramsStateMachine) -> [ProgramAction]) {
        perform(fact(&machine))
    }

    /// Performs actions in order; those that follow from one go to the end of the queue.
    func perform(_ new: [ProgramAction]) {
        if actions.perform(new, perform) { setAlarm() }
    }

    private func perform(_ action: ProgramAction) {
        switch action {
        case .spawn(let instance, let process, let configuration):
            starts.take(instance) { [self] in spawn(instance, process, configuration) }
        case .signal(let instance, let signal):
            if starts.cancel(instance) { neverBegan(instance) } else { system.signal(instance, signal) }
        case .killTree(let instance):
            if starts.cancel(instance) { neverBegan(instance) } else { system.killTree(instance) }
        case .sweepTree(let instance): sweep(instance)
        case .probe(let instance, let probe, let timeout): ask(instance, probe, timeout)
        case .closeSockets(let program):
            // At its end the system itself knows which ones stay open for the next life of the service.
            if !isStopping { system.closeSockets(of: program) }
        case .watch(let program, let configuration): watch(program, configuration)
        case .remember: remember()
        case .operationProgress(let id, let message): operations[id]?.progress(message)
        case .operationFinished(let id, let result): operations.removeValue(forKey: id)?.finished(result)
        case .event(let event): take(event)
        case .settled: settle()
        case .allStopped: end()
        }
    }

    private func neverBegan(_ instance: InstanceID) {
        input { $0.spawnFailed(instance, reason: "it was to end before it was its turn to start", now: now()) }
    }

    /// They settled in a former life of the driver.
    func markSettled() { isSettled = true }

    private func settle() {
        guard !isSettled else { return }
        isSettled = true
        settled()
    }

    private func end() {
        guard !hasStopped else { return }
        hasStopped = true
        alarm.cancel()
        for listener in operations.values { listener.finished(.failed("The service has stopped.")) }
        operations = [:]
        stopped()
    }

    private func take(_ event: ProgramEvent) {
        var fields = event.fields
        fields["process.name"] =
            event.number.map { ProgramProcessID(program: event.program, number: $0).description } ?? event.program
        log.takeOwn(event.severity, event.message, fields, program: event.program)
        told(event)
    }

    private func ask(_ instance: InstanceID, _ probe: ProgramProbe, _ timeout: Duration) {
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        system.probe(probe, timeout: timeout) { failure in
            let driver = bound.value
            guard driver.processes[instance] != nil else { return }
            driver.input { $0.probed(instance, failure: failure, now: driver.now()) }
        }
    }

    private func watch(_ program: String, _ configuration: ProgramConfiguration?) {
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        system.watch(program, configuration) { bound.value.saw($0, of: program) }
    }

    private func saw(_ sighting: ProgramSighting, of program: String) {
        guard !hasStopped else { return }
        switch sighting {
        case .changed(let path): input { $0.filesChanged(program, path, now: now()) }
        case .cronDue: input { $0.cronDue(program, now: now()) }
        case .blind(let reason):
            log.takeOwn(
                .error, "Program files cannot be watched", ["process.name": program, "error": reason], program: program)
        }
    }

    /// What an operator should know of those that were started at run time; `nil`: all is well.
    var memoryProblem: String? {
        system.memoryTrouble.map {
            "Programs started at run time cannot be remembered: they would be gone after a restart of wsd. \($0)"
        }
    }

    private func remember() {
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        system.remember(machine.definitions) { reason in
            bound.value.log.takeOwn(
                .error, "Programs started at run time cannot be remembered: they would be gone after a restart of wsd",
                ["error": reason])
        }
    }

    // MARK: - Time

    private func setAlarm() {
        guard !hasStopped else { return }
        // Without anything alive or due, nothing has to be looked at.
        guard machine.nextDeadline != nil || !processes.isEmpty else { return }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        alarm.set(for: machine.nextDeadline) { bound.value.timePassed() }
    }

    private func timePassed() {
        guard !hasStopped else { return }
        input { $0.timePassed(now: now()) }
    }

    /// Once a second.
    func secondPassed() {
        guard !processes.isEmpty, !hasStopped else { return }
        for process in processes.values { process.pumps.forEach { $0.reportDropped() } }
        // A machine under load may take longer than a second for it.
        guard !isMeasuring else { return }
        isMeasuring = true
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        system.measure { bound.value.measured($0) }
    }

    private func measured(_ figures: [InstanceID: ProgramFigures]) {
        isMeasuring = false
        guard !hasStopped else { return }
        var actions: [ProgramAction] = []
        for (instance, figures) in figures.sorted(by: { $0.key < $1.key }) {
            guard let process = processes[instance], process.launch == .executed, process.exit == nil else { continue }
            process.measured(figures, now: now())
            actions += machine.measured(instance, memory: figures.resident, now: now())
        }
        // All at once: what follows looks at every program.
        perform(actions)
    }
}

/// Who waits for an operation on a program.
struct ProgramOperationListener {
    var progress: (String) -> Void
    /// Once.
    var finished: (OperationResult) -> Void
}
