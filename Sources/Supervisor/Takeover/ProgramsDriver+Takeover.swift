import LinuxSystem
import Model
import NIOCore
import Supervision

extension ProgramsDriver {
    /// What is in the way of a takeover, and passes by itself: a sentence; `nil`: nothing.
    var takeoverObstacle: String? {
        guard starts.isIdle else { return "programs are being started" }
        guard !operations.isEmpty else { return nil }
        let busy = machine.snapshots(now: now()).first { $0.operation != nil }
        guard let busy, let operation = busy.operation else { return "an operation on a program is running" }
        return "\(operation.word) of \(busy.definition.configuration.name) is running"
    }

    var handed: HandedPrograms {
        HandedPrograms(
            machine: machine,
            processes: processes.values.sorted { $0.instance < $1.instance }.map { process in
                HandedPrograms.Process(
                    instance: process.instance, process: process.process, pid: process.pid, launch: process.launch,
                    status: process.status.flatMap(Self.handed),
                    outputs: process.pumps.compactMap { pump in
                        pump.stream.flatMap { stream in
                            pump.handed.map { HandedPrograms.Output(stream: stream, output: $0) }
                        }
                    },
                    readyText: process.readyText, earlyWords: process.earlyWords, lastLines: process.lastLines,
                    exit: process.exit)
            })
    }

    private static func handed(_ status: any Channel) -> HandedPrograms.Status? {
        let reader = try? status.pipeline.syncOperations.handler(type: LaunchStatusReader.self)
        return status.descriptor.map { HandedPrograms.Status(descriptor: $0, text: reader?.text ?? []) }
    }

    /// Goes on where the driver of the program before this one stopped; instead of ``start(_:)``.
    func resume(_ handed: HandedPrograms) {
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        machine = handed.machine
        markSettled()
        system.listen { instance, word in bound.value.said(instance, word) }
        // What the file holds is what a further change is compared with.
        for warning in system.recall().warnings { log.takeOwn(.error, warning, [:]) }
        for process in handed.processes { adopt(process) }
        input { $0.takenOver(now: now()) }
    }

    private func adopt(_ handed: HandedPrograms.Process) {
        let process = ProgramProcess(
            instance: handed.instance, process: handed.process, pid: handed.pid, readyText: handed.readyText)
        processes[handed.instance] = process
        (process.launch, process.earlyWords) = (handed.launch, handed.earlyWords)
        process.lastLines = handed.lastLines
        process.openOutputs = handed.outputs.count
        for output in handed.outputs {
            adopt(output.output.descriptor, output.stream, process, resuming: output.output)
        }
        if let status = handed.status { adoptStatus(status.descriptor, process, text: status.text) }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        if let exit = handed.exit {
            processEnded(handed.instance, exit)
        } else {
            do {
                try system.adopt(handed.instance) { exit in bound.value.processEnded(handed.instance, exit) }
            } catch {
                log.takeOwn(
                    .error, "A process of a program was lost in the takeover",
                    ["process.name": handed.process.description, "error": "\(error)"], program: handed.process.program)
                processEnded(handed.instance, .exited(ExitCode.osError))
            }
        }
        switch handed.launch {
        case .executed: break
        case .pending:
            process.launchDeadline = eventLoop.scheduleTask(in: ProgramProcess.launchTimeout) {
                bound.value.launchTimedOut(handed.instance)
            }
        case .failed(let reason): launchFailed(process, reason)
        }
    }
}
