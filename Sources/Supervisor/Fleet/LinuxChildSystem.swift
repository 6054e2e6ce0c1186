import Glibc
import LinuxSystem
import Model
import NIOCore
import Wire

/// The real processes. Confined to the event loop.
final class LinuxChildSystem: ChildSystem {
    private let eventLoop: any EventLoop
    private let board: FleetBoard
    private let environment: [String]
    private let notifier = ServiceNotifier()
    private let memoryGroup = MemoryGroup()
    private var listeners: [ListeningSocket]
    private var watcher: ProcessWatcher?
    private var pids: [InstanceID: Int32] = [:]
    private var exits: [Int32: (ProcessExit) -> Void] = [:]

    /// - Parameters:
    ///   - listeners: owned from here on.
    ///   - environment: what children get, besides what was meant for this process alone.
    ///   - board: of a program that had this process before; `nil`: a new one.
    init(
        eventLoop: any EventLoop, listeners: [ListeningSocket], environment: [String: String], board: CInt? = nil
    ) throws(SystemError) {
        self.eventLoop = eventLoop
        self.listeners = listeners
        self.environment = ChildSpawner.childEnvironment(from: environment)
        self.board = if let board { try FleetBoard(adopting: board) } else { try FleetBoard() }
        let bound = NIOLoopBoundBox<LinuxChildSystem?>.makeBoxSendingValue(nil, eventLoop: eventLoop)
        watcher = try ProcessWatcher { pid, exit in
            eventLoop.execute { bound.value?.ended(pid, exit) }
        }
        bound.value = self
    }

    func spawn(_ configuration: ChildConfiguration, exited: @escaping (ProcessExit) -> Void) throws -> LaunchedChild {
        let link = try Descriptors.socketPair()
        defer { Descriptors.close(link.theirs) }
        do {
            try writeConfiguration(configuration, to: link.ours)
            let log = try Descriptors.pipe()
            defer { Descriptors.close(log.write) }
            do {
                let process = try ChildSpawner.spawn(
                    arguments: ["wsd", configuration.slot.role.rawValue], environment: environment,
                    descriptors: descriptors(for: configuration.slot, link: link.theirs, log: log.write))
                KillPreference.expose(child: process.pid)
                try watch(process, configuration.instance, exited)
                return LaunchedChild(pid: process.pid, link: link.ours, log: log.read)
            } catch {
                Descriptors.close(log.read)
                throw error
            }
        } catch {
            Descriptors.close(link.ours)
            throw error
        }
    }

    func adopt(_ instance: InstanceID, pid: Int32, exited: @escaping (ProcessExit) -> Void) throws {
        try watch(try ChildSpawner.adopt(pid: pid), instance, exited)
    }

    private func watch(
        _ process: SpawnedProcess, _ instance: InstanceID, _ exited: @escaping (ProcessExit) -> Void
    ) throws {
        let bound = NIOLoopBound((system: self, exited: exited), eventLoop: eventLoop)
        try watch(process) { exit in
            bound.value.system.pids[instance] = nil
            bound.value.exited(exit)
        }
        pids[instance] = process.pid
    }

    func kill(_ instance: InstanceID) {
        guard let pid = pids[instance] else { return }
        watcher?.signal(pid, SIGKILL)
    }

    /// Waits for the end of a child of this process, which is ended at once where that is not possible. There is one watcher for
    /// all: another one would take its children for strangers.
    ///
    /// - Parameter exited: called once, later, on the event loop.
    func watch(_ process: SpawnedProcess, exited: @escaping (ProcessExit) -> Void) throws {
        guard let watcher else {
            abandon(process.pid)
            Descriptors.close(process.pidfd)
            throw ChildSystemError(description: "The service is ending")
        }
        exits[process.pid] = exited
        do {
            try watcher.watch(process)
        } catch {
            abandon(process.pid)
            throw error
        }
    }

    /// Nothing when the process has ended.
    func signal(_ pid: Int32, _ signal: Int32) { watcher?.signal(pid, signal) }

    /// A child has ended that may be none of the service's: as process 1 of a container it gets all orphans.
    func reapStrangers() { watcher?.reapStrangers() }

    func clearBoard(of slot: SlotID, instance: InstanceID) {
        guard slot.role == .worker else { return }
        board.clear(slot: slot.number, instance: instance.rawValue)
    }

    func usage(of pid: Int32) -> ProcessUsage? {
        ProcessFigures.read(pid: pid).map {
            ProcessUsage(cpuSeconds: $0.cpuTime.inSeconds, resident: $0.residentBytes)
        }
    }

    func memory() -> MemoryReading? { memoryGroup?.read() }

    func memoryEvents() -> CInt? {
        // Without it (too many watches of this user, say) the regular look has to do.
        memoryGroup?.eventsFile.flatMap { try? FileChanges.watch($0) }
    }

    func closeListeners() {
        for listener in listeners {
            listener.close()
            listener.removeFile()
        }
        listeners = []
    }

    func notify(_ assignments: [String]) {
        guard ServiceManager.isPresent else { return }
        notifier.notify(assignments)
    }

    /// Has the service manager hold a listening socket for the next life of the service.
    func hold(_ descriptor: CInt, name: String) {
        guard ServiceManager.isPresent else { return }
        notifier.hold(descriptor, name: name)
    }

    /// Has it let go of what it holds under this name.
    func release(name: String) { notify(["FDSTOREREMOVE=1", "FDNAME=\(name)"]) }

    /// Whether the service manager has been told everything.
    var hasNotified: Bool { notifier.isIdle }

    /// No end of a process is told, and none reaped, until it is `false` again; see ``isQuiet``.
    func hold(_ isHeld: Bool) { isHeld ? watcher?.hold() : watcher?.release() }

    /// It is held, and every end that was seen has been told.
    var isQuiet: Bool { watcher?.isQuiet ?? false }

    /// The memory that the workers share.
    var boardDescriptor: CInt { board.descriptor }

    /// Ends the watching; nothing can be spawned any more.
    func stop() {
        watcher?.stop()
        watcher = nil
    }

    private func ended(_ pid: Int32, _ exit: ProcessExit) {
        exits.removeValue(forKey: pid)?(exit)
    }

    /// Nobody could see its end: it must not live.
    private func abandon(_ pid: Int32) {
        exits[pid] = nil
        Glibc.kill(pid, SIGKILL)
        var status: Int32 = 0
        waitpid(pid, &status, 0)
    }

    private func descriptors(for slot: SlotID, link: CInt, log: CInt) -> [InheritedDescriptor] {
        var descriptors = [
            InheritedDescriptor(source: log, target: STDOUT_FILENO),
            InheritedDescriptor(source: log, target: STDERR_FILENO),
            InheritedDescriptor(source: link, target: ChildDescriptors.link),
            InheritedDescriptor(source: board.descriptor, target: ChildDescriptors.board),
        ]
        guard slot.role == .worker else { return descriptors }
        for (offset, listener) in listeners.enumerated() {
            descriptors.append(
                InheritedDescriptor(source: listener.descriptor, target: ChildDescriptors.firstListener + Int32(offset))
            )
        }
        return descriptors
    }

    /// Fits into an empty socket's buffer as a whole (212,992 bytes by default, socket(7)); a configuration has a few thousand.
    private func writeConfiguration(_ configuration: ChildConfiguration, to link: CInt) throws {
        let line = try ChildLinkCodec.encode(SupervisorMessage.configure(configuration))
        let written = line.withUnsafeReadableBytes { Glibc.write(link, $0.baseAddress, $0.count) }
        guard written == line.readableBytes else {
            throw ChildSystemError(description: "The configuration is too large for the child link")
        }
    }
}
