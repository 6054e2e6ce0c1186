import Glibc
import LinuxSystem
import NIOCore
import Supervision

@testable import Model
@testable import Supervisor

/// Programs that live in the test's own process: their outputs are real pipes, their lives are played.
final class FakeProgramSystem: ProgramSystem {
    struct Behaviour {
        /// Why the launch fails before there is a process.
        var failure: String?
        /// Why the command cannot be executed.
        var complaint: String?
        /// Said on standard output as soon as it runs.
        var greeting: String?
        /// How it ends by itself as soon as it runs, and what it says on standard error before.
        var end: (exit: ProcessExit, words: String)?
        /// Ends at its stop signal.
        var obeys = true
    }

    let eventLoop: any EventLoop
    /// Of the programs by name; of all others `usual`.
    var behaviours: [String: Behaviour] = [:]
    var usual = Behaviour()
    var remembered: [ProgramDefinition] = []
    var warnings: [String] = []
    var causes: [(exit: ProcessExit, sentence: String)] = []
    var figures = ProgramFigures(cpuSeconds: 1, resident: 3_000_000, count: 2)
    private(set) var processes: [InstanceID: FakeProgramProcess] = [:]
    private(set) var started: [ProgramProcessID] = []
    /// What was done to processes, in order: `15 api:1`, `sweep api:1`.
    private(set) var deeds: [String] = []
    private(set) var probes: [(String?) -> Void] = []
    private(set) var seen: [String: (ProgramSighting) -> Void] = [:]
    private(set) var saved: [[ProgramDefinition]] = []
    private(set) var closedSockets: [String] = []
    private(set) var adopted: [String] = []
    private(set) var said: (InstanceID, ProgramWord) -> Void = { _, _ in }
    private var names: [InstanceID: ProgramProcessID] = [:]
    private var nextPID: Int32 = 5000

    init(eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
    }

    func spawn(_ start: ProgramStart, exited: @escaping (ProcessExit) -> Void) throws -> LaunchedProgramProcess {
        let behaviour = behaviours[start.process.program] ?? usual
        if let failure = behaviour.failure { throw ProgramSystemError(description: failure) }
        let (out, err, status) = (try Descriptors.pipe(), try Descriptors.pipe(), try Descriptors.pipe())
        nextPID += 1
        let process = FakeProgramProcess(
            id: start.process, pid: nextPID, out: out.write, err: err.write, behaviour: behaviour,
            configuration: start.configuration
        ) { [weak self] exit in
            self?.processes[start.instance] = nil
            exited(exit)
        }
        names[start.instance] = start.process
        started.append(start.process)
        processes[start.instance] = process
        if let complaint = behaviour.complaint {
            _ = (complaint + "\n").withCString { write(status.write, $0, strlen($0)) }
        }
        close(status.write)
        if let greeting = behaviour.greeting { process.print(greeting, on: .out) }
        let bound = NIOLoopBound(process, eventLoop: eventLoop)
        if behaviour.complaint != nil { eventLoop.execute { bound.value.end(.exited(71)) } }
        if let end = behaviour.end {
            process.print(end.words, on: .err)
            eventLoop.execute { bound.value.end(end.exit) }
        }
        return LaunchedProgramProcess(pid: nextPID, out: out.read, err: err.read, status: status.read)
    }

    func adopt(_ instance: InstanceID, exited: @escaping (ProcessExit) -> Void) throws {
        throw ProgramSystemError(description: "Nothing came before this test")
    }

    func signal(_ instance: InstanceID, _ signal: Int32) {
        deeds.append("\(signal) \(name(instance))")
        guard let process = processes[instance], process.behaviour.obeys, signal == process.configuration.stopSignal
        else { return }
        endLater(process, .signalled(signal, coreDumped: false))
    }

    func killTree(_ instance: InstanceID) {
        deeds.append("kill \(name(instance))")
        if let process = processes[instance] { endLater(process, .signalled(SIGKILL, coreDumped: false)) }
    }

    func sweepTree(_ instance: InstanceID, gone: @escaping () -> Void) {
        deeds.append("sweep \(name(instance))")
        let bound = NIOLoopBound(gone, eventLoop: eventLoop)
        eventLoop.execute { bound.value() }
    }

    func measure(_ took: @escaping ([InstanceID: ProgramFigures]) -> Void) {
        let all = processes.mapValues { [figures] _ in figures }
        let bound = NIOLoopBound(took, eventLoop: eventLoop)
        eventLoop.execute { bound.value(all) }
    }

    func probe(_ probe: ProgramProbe, timeout: Duration, answered: @escaping (String?) -> Void) {
        probes.append(answered)
    }

    func watch(_ program: String, _ configuration: ProgramConfiguration?, seen: @escaping (ProgramSighting) -> Void) {
        self.seen[program] = configuration == nil ? nil : seen
    }

    func adoptSockets(for programs: [ProgramDefinition]) { adopted = programs.map(\.configuration.name) }
    func closeSockets(of program: String) { closedSockets.append(program) }

    func environment(
        of process: ProgramProcessID, _ configuration: ProgramConfiguration
    ) throws(ProgramSystemError) -> [String: String] {
        ["WSD_PROGRAM": process.program]
    }

    func recall() -> (programs: [ProgramDefinition], warnings: [String]) { (remembered, warnings) }

    var memoryTrouble: String?
    func remember(_ programs: [ProgramDefinition], failed: @escaping (String) -> Void) { saved.append(programs) }
    func listen(_ said: @escaping (InstanceID, ProgramWord) -> Void) { self.said = said }
    func cause(of exit: ProcessExit) -> String? { causes.first { $0.exit == exit }?.sentence }
    func stop() {}

    func process(_ name: String) -> FakeProgramProcess? { processes.values.first { $0.id.description == name } }
    func instance(_ name: String) -> InstanceID? { processes.first { $0.value.id.description == name }?.key }

    private func name(_ instance: InstanceID) -> String { names[instance]?.description ?? "?" }

    private func endLater(_ process: FakeProgramProcess, _ exit: ProcessExit) {
        let bound = NIOLoopBound(process, eventLoop: eventLoop)
        eventLoop.execute { bound.value.end(exit) }
    }
}

final class FakeProgramProcess {
    enum Stream {
        case out, err
    }

    let id: ProgramProcessID
    let pid: Int32
    let behaviour: FakeProgramSystem.Behaviour
    let configuration: ProgramConfiguration
    private let out: CInt
    private let err: CInt
    private let exited: (ProcessExit) -> Void
    private var hasEnded = false

    init(
        id: ProgramProcessID, pid: Int32, out: CInt, err: CInt, behaviour: FakeProgramSystem.Behaviour,
        configuration: ProgramConfiguration, exited: @escaping (ProcessExit) -> Void
    ) {
        (self.id, self.pid, self.out, self.err) = (id, pid, out, err)
        (self.behaviour, self.configuration, self.exited) = (behaviour, configuration, exited)
    }

    func print(_ text: String, on stream: Stream) {
        _ = text.withCString { write(stream == .out ? out : err, $0, strlen($0)) }
    }

    /// The process is gone: its outputs are closed, then its end is told.
    func end(_ exit: ProcessExit) {
        guard !hasEnded else { return }
        hasEnded = true
        close(out)
        close(err)
        exited(exit)
    }
}
