import LinuxSystem
import Model
import NIOCore
import NIOPosix
import Supervision
import Wire

extension ProgramsDriver {
    func spawn(_ instance: InstanceID, _ id: ProgramProcessID, _ configuration: ProgramConfiguration) {
        let launched: LaunchedProgramProcess
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        do {
            let start = ProgramStart(instance: instance, process: id, configuration: configuration)
            launched = try system.spawn(start) { exit in bound.value.processEnded(instance, exit) }
        } catch {
            input { $0.spawnFailed(instance, reason: "\(error)", now: now()) }
            return
        }
        let process = ProgramProcess(instance: instance, process: id, pid: launched.pid, configuration: configuration)
        processes[instance] = process
        process.launchDeadline = eventLoop.scheduleTask(in: ProgramProcess.launchTimeout) {
            bound.value.launchTimedOut(instance)
        }
        adopt(launched.out, .out, process)
        adopt(launched.err, .err, process)
        adoptStatus(launched.status, process)
    }

    func adopt(
        _ descriptor: CInt, _ stream: LogStream, _ process: ProgramProcess, resuming handed: HandedOutput? = nil
    ) {
        let bound = NIOLoopBound((driver: self, process: process), eventLoop: eventLoop)
        let pump = LogPump(
            log: log, source: LogSource(process: process.process, stream: stream, pid: process.pid), clock: clock,
            heard: { bound.value.driver.heard($0, stream, bound.value.process) },
            ended: { bound.value.driver.outputEnded(bound.value.process) }, resuming: handed)
        process.pumps.append(pump)
        AdoptedDescriptor.read(descriptor, on: eventLoop) { channel in
            try channel.pipeline.syncOperations.addHandler(pump)
        } failed: { [self] _ in
            outputEnded(process)
        }
    }

    func adoptStatus(_ descriptor: CInt, _ process: ProgramProcess, text: [UInt8] = []) {
        AdoptedDescriptor.read(descriptor, on: eventLoop) { [self] channel in
            let reader = LaunchStatusReader(text: text) { self.launched(process, failure: $0) }
            try channel.pipeline.syncOperations.addHandler(reader)
            process.status = channel
        } failed: { [self] error in
            launched(process, failure: "The launch cannot be followed: \(error)")
        }
    }

    // MARK: - The launch

    /// The program runs, or it is said why not.
    private func launched(_ process: ProgramProcess, failure: String?) {
        guard process.launch == .pending, processes[process.instance] != nil else { return }
        process.launchDeadline?.cancel()
        process.status = nil
        guard let failure else {
            process.launch = .executed
            input { $0.spawned(process.instance, pid: process.pid, now: now()) }
            for word in process.earlyWords { said(process.instance, word) }
            process.earlyWords = []
            return reportExitIfHeard(process)
        }
        launchFailed(process, failure)
    }

    func launchTimedOut(_ instance: InstanceID) {
        guard let process = processes[instance], process.launch == .pending else { return }
        let seconds = ProgramProcess.launchTimeout.nanoseconds / 1_000_000_000
        launchFailed(process, "it was not started within \(seconds) s: a disk or a name service does not answer")
    }

    /// Reported when nothing of it lives; what even SIGKILL cannot end is not waited for.
    func launchFailed(_ process: ProgramProcess, _ reason: String) {
        process.launch = .failed(reason)
        guard process.exit == nil else { return reportFailedLaunch(process) }
        system.killTree(process.instance)
        let bound = NIOLoopBound((driver: self, process: process), eventLoop: eventLoop)
        eventLoop.scheduleTask(in: ProgramProcess.launchTimeout) {
            bound.value.driver.reportFailedLaunch(bound.value.process)
        }
    }

    private func reportFailedLaunch(_ process: ProgramProcess) {
        guard case .failed(let reason) = process.launch, processes.removeValue(forKey: process.instance) != nil else {
            return
        }
        system.sweepTree(process.instance) {}
        input { $0.spawnFailed(process.instance, reason: reason, now: now()) }
    }

    // MARK: - What a process says

    private func heard(_ line: UnsafeRawBufferPointer, _ stream: LogStream, _ process: ProgramProcess) {
        if stream == .err { process.lastLines.add(line) }
        if process.readyText != nil, process.isReady(by: line) { said(process.instance, .ready) }
    }

    func said(_ instance: InstanceID, _ word: ProgramWord) {
        guard let process = processes[instance], !hasStopped else { return }
        guard process.launch == .executed else {
            // The last of each is enough.
            process.earlyWords = process.earlyWords.suffix(3) + [word]
            return
        }
        switch word {
        case .ready: input { $0.saidReady(instance, now: now()) }
        case .status(let text): input { $0.saidStatus(instance, text, now: now()) }
        }
    }

    // MARK: - Its end

    func processEnded(_ instance: InstanceID, _ exit: ProcessExit) {
        guard let process = processes[instance], process.exit == nil else { return }
        process.exit = exit
        reportFailedLaunch(process)
        reportExitIfHeard(process)
        guard processes[instance] != nil else { return }
        // Its last words may still lie in the pipes; what it left behind may hold them open.
        awaitLastWords(process, parts: ProgramProcess.lastWordsParts)
    }

    private func awaitLastWords(_ process: ProgramProcess, parts: Int) {
        guard processes[process.instance] != nil else { return }
        guard parts > 0 else { return reportExit(process) }
        let bound = NIOLoopBound((driver: self, process: process), eventLoop: eventLoop)
        let part = TimeAmount.nanoseconds(
            ProgramProcess.lastWords.nanoseconds / Int64(ProgramProcess.lastWordsParts))
        eventLoop.scheduleTask(in: part) { bound.value.driver.awaitLastWords(bound.value.process, parts: parts - 1) }
    }

    private func outputEnded(_ process: ProgramProcess) {
        process.openOutputs -= 1
        // They hold the process, so that it would hold itself.
        if process.openOutputs == 0 { process.pumps = [] }
        reportExitIfHeard(process)
    }

    private func reportExitIfHeard(_ process: ProgramProcess) {
        guard process.launch == .executed, process.openOutputs <= 0 else { return }
        reportExit(process)
    }

    private func reportExit(_ process: ProgramProcess) {
        guard let exit = process.exit, processes[process.instance] != nil else { return }
        // Its end has closed the pipe of the launch, which is read within this time.
        guard process.launch == .executed else { return launchFailed(process, "it \(exit.sentence)") }
        processes[process.instance] = nil
        for line in system.cause(of: exit).map({ [$0] }) ?? process.lastLines.texts {
            machine.lastLine(process.instance, line)
        }
        input { $0.exited(process.instance, exit, now: now()) }
    }

    func sweep(_ instance: InstanceID) {
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        system.sweepTree(instance) {
            let driver = bound.value
            driver.input { $0.treeGone(instance, now: driver.now()) }
        }
    }
}
