internal import ConfigurationFile
import Glibc
import LinuxSystem
import Model
import NIOCore
import NIOPosix
import Supervision
import Wire

extension FleetDriver {
    func spawn(_ instance: InstanceID, _ slot: SlotID, _ revision: Int) {
        let configuration = (configurations[revision] ?? configuration).configuration.forChildren
        var launch = ChildConfiguration(
            slot: slot, instance: instance, configuration: configuration, hubSocket: setup.hubSocket,
            listeners: slot.role == .worker ? setup.listeners : [], serviceStartedAt: setup.startedAtTime,
            livingWorkers: children.values.count { $0.slot.role == .worker && $0.exit == nil },
            controlSocket: setup.controlSocket)
        if slot.role == .worker { launch.redirects = setup.redirects }
        let launched: LaunchedChild
        do {
            let bound = NIOLoopBound(self, eventLoop: eventLoop)
            launched = try system.spawn(launch) { exit in bound.value.processEnded(instance, exit) }
        } catch {
            input { $0.childSpawnFailed(instance, reason: "\(error)", now: now()) }
            return
        }
        let source = LogSource(slot: slot, pid: launched.pid)
        let pump = LogPump(log: log, source: source, clock: setup.clock)
        let child = Child(instance: instance, slot: slot, pid: launched.pid, pump: pump)
        children[instance] = child
        input { $0.childSpawned(instance, pid: launched.pid, now: now()) }
        adoptLog(launched.log, pump)
        adoptLink(launched.link, child)
    }

    func adoptLog(_ descriptor: CInt, _ pump: LogPump) {
        AdoptedDescriptor.read(descriptor, on: eventLoop) { channel in
            try channel.pipeline.syncOperations.addHandler(pump)
        }
    }

    func adoptLink(_ descriptor: CInt, _ child: Child, unread: ByteBuffer = ByteBuffer()) {
        AdoptedDescriptor.connected(descriptor, on: eventLoop) { [self] channel in
            let handler = ChildLinkHandler(
                unread: unread, received: { self.received($0, from: child) },
                ended: { self.linkEnded(child, reason: $0) })
            try channel.pipeline.syncOperations.addHandler(handler)
            child.link = channel
        } failed: { [self] _ in
            linkEnded(child, reason: "The link could not be set up")
        }
    }

    // MARK: - What a child says

    private func received(_ message: ChildMessage, from child: Child) {
        let instance = child.instance
        switch message {
        case .hello(_, let version, let link, let boot):
            child.boot = boot
            child.isIntroduced = link == WsdVersion.link
            input { $0.childSaidHello(instance, version: version, link: link, now: now()) }
            guard child.isIntroduced else { return }
            if lameDuck, child.slot.role == .worker { child.send(.lameDuck(true)) }
        case .ready:
            guard child.isIntroduced else { return }
            child.isReady = true
            followWorker(child)
            input { $0.childBecameReady(instance, now: now()) }
        case .heartbeat(let counters):
            let usage = system.usage(of: child.pid)
            child.beat(counters, usage: usage, now: now())
            input { $0.childBeat(instance, memory: usage?.resident, now: now()) }
        case .failed(let reason, let exitCode):
            input { $0.childFailedToStart(instance, reason: reason, exitCode: exitCode, now: now()) }
        case .listenerReleased:
            input { $0.childReleasedListener(instance, now: now()) }
        case .draining(let remaining):
            input { $0.childReportedDraining(instance, remaining: remaining, now: now()) }
        case .reply(let id, let page, let more):
            queries.replied(instance, id: id, page: page, more: more, now: now())
        case .trace(let id, let events, let dropped):
            traceReported(id, events, dropped: dropped, from: child)
        }
    }

    private func linkEnded(_ child: Child, reason: String?) {
        guard !child.linkEnded else { return }
        child.linkEnded = true
        queries.ended(child.instance)
        if let reason {
            brokenLinks += 1
            log.takeOwn(
                .error, "A child sent what is no message and is killed",
                ["process.name": child.slot.description, "process.pid": String(child.pid), "error": reason])
        }
        if child.exit == nil {
            // Alive without a link it could be neither watched nor told anything.
            guard reason != nil else { return }
            system.kill(child.instance)
        } else {
            reportExit(child)
        }
    }

    // MARK: - Its end

    func processEnded(_ instance: InstanceID, _ exit: ProcessExit) {
        guard let child = children[instance], child.exit == nil else { return }
        child.exit = exit
        system.clearBoard(of: child.slot, instance: instance)
        if child.linkEnded { return reportExit(child) }
        // Its last words may still lie in the link; the link ends behind them.
        let bound = NIOLoopBound((driver: self, child: child), eventLoop: eventLoop)
        eventLoop.scheduleTask(in: Child.lastWords) { bound.value.driver.reportExit(bound.value.child) }
    }

    private func reportExit(_ child: Child) {
        guard let exit = child.exit, children.removeValue(forKey: child.instance) != nil else { return }
        child.linkEnded = true
        child.link?.close(promise: nil)
        queries.ended(child.instance)
        switch child.slot.role {
        case .hub: endedHubs.addEnded(child.counters)
        case .worker: endedWorkers.addEnded(child.counters)
        }
        workerLeftTraces(child, exit)
        // A kill by the kernel is counted before the signal is sent.
        if case .signalled(SIGKILL, _) = exit { memoryWatch?.look() }
        input { $0.childExited(child.instance, exit, now: now()) }
        configurations = configurations.filter { machine.revisionsInUse.contains($0.key) || $0.key == lastRevision }
    }

    // MARK: - Questions

    /// Puts a question to all living children of a role. The stream ends when all have answered, or after
    /// ``ChildQueries/deadline`` of silence.
    func ask(_ query: ChildQuery, role: ChildRole) throws -> AsyncStream<ChildAnswer> {
        guard machine.servesClients else { throw ControlFailure.conflict(OperationRefusal.noWorkers.description) }
        guard !queries.isFull else {
            throw ControlFailure.unavailable("Too many questions at once. Try again in a moment.")
        }
        let able = children.values.filter { $0.slot.role == role && $0.isListening && $0.isReady }
        let targets = Dictionary(uniqueKeysWithValues: able.map { ($0.instance, $0.source.name) })
        let (id, answers) = queries.open(targets, now: now())
        for child in able where !child.send(.query(id: id, query)) { queries.notAsked(child.instance, id: id) }
        return answers
    }
}
