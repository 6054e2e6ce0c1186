internal import ConfigurationFile
import Glibc
import LinuxSystem
import Logging
import Model
import NIOCore
import NIOPosix
import Supervision
import Wire

/// All that runs on the supervisor's event loop, and the order of its beginning and its end.
final class RunningService {
    static let bannerDelay = TimeAmount.milliseconds(200)
    /// How often it is seen to that the sockets' files are still there.
    static let socketCheck = TimeAmount.seconds(5)

    let eventLoop: any EventLoop
    let loader: ConfigurationLoader
    private let loaded: LoadedConfiguration
    var sockets: ServiceSockets
    /// Leaves the process.
    private let ended: (Int32) -> Void
    let log: LogCenter
    private let format: LogCenter.Format
    private let usesJournal: Bool
    let system: LinuxChildSystem
    let programSystem: LinuxProgramSystem
    let hooks: EventHooks
    private let logOutput: SupervisorLogOutput
    let hadTerminal: Bool
    /// The soft limit on descriptors that the service was started with.
    let originalLimit: Int
    /// File of this program.
    let program = OwnProgram.path
    /// How often another program has taken this process over.
    let takeovers: Int
    /// What is to be gone on with; `nil`: nothing, or it has been.
    private var handed: Handed?
    /// Another program is about to take this process over.
    var takeover: Takeover?
    let startedAt: MonotonicTime
    let startedAtTime: Double
    var driver: FleetDriver?
    private var control: ControlServer?
    var signals: SignalReader?
    private var watchdog: RepeatedTask?
    private var socketWatch: RepeatedTask?
    private var socketTrouble: String?

    init(
        eventLoop: any EventLoop, loader: ConfigurationLoader, loaded: LoadedConfiguration, sockets: ServiceSockets,
        startedAt: MonotonicTime, startedAtTime: Double, originalLimit: Int, handed: Handed? = nil,
        ended: @escaping (Int32) -> Void
    ) throws(SystemError) {
        self.eventLoop = eventLoop
        self.loader = loader
        self.loaded = loaded
        self.sockets = sockets
        self.startedAt = startedAt
        self.startedAtTime = startedAtTime
        self.originalLimit = originalLimit
        self.handed = handed
        hadTerminal = handed?.handover.hadTerminal ?? Terminal.hasControlling
        takeovers = handed?.handover.takeovers ?? 0
        self.ended = ended
        let configuration = loaded.configuration
        format = Self.format(configuration)
        usesJournal = configuration.log.format == .auto && JournalSocket.isStandardError(loader.environment)
        let log = LogCenter(
            eventLoop: eventLoop, configuration: configuration.log, format: format, console: STDERR_FILENO,
            journal: usesJournal ? JournalDestination() : nil,
            service: LogService(configuration, environment: loader.environment, usesJournal: usesJournal))
        self.log = log
        if let handed {
            log.resume(handed.lines, after: handed.lastLine, dropped: handed.handover.droppedLines)
        }
        let bound = NIOLoopBound(log, eventLoop: eventLoop)
        logOutput = SupervisorLogOutput(level: configuration.log.level) { level, message, fields in
            eventLoop.execute { bound.value.takeOwn(level, message, fields) }
        }
        system = try LinuxChildSystem(
            eventLoop: eventLoop, listeners: sockets.listeners + sockets.redirects, environment: loader.environment,
            board: handed?.handover.board)
        programSystem = LinuxProgramSystem(
            eventLoop: eventLoop, children: system,
            setup: LinuxProgramSystem.Setup(
                environment: loader.environment, controlSocket: sockets.paths.controlSocket,
                folder: Self.folder(loaded, loader), descriptorLimit: originalLimit,
                memory: ProgramMemory.path(configuration.history, environment: loader.environment, uid: geteuid()),
                formerSockets: sockets.programs, handed: handed?.handover.programSystem))
        hooks = EventHooks(
            eventLoop: eventLoop, children: system, log: log, environment: loader.environment,
            controlSocket: sockets.paths.controlSocket)
        programSystem.trouble = { level, message, fields in bound.value.takeOwn(level, message, fields) }
    }

    /// Where a program starts that names no folder.
    private static func folder(_ loaded: LoadedConfiguration, _ loader: ConfigurationLoader) -> String {
        guard let file = loaded.file, let slash = file.lastIndex(of: "/") else {
            return loader.workingFolder.isEmpty ? "/" : loader.workingFolder
        }
        return slash == file.startIndex ? "/" : String(file[..<slash])
    }

    func start(descriptorLimit: Result<DescriptorLimit, any Error>) {
        let driver = FleetDriver(
            eventLoop: eventLoop, setup: setup(), configuration: loaded, log: log, logOutput: logOutput, system: system,
            programs: ProgramsDriver(
                eventLoop: eventLoop, log: log, system: programSystem, cores: Self.cores,
                seed: UInt64.random(in: .min ... .max), clock: MonotonicTime.now),
            hooks: hooks)
        self.driver = driver
        for warning in sockets.warnings { log.takeOwn(.warning, warning, [:]) }
        if !sockets.kept.isEmpty {
            log.takeOwn(
                .info, "Listening sockets kept over the restart",
                ["listen": sockets.kept.map(\.description).joined(separator: " ")])
        }
        if case .failure(let error) = descriptorLimit {
            log.takeOwn(.warning, "The limit on open descriptors could not be raised", ["error": "\(error)"])
        }
        if let obstacle = ServiceManager.obstacle {
            log.takeOwn(
                .warning,
                "The service manager is told nothing: libsystemd cannot be loaded; install it (Debian: libsystemd0)",
                ["error": obstacle])
        }
        startControl(driver)
        startSignals(driver)
        if let interval = ServiceManager.watchdogInterval {
            let half = TimeAmount.nanoseconds(interval.nanoseconds / 2)
            let bound = NIOLoopBound(system, eventLoop: eventLoop)
            watchdog = eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: half) { _ in
                // From the loop itself: a loop that is stuck sends none.
                bound.value.notify(["WATCHDOG=1"])
            }
        }
        begin(driver)
    }

    /// Anew, or where another program stopped.
    private func begin(_ driver: FleetDriver) {
        guard let handover = handed?.handover else { return driver.start() }
        handed = nil
        driver.events.resume(handover.events, after: handover.lastEvent)
        programSystem.resume()
        driver.resume(handover.fleet, handover.programs, hooks: handover.hooks, from: handover.version)
        let seconds = (MonotonicTime.now() - handover.madeAt).inSeconds
        log.takeOwn(.debug, "Taken over", ["takeover.seconds": "\(seconds)"])
    }

    /// What another program left.
    struct Handed {
        var handover: Handover
        var lines: [LogEntry]
        var lastLine: Int
    }

    private static let cores = Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))

    private func setup() -> FleetSetup {
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let loader = loader
        return FleetSetup(
            listeners: sockets.listeners.map(\.address), redirects: sockets.redirects.map(\.address),
            controlSocket: sockets.paths.controlSocket,
            hubSocket: sockets.paths.hubSocket, underSystemd: Self.isUnderSystemd(loader.environment),
            cores: Self.cores, seed: UInt64.random(in: .min ... .max),
            startedAt: startedAt,
            startedAtTime: startedAtTime, clock: MonotonicTime.now, program: program, takeovers: takeovers,
            upgrade: { body, told throws(ControlFailure) in try bound.value.upgrade(body, told) },
            load: { Result { () throws(ConfigurationErrors) in try loader.load() } },
            ready: { bound.value.announce() }, ended: { bound.value.end($0) })
    }

    private func startControl(_ driver: FleetDriver) {
        var logger = Logger(label: LogSource.supervisorName) { [logOutput] _ in SupervisorLogHandler(output: logOutput)
        }
        logger.logLevel = .warning
        let api = ControlAPI(driver: EventLoopConfined(driver, eventLoop: eventLoop), logger: logger)
        let control = ControlServer(eventLoop: eventLoop, api: api, logger: logger)
        self.control = control
        serve(control)
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        socketWatch = eventLoop.scheduleRepeatedTask(initialDelay: Self.socketCheck, delay: Self.socketCheck) { _ in
            bound.value.restoreSockets()
        }
    }

    private func serve(_ control: ControlServer) {
        let (ownUID, group) = (geteuid(), sockets.group)
        let readOnlyOthers = loaded.configuration.control.readOnlyOthers
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        control.start(socket: sockets.control.descriptor) { socket in
            let peer = try? PeerCredentials.of(socket)
            let access = ControlAccess(
                uid: peer?.uid, groups: peer.map { [$0.gid] + $0.groups } ?? [], ownUID: ownUID, group: group,
                readOnlyOthers: readOnlyOthers)
            return ControlPeer(access: access, uid: peer?.uid)
        }.whenFailure { error in
            bound.value.log.takeOwn(.critical, "The control socket cannot be served", ["error": "\(error)"])
        }
    }

    /// Somebody may have cleared up in the runtime directory.
    private func restoreSockets() {
        guard let control, let driver, !driver.isEnding else { return }
        do {
            try RuntimeDirectory.prepare(sockets.paths)
            if let restored = try sockets.control.restored() {
                sockets.control = restored
                control.stopAccepting()
                serve(control)
                log.takeOwn(
                    .warning, "The control socket was removed by somebody; it is back",
                    ["control.socket": sockets.paths.controlSocket])
            }
            if driver.hubServes(), access(sockets.paths.hubSocket, F_OK) != 0, errno == ENOENT {
                log.takeOwn(
                    .warning, "The hub's socket was removed by somebody; the hub is restarted",
                    ["hub.socket": sockets.paths.hubSocket])
                driver.beginUnattended(.restart(slot: .hub, immediately: false))
            }
            socketTrouble = nil
        } catch {
            let trouble = "\(error)"
            guard trouble != socketTrouble else { return }
            socketTrouble = trouble
            log.takeOwn(
                .error, "The sockets in the runtime directory are gone and cannot be made anew", ["error": trouble])
        }
    }

    // MARK: - Signals

    private func startSignals(_ driver: FleetDriver) {
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        do {
            signals = try SignalReader(SupervisorMain.signals, eventLoop: eventLoop) { bound.value.received($0) }
        } catch {
            log.takeOwn(.critical, "Signals cannot be read", ["error": "\(error)"])
        }
    }

    private func received(_ signal: ReceivedSignal) {
        guard let driver else { return }
        switch signal.signal {
        case SIGTERM: driver.stopSignalled("SIGTERM")
        case SIGINT: driver.stopSignalled("SIGINT")
        case SIGHUP:
            // A terminal that closes hangs up on everybody in its session, by itself or by its shell.
            if signal.isFromKernel || hadTerminal && !Terminal.hasControlling {
                driver.stopSignalled("SIGHUP")
            } else {
                driver.beginUnattended(.reload)
            }
        case SIGUSR1:
            log.reopenFiles()
            log.takeOwn(.info, "The log file is opened anew", ["signal": "SIGUSR1"])
        case SIGCHLD: system.reapStrangers()
        default: break
        }
    }

    // MARK: - Beginning and end

    /// A person gets the banner once what the children say at their start has gone by: its last line is to stay the last one.
    private func announce() {
        let banner = banner()
        switch format {
        case .json: log.takeOwn(.notice, "Service ready", banner.fields)
        case .text where usesJournal: log.takeOwn(.notice, "Service ready", banner.fields)
        case .text(let coloured):
            log.takeOwn(.notice, "Service ready", [:])
            let bound = NIOLoopBound(log, eventLoop: eventLoop)
            eventLoop.scheduleTask(in: Self.bannerDelay) { bound.value.print(banner.text(coloured: coloured)) }
        }
    }

    private func banner() -> Banner {
        let configuration = loaded.configuration
        let usual = RuntimePaths(explicit: nil, environment: loader.environment, uid: geteuid()).controlSocket
        return Banner(
            version: WsdVersion.current, mode: configuration.mode, addresses: sockets.listeners.map(\.address),
            isSecure: configuration.tls.isOn, redirects: sockets.redirects.map(\.address),
            workers: driver.flatMap { $0.machine.servesClients ? $0.machine.workersWanted : nil },
            controlSocket: sockets.paths.controlSocket,
            socketFlag: usual == sockets.paths.controlSocket ? "" : " --socket \(sockets.paths.controlSocket)",
            configurationFile: loaded.file,
            page: configuration.testPageEnabled && !configuration.workers.areOff ? "/" : nil)
    }

    private func end(_ code: Int32) {
        watchdog?.cancel()
        socketWatch?.cancel()
        control?.stopAccepting()
        control?.quiesce()
        programSystem.stop()
        log.takeOwn(.info, "Ended", ["exit.code": String(code)])
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let deadline = eventLoop.scheduleTask(in: SupervisorService.farewell) { bound.value.leave(code) }
        waitForAnswers { [log] in
            log.flushed().whenComplete { _ in
                deadline.cancel()
                bound.value.leave(code)
            }
        }
    }

    /// Answers in progress (a stop's own among them) reach their readers first, the service manager its last message, and hooks
    /// what they are for.
    private func waitForAnswers(_ done: @escaping () -> Void) {
        let isIdle = system.hasNotified && programSystem.hasRemembered && hooks.isIdle
        guard let control, control.connectionCount > 0 || !isIdle else { return done() }
        let bound = NIOLoopBound((service: self, done: done), eventLoop: eventLoop)
        eventLoop.scheduleTask(in: .milliseconds(5)) { bound.value.service.waitForAnswers(bound.value.done) }
    }

    private var hasLeft = false

    private func leave(_ code: Int32) {
        guard !hasLeft else { return }
        hasLeft = true
        system.stop()
        sockets.close(closingControl: false)
        ended(code)
    }

    /// systemd names the process it started (systemd.exec(5)): a child of that process is not meant.
    private static func isUnderSystemd(_ environment: [String: String]) -> Bool {
        if let pid = environment["SYSTEMD_EXEC_PID"] { return Int32(pid) == getpid() }
        return environment["INVOCATION_ID"] != nil && getppid() == 1
    }

    private static func format(_ configuration: WsdConfiguration) -> LogCenter.Format {
        let isTerminal = Terminal.isTerminal(STDERR_FILENO)
        return switch configuration.log.format {
        case .text: .text(coloured: isTerminal)
        case .json: .json
        case .auto: isTerminal || configuration.mode == .dev ? .text(coloured: isTerminal) : .json
        }
    }
}
