internal import ConfigurationFile
import Glibc
import Model
import NIOCore
import Supervision
import Wire

/// Drives the fleet: performs the actions of ``FleetStateMachine`` and feeds it what happens. Everything in it is confined to
/// one event loop; all decisions are the machine's.
final class FleetDriver {
    /// Signals to stop that come within this time of the first are one.
    static let sameStop = Duration.seconds(1)

    let eventLoop: any EventLoop
    let log: LogCenter
    let logOutput: SupervisorLogOutput
    let system: any ChildSystem
    let programs: ProgramsDriver
    let events: EventCenter
    let setup: FleetSetup
    let pid = getpid()

    var machine: FleetStateMachine
    /// The configuration of every revision that a process runs or may be started with.
    var configurations: [Int: LoadedConfiguration]
    /// The running one.
    var configuration: LoadedConfiguration
    var lastRevision = 1

    var children: [InstanceID: Child] = [:]
    var queries = ChildQueries()
    var operations: [OperationID: [FleetOperationListener]] = [:]
    var endedWorkers = ChildCounters()
    var endedHubs = ChildCounters()
    /// By number.
    var traces: [Int: FleetTrace] = [:]
    var lastTrace = 0
    /// Events that no reader of a trace could take.
    var traceEventsDropped = 0
    /// Lines of children that were no messages.
    var brokenLinks = 0
    var lameDuck = false
    var ownUsage = RateMeter()
    var ownResident: Int?
    var lastStatusText: String?
    var memoryWatch: MemoryWatch?

    private let actions = ActionQueue<FleetAction>()
    private let alarm: MachineAlarm
    private var secondTimer: RepeatedTask?
    private var secondWaiters: [EventLoopPromise<Void>] = []
    private(set) var isEnding = false
    /// When a signal began the stop.
    var stopSignalledAt: MonotonicTime?
    /// A signal has hurried the stop.
    var hasHurried = false
    var isFleetReady = false
    var hasSaidReady = false
    /// Another program takes over as soon as what has been begun has ended.
    var isGivenAway = false
    /// The result of a stop, held until the programs have ended, too.
    var lastWords: (last: OperationProgress, listeners: [FleetOperationListener])?
    var secondsOfWaiting = 0

    init(
        eventLoop: any EventLoop, setup: FleetSetup, configuration: LoadedConfiguration, log: LogCenter,
        logOutput: SupervisorLogOutput, system: any ChildSystem, programs: ProgramsDriver, hooks: EventHooks? = nil
    ) {
        self.eventLoop = eventLoop
        self.setup = setup
        alarm = MachineAlarm(eventLoop: eventLoop, clock: setup.clock)
        self.configuration = configuration
        self.log = log
        self.logOutput = logOutput
        self.system = system
        self.programs = programs
        events = EventCenter(eventLoop: eventLoop, hooks: hooks)
        configurations = [1: configuration]
        machine = FleetStateMachine(
            policy: FleetPolicy(configuration.configuration, cores: setup.cores), revision: 1, seed: setup.seed)
    }

    /// Starts hub, workers and programs.
    func start() {
        log.takeOwn(.info, "Starting", ["version": WsdVersion.current, "process.pid": String(pid)])
        for warning in configuration.warnings { log.takeOwn(.warning, warning, [:]) }
        tellBeginning()
        input { $0.start(now: now()) }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        programs.settled = { bound.value.sayReady() }
        programs.start(configuration.configuration.programs)
        startClocks()
    }

    /// What is looked at regularly.
    func startClocks() {
        startMemoryWatch()
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        secondTimer = eventLoop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { _ in
            bound.value.secondPassed()
        }
    }

    func now() -> MonotonicTime { setup.clock() }

    // MARK: - The machine

    /// Feeds the machine one fact and performs what follows.
    func input(_ fact: (inout FleetStateMachine) -> [FleetAction]) {
        perform(fact(&machine))
    }

    /// Performs actions in order; those that follow from one go to the end of the queue.
    func perform(_ new: [FleetAction]) {
        if actions.perform(new, perform) { setAlarm() }
    }

    private func perform(_ action: FleetAction) {
        switch action {
        case .spawn(let instance, let slot, let revision): spawn(instance, slot, revision)
        case .kill(let instance): system.kill(instance)
        case .drain(let instance, let code, let spread, let deadline):
            children[instance]?.send(.drain(code: code, spread: spread, deadline: deadline))
        case .setLameDuck(let on):
            lameDuck = on
            for child in children.values where child.slot.role == .worker { child.send(.lameDuck(on)) }
        case .closeListeners: system.closeListeners()
        case .adoptConfiguration(let revision): adopt(revision)
        case .operationProgress(let id, let operation, let message):
            progress(id, OperationProgress(operation: operation.description, message: message))
        case .operationFinished(let id, let operation, let result): finished(id, operation, result)
        case .event(let event): take(event)
        case .notify(.ready): fleetIsReady()
        // To the service manager it still starts.
        case .notify(.reloading) where !hasSaidReady, .notify(.reloaded) where !hasSaidReady: break
        case .notify(let notification): notify(notification)
        case .exit(let code): fleetEnded(code)
        }
    }

    // MARK: - Time

    private func setAlarm() {
        guard !isEnding else { return }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        alarm.set(for: machine.nextDeadline) { bound.value.timePassed() }
    }

    private func timePassed() {
        guard !isEnding else { return }
        queries.timePassed(now: now())
        input { $0.timePassed(now: now()) }
    }

    private func secondPassed() {
        guard !isEnding else { return }
        if let usage = system.usage(of: pid) {
            ownUsage.add(usage.cpuSeconds, at: now())
            ownResident = usage.resident
        }
        for child in children.values { child.pump.reportDropped() }
        programs.secondPassed()
        events.hooks?.secondPassed()
        askForTime()
        log.reportTrouble()
        log.wake()
        notifyStatus()
        tendTraces()
        let waiters = secondWaiters
        secondWaiters = []
        waiters.forEach { $0.succeed() }
    }

    /// `true` after the next second has passed, `false` when the service ends.
    func nextSecond() -> EventLoopFuture<Bool> {
        guard !isEnding else { return eventLoop.makeSucceededFuture(false) }
        let promise = eventLoop.makePromise(of: Void.self)
        secondWaiters.append(promise)
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        return promise.futureResult.map { !bound.value.isEnding }
    }

    /// `true` when there may be new log lines, at least once a second; `false` when the service ends.
    func nextLine() -> EventLoopFuture<Bool> {
        guard !isEnding else { return eventLoop.makeSucceededFuture(false) }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        return log.nextLine().map { !bound.value.isEnding }
    }

    /// Whether the hub is ready and nothing goes on that would restart it.
    func hubServes() -> Bool {
        let snapshot = machine.snapshot(now: now())
        return snapshot.operation == nil && snapshot.processes.contains { $0.slot == .hub && $0.state == .ready }
    }

    // MARK: - The end

    func end(_ code: Int32) {
        guard !isEnding else { return }
        isEnding = true
        alarm.cancel()
        secondTimer?.cancel()
        memoryWatch?.stop()
        queries.closeAll()
        for waiters in operations.values { waiters.forEach { $0.abandoned() } }
        operations = [:]
        secondWaiters.forEach { $0.succeed() }
        secondWaiters = []
        log.wake()
        events.wake()
        endTraces()
        setup.ended(code)
    }
}

/// What the driver is told at its start, and does not change.
struct FleetSetup {
    /// The sockets that workers inherit, in this order.
    var listeners: [ListenAddress]
    /// Sockets behind these that send browsers to https.
    var redirects: [ListenAddress] = []
    var controlSocket: String
    var hubSocket: String
    var underSystemd: Bool
    /// Stands in for a worker count that is not configured.
    var cores: Int
    var seed: UInt64
    var startedAt: MonotonicTime
    /// Seconds since 1970.
    var startedAtTime: Double
    var clock: () -> MonotonicTime
    /// File of this program; `nil`: not known.
    var program: String?
    /// How often another program has taken the process over.
    var takeovers = 0
    /// Begins to have another one take it over.
    var upgrade: (UpgradeBody, @escaping (OperationProgress) -> Void) throws(ControlFailure) -> Void = {
        _, _ throws(ControlFailure) in
        throw .unavailable("Nothing can take this service over.")
    }
    /// Reads the configuration anew.
    var load: () -> Result<LoadedConfiguration, ConfigurationErrors>
    /// The service is ready for the first time.
    var ready: () -> Void
    /// Nothing lives any more: leave with this status.
    var ended: (Int32) -> Void
}
