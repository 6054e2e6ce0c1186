internal import ConfigurationFile
import Model
import Supervision
import Wire

extension ProgramsDriver {
    /// By number.
    func statuses() -> [ProgramStatus] {
        let now = now()
        return machine.snapshots(now: now).map { status($0, now: now) }
    }

    /// Sentences about what is not as it should be, of all programs.
    static func problems(_ statuses: [ProgramStatus]) -> [String] { statuses.flatMap(\.problems) }

    /// Whether a program is kept from running as configured.
    var isDegraded: Bool { machine.isDegraded(now: now()) }

    /// Processes that live now.
    var livingCount: Int { machine.livingInstances.count }

    /// - Parameter withEnvironment: values and all, for those who may change things.
    func description(_ word: String, withEnvironment: Bool) throws(ControlFailure) -> ProgramDescription {
        let target = try target(word)
        let now = now()
        let snapshots = machine.snapshots(now: now)
        guard let snapshot = snapshots.first(where: { $0.definition.configuration.name == target.program }) else {
            throw ControlFailure(ProgramRefusal.unknown(word))
        }
        let configuration = snapshot.definition.configuration
        let process = ProgramProcessID(program: target.program, number: target.number ?? 1)
        guard
            (1...max(1, snapshot.wanted)).contains(process.number)
                || snapshot.processes.contains(where: { $0.number == process.number })
        else { throw ControlFailure(ProgramRefusal.noSuchProcess(process)) }
        let settings = ProgramEntry.settings(configuration, showsSecrets: withEnvironment).map {
            ProgramSetting(key: $0.key, value: $0.value, isDefault: $0.isDefault)
        }
        var description = ProgramDescription(
            status: status(snapshot, now: now), settings: settings, environment: nil)
        guard withEnvironment else { return description }
        do throws(ProgramSystemError) {
            description.environment = try system.environment(of: process, configuration)
        } catch {
            description.status.problems.append(error.description)
        }
        return description
    }

    private func status(_ snapshot: ProgramSnapshot, now: MonotonicTime) -> ProgramStatus {
        let name = snapshot.definition.configuration.name
        let processes = snapshot.processes.map { process($0, of: name, now: now) }
        let isUnproven = snapshot.state == .ready && snapshot.processes.contains(where: \.isOnProbation)
        let state = isUnproven ? .starting : ProgramState(snapshot.state)
        return ProgramStatus(
            number: snapshot.number, name: name, state: state,
            operation: snapshot.operation?.word, configured: snapshot.definition.origin == .file,
            wanted: snapshot.wanted, restarts: processes.reduce(0) { $0 &+ $1.restarts }, processes: processes,
            problems: snapshot.problems)
    }

    private func process(
        _ snapshot: ProgramSnapshot.Process, of program: String, now: MonotonicTime
    ) -> ProgramProcessStatus {
        var status = ProgramProcessStatus(
            name: ProgramProcessID(program: program, number: snapshot.number).description, number: snapshot.number,
            state: snapshot.isOnProbation ? .starting : ProgramState(snapshot.state), restarts: snapshot.restarts)
        status.pid = snapshot.pid
        status.uptime = snapshot.uptime?.inSeconds
        status.lastExit = snapshot.lastExit
        status.retryIn = snapshot.retryIn?.inSeconds
        status.statusText = snapshot.statusText
        guard let process = snapshot.instance.flatMap({ processes[$0] }) else { return status }
        status.cpu = process.cpu.rate(at: now).map { $0 * 100 }
        status.memory = process.figures?.resident ?? snapshot.memory
        status.tree = process.figures?.count
        return status
    }
}

extension ProgramState {
    init(_ state: ProgramSnapshot.State) {
        switch state {
        case .stopped: self = .stopped
        case .waiting: self = .waiting
        case .starting: self = .starting
        case .ready: self = .ready
        case .stopping: self = .stopping
        case .backoff: self = .backoff
        case .failed: self = .failed
        case .finished: self = .finished
        }
    }
}
