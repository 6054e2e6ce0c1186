internal import ConfigurationFile
import Glibc
import LinuxSystem
import Model
import Supervision
import Wire

extension RunningService: TakeoverService {
    /// `POST /v1/upgrade`.
    func upgrade(
        _ body: UpgradeBody, _ told: @escaping (OperationProgress) -> Void
    ) throws(ControlFailure) {
        guard let driver, !driver.isEnding, !driver.machine.isStopping else {
            throw .unavailable("The service is ending.")
        }
        guard takeover == nil else { throw .busy("Another program is about to take the service over already.") }
        guard driver.hasSaidReady else {
            throw .busy("The service is starting. Try again when it is ready, or restart it. See `wsctl status`.")
        }
        guard let path = body.program ?? program else {
            throw .conflict("The file of the running program is not known: name the one that is to take over.")
        }
        guard path.hasPrefix("/"), !path.utf8.contains(0) else {
            throw .badRequest("“program” must be an absolute path.")
        }
        takeover = try Takeover(eventLoop: eventLoop, service: self, path: path, told: told) { [weak self] in
            self?.takeover = nil
        }
        takeover?.begin(checkOnly: body.checkOnly ?? false)
    }

    var takeoverObstacle: String? {
        guard let driver, !driver.machine.isStopping else { return "the service is stopping" }
        if let obstacle = driver.takeoverObstacle { return obstacle }
        if !hooks.isResting { return "a hook of onEvent is being carried out" }
        if !system.hasNotified { return "the service manager is being told something" }
        return programSystem.hasRemembered ? nil : "programs are being remembered on disk"
    }

    func refuseOperations(_ isRefusing: Bool) { driver?.isGivenAway = isRefusing }

    func holdStill(_ isHeld: Bool) {
        if isHeld { driver?.prepareTakeover() }
        log.flow.isHeld = isHeld
        hooks.isHeld = isHeld
        signals?.hold(isHeld)
        system.hold(isHeld)
        programSystem.hold(isHeld)
    }

    var takeoverUnrest: String? {
        if let unrest = driver?.takeoverUnrest { return unrest }
        if !log.isWritten { return "lines of the log wait to be written: standard error or a disk takes none" }
        return system.isQuiet && programSystem.isQuiet ? nil : "the processes are being looked at"
    }

    func makeHandover() throws(TakeoverFailure) -> (file: CInt, descriptors: Set<CInt>) {
        guard let driver else { throw TakeoverFailure("The service is ending.") }
        let handover = Handover(
            version: WsdVersion.current, link: WsdVersion.link, pid: getpid(), takeovers: takeovers + 1,
            madeAt: MonotonicTime.now(), startedAt: startedAt, startedAtTime: startedAtTime,
            descriptorLimit: originalLimit, hadTerminal: hadTerminal, sockets: sockets, board: system.boardDescriptor,
            fleet: driver.handed, programs: driver.programs.handed, programSystem: programSystem.handed,
            events: driver.events.store.all, lastEvent: driver.events.store.end, hooks: hooks.waiting,
            droppedLines: log.droppedBySource)
        do {
            let bytes = try HandoverFile.bytes(handover, log.store)
            return (try MemoryFile.make(bytes, name: HandoverFile.name), handover.descriptors)
        } catch {
            throw TakeoverFailure("What is to be handed over cannot be written: \(error)")
        }
    }

    func say(_ level: LogLevel, _ message: String, _ fields: [String: String]) {
        log.takeOwn(level, message, fields)
    }
}
