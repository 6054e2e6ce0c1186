import Glibc
import LinuxSystem
import Model
import NIOCore
import NIOPosix
import Supervision

/// The real processes of programs. Confined to the event loop.
final class LinuxProgramSystem: ProgramSystem {
    /// Before a guard that has ended is started again.
    static let guardPause = TimeAmount.seconds(1)

    struct Setup {
        /// The supervisor's own.
        var environment: [String: String]
        var controlSocket: String
        /// Working directory of a program that names none.
        var folder: String
        /// The soft limit on descriptors that the supervisor was started with.
        var descriptorLimit: Int
        /// File of the programs that are remembered; `nil`: nothing says where.
        var memory: String?
        /// Sockets that a former life of the service left.
        var formerSockets: [SystemdSockets.Inherited]
        /// What the program before this one had; `nil`: there was none.
        var handed: HandedProgramSystem?
    }

    private typealias Life = HandedProgramSystem.Life

    private let eventLoop: any EventLoop
    private let children: LinuxChildSystem
    private let setup: Setup
    private let tags: ProgramTags
    private let trees: ProgramTrees
    private let senses: ProgramSenses
    private let memory: ProgramMemory
    private let guardLink = ProgramGuardLink()
    private lazy var groups = ProgramGroups(token: tags.token)
    private var sockets: ProgramSockets
    private var lives: [InstanceID: Life] = [:]
    private var witness = ProgramWitness()
    private var hasBegun = false
    private var isStopped = false
    /// Said already.
    private var isUnguarded = false
    /// What an operator should know, once each; severity and sentence.
    var trouble: (LogLevel, String, [String: String]) -> Void = { _, _, _ in }

    init(eventLoop: any EventLoop, children: LinuxChildSystem, setup: Setup) {
        self.eventLoop = eventLoop
        self.children = children
        self.setup = setup
        tags = setup.handed?.tags ?? ProgramTags()
        trees = ProgramTrees(eventLoop: eventLoop)
        senses = ProgramSenses(eventLoop: eventLoop)
        memory = ProgramMemory(path: setup.memory, eventLoop: eventLoop)
        sockets = ProgramSockets(
            former: setup.formerSockets,
            store: ServiceManager.isPresent
                ? ProgramSockets.Store(
                    hold: { children.hold($0, name: $1) }, release: { children.release(name: $0) })
                : nil)
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        trees.dissolved = { root in bound.value.guardLink.remove(root) }
        senses.trusts = { bound.value.trusts($0, $1) }
    }

    // MARK: - Takeover

    var handed: HandedProgramSystem {
        HandedProgramSystem(
            tags: tags, hasBegun: hasBegun, lives: lives, trees: trees.known, notifications: senses.notifySockets,
            sockets: sockets.handed, guardian: guardLink.handed)
    }

    /// Goes on with what the program before this one had. Once, before anything else.
    func resume() {
        guard let handed = setup.handed else { return }
        (hasBegun, lives) = (handed.hasBegun, handed.lives)
        trees.resume(handed.trees)
        sockets.resume(handed.sockets)
        for (instance, socket) in handed.notifications {
            do {
                try senses.adopt(socket, of: instance)
            } catch {
                trouble(.error, "A program's notifications are not heard any more", ["error": "\(error)"])
            }
        }
        guard hasBegun else { return }
        startGuard(handed.guardian)
    }

    func adopt(_ instance: InstanceID, exited: @escaping (ProcessExit) -> Void) throws {
        guard let life = lives[instance] else {
            throw ProgramSystemError(description: "nothing is known of the process")
        }
        try watch(try ChildSpawner.adopt(pid: life.pid), instance, exited)
    }

    /// Nothing is looked at or heard until it is `false` again; see ``isQuiet``.
    func hold(_ isHeld: Bool) {
        trees.isHeld = isHeld
        senses.hold(isHeld)
    }

    var isQuiet: Bool { trees.isResting && senses.isQuiet }

    // MARK: - Processes

    func spawn(_ start: ProgramStart, exited: @escaping (ProcessExit) -> Void) throws -> LaunchedProgramProcess {
        let configuration = start.configuration
        begin()
        try DescriptorRoom.check()
        let environment = try ProgramEnvironment(
            supervisor: setup.environment, process: start.process, controlSocket: setup.controlSocket,
            configuration: configuration, isOtherUser: ProgramAccount.isAnother(configuration.user))
        let listeners = try sockets.sockets(of: start.process.program, configuration.listen)
        for address in sockets.takeSpoiled() {
            trouble(
                .warning,
                "A socket of a program led nowhere: a process shut it down or removed its file. It is bound anew",
                ["process.name": start.process.description, "server.address": "\(address)"])
        }
        let out = try Descriptors.pipe()
        defer { Descriptors.close(out.write) }
        do {
            let err = try Descriptors.pipe()
            defer { Descriptors.close(err.write) }
            do {
                var launch = ProgramLaunch(
                    command: configuration.command,
                    environment: environment.values.map { "\($0.key)=\($0.value)" }.sorted(),
                    ownNames: environment.own.sorted(), folder: configuration.folder ?? setup.folder,
                    softDescriptorLimit: setup.descriptorLimit, deathSignal: configuration.stopSignal, out: out.write,
                    err: err.write, tag: tags.tag(of: start.instance))
                (launch.user, launch.group) = (configuration.user, configuration.group)
                (launch.umask, launch.nice, launch.limits) = (
                    configuration.umask, configuration.nice, configuration.limits
                )
                launch.listeners = listeners.map(\.descriptor)
                launch.listenerNames = listeners.map { _ in start.process.program }
                launch.notifySocket = try senses.openNotifications(of: start.instance)
                launch.controlGroup = group(of: start)
                let status = try self.launch(launch, start.instance, exited)
                return LaunchedProgramProcess(pid: status.pid, out: out.read, err: err.read, status: status.status)
            } catch {
                Descriptors.close(err.read)
                throw error
            }
        } catch {
            Descriptors.close(out.read)
            senses.closeNotifications(of: start.instance)
            throw error
        }
    }

    private func launch(
        _ launch: ProgramLaunch, _ instance: InstanceID, _ exited: @escaping (ProcessExit) -> Void
    ) throws -> (pid: Int32, status: CInt) {
        let launched: LaunchedProgram
        do {
            launched = try ProgramSpawner.spawn(launch)
        } catch {
            if let group = launch.controlGroup { ProgramGroup(folder: group).remove() }
            throw error
        }
        let pid = launched.process.pid
        do {
            try watch(launched.process, instance, exited)
        } catch {
            Descriptors.close(launched.status)
            if let group = launch.controlGroup { ProgramGroup(folder: group).remove() }
            throw error
        }
        lives[instance] = Life(pid: pid, root: launched.root, hasEnded: false)
        guardLink.add(launched.root)
        trees.add(launched.root, of: instance)
        return (pid, launched.status)
    }

    private func watch(
        _ process: SpawnedProcess, _ instance: InstanceID, _ exited: @escaping (ProcessExit) -> Void
    ) throws {
        let bound = NIOLoopBound((system: self, exited: exited), eventLoop: eventLoop)
        try children.watch(process) { exit in
            let (system, exited) = bound.value
            system.lives[instance]?.hasEnded = true
            exited(system.witness.explained(exit, of: instance, group: system.lives[instance]?.root.group))
        }
    }

    private func trusts(_ instance: InstanceID, _ message: NotifyMessage) -> Bool {
        guard let life = lives[instance] else { return false }
        switch witness.judge(message, to: instance, life.root) {
        case .trusted: return true
        case .stranger(let isFirst):
            if isFirst {
                trouble(
                    .warning, "Notifications of another user are not the program's: they are ignored",
                    ["process.pid": "\(life.pid)", "sender.pid": "\(message.pid)", "sender.uid": "\(message.uid)"])
            }
            return false
        }
    }

    private func group(of start: ProgramStart) -> String? {
        let label = "\(start.process.program).\(start.process.number).\(start.instance.rawValue)"
        return (try? groups?.make(label))?.folder
    }

    func signal(_ instance: InstanceID, _ signal: Int32) {
        guard let life = lives[instance], !life.hasEnded else { return }
        if signal == SIGKILL { witness.kills(instance) }
        children.signal(life.pid, signal)
    }

    func killTree(_ instance: InstanceID) {
        guard let life = lives[instance] else { return }
        witness.kills(instance)
        // At once, whatever the look at the others takes.
        if !life.hasEnded { children.signal(life.pid, SIGKILL) }
        trees.kill(instance)
    }

    func sweepTree(_ instance: InstanceID, gone: @escaping () -> Void) {
        senses.closeNotifications(of: instance)
        let bound = NIOLoopBound((system: self, gone: gone), eventLoop: eventLoop)
        trees.sweep(instance) {
            bound.value.system.lives[instance] = nil
            bound.value.system.witness.forget(instance)
            bound.value.gone()
        }
    }

    func measure(_ took: @escaping ([InstanceID: ProgramFigures]) -> Void) {
        guardLink.wake()
        trees.measure(took)
    }

    // MARK: - The first program

    private func begin() {
        guard !hasBegun else { return }
        hasBegun = true
        do {
            try Subreaper.become()
        } catch {
            trouble(
                .warning, "Orphans of programs come to process 1: what a program leaves behind may be missed",
                ["error": "\(error)"])
        }
        startGuard()
    }

    /// - Parameter running: one that the program before this one started.
    private func startGuard(_ running: ProgramGuardLink.Handed? = nil) {
        guard !isStopped else { return }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        do {
            if let running {
                // Of the program before: the next line has another one in its place, which knows the same trees.
                try children.watch(try guardLink.resume(running)) { _ in }
            }
            try children.watch(try guardLink.start()) { _ in bound.value.guardEnded() }
            isUnguarded = false
        } catch {
            if !isUnguarded {
                isUnguarded = true
                trouble(
                    .error,
                    "The guard of the programs cannot be started: they would outlive a supervisor that is killed",
                    ["error": "\(error)"])
            }
            guardEnded()
        }
    }

    private func guardEnded() {
        guard !isStopped else { return }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.scheduleTask(in: Self.guardPause) { bound.value.startGuard() }
    }

    func stop() {
        isStopped = true
        guardLink.bye()
        memory.write()
        senses.stop()
        sockets.closeAll()
    }

    // MARK: - The rest

    func probe(_ probe: ProgramProbe, timeout: Duration, answered: @escaping (_ failure: String?) -> Void) {
        senses.probe(probe, timeout: timeout, answered: answered)
    }

    func watch(_ program: String, _ configuration: ProgramConfiguration?, seen: @escaping (ProgramSighting) -> Void) {
        senses.watch(program, configuration, folder: configuration?.folder ?? setup.folder, seen: seen)
    }

    func listen(_ said: @escaping (InstanceID, ProgramWord) -> Void) { senses.said = said }

    func adoptSockets(for programs: [ProgramDefinition]) {
        let kept = sockets.adopt(for: programs)
        guard !kept.isEmpty else { return }
        trouble(
            .info, "Listening sockets of programs kept over the restart",
            ["listen": kept.map(\.description).joined(separator: " ")])
    }

    func closeSockets(of program: String) { sockets.close(program) }

    func environment(
        of process: ProgramProcessID, _ configuration: ProgramConfiguration
    ) throws(ProgramSystemError) -> [String: String] {
        try ProgramEnvironment(
            supervisor: setup.environment, process: process, controlSocket: setup.controlSocket,
            configuration: configuration, isOtherUser: ProgramAccount.isAnother(configuration.user)
        ).values
    }

    func recall() -> (programs: [ProgramDefinition], warnings: [String]) { memory.recall() }

    /// A just-in-time compiler that may not work says so with a trap, if at all.
    func cause(of exit: ProcessExit) -> String? {
        guard case .signalled(let signal, _) = exit, [SIGTRAP, SIGILL, SIGSEGV, SIGABRT].contains(signal),
            ExecutableMemory.isForbidden
        else { return nil }
        return
            "the service may have no memory that is writable and executable (MemoryDenyWriteExecute=), without which "
            + "Node.js, Java and other runtimes do not start: put programs.conf beside the unit"
    }

    /// Whether everything that is to be remembered is on disk.
    var hasRemembered: Bool { memory.isIdle }

    var memoryTrouble: String? { memory.trouble }

    func remember(_ programs: [ProgramDefinition], failed: @escaping (String) -> Void) {
        memory.remember(programs, failed: failed)
    }
}
