import Model
import Supervision

// What must hold, whatever happens.

extension ProgramsWorld {
    func check(_ action: ProgramAction) throws {
        guard !isStopped else { throw Violation(description: "\(action) follows allStopped") }
        switch action {
        case .spawn(let instance, let place, let configuration):
            guard instance.rawValue == lastInstance + 1 else {
                throw Violation(description: "\(instance) is used twice")
            }
            try checkSpawn(place, configuration)
        case .signal(let instance, _), .probe(let instance, _, _):
            let process = try living(instance, action)
            guard !process.hasExited else { throw Violation(description: "\(action): it has ended") }
        case .killTree(let instance):
            let process = try living(instance, action)
            guard !process.hasExited else { throw Violation(description: "\(action): it has ended") }
            try checkKill(process)
        case .sweepTree(let instance):
            let process = try living(instance, action)
            guard process.hasExited else { throw Violation(description: "\(action): it has not ended") }
        case .operationFinished(let id, let result):
            guard let operation = openOperations[id] else {
                throw Violation(description: "\(id) ends, but is not open")
            }
            try checkResult(operation, result)
        case .settled:
            guard !hasSettled else { throw Violation(description: "settled twice") }
        case .allStopped:
            guard isStopping else { throw Violation(description: "allStopped, but nobody asked") }
            guard processes.values.allSatisfy(isGivenUp) else { throw Violation(description: "something lives") }
        case .closeSockets(let program):
            let holders = processes.values.filter { $0.place.program == program && !isGivenUp($0) }
            guard holders.isEmpty else { throw Violation(description: "\(action), but something of it lives") }
        case .operationProgress(let id, _):
            guard openOperations[id] != nil else { throw Violation(description: "\(id) goes on, but is not open") }
        case .watch, .remember, .event:
            break
        }
    }

    private func living(_ instance: InstanceID, _ action: ProgramAction) throws -> Process {
        guard let process = processes[instance] else { throw Violation(description: "\(action): it does not live") }
        return process
    }

    /// The machine's patience with it has ended.
    func isGivenUp(_ process: Process) -> Bool {
        process.patienceSince.map { awake - $0 >= ProgramLimits.killPatience.nanoseconds } ?? false
    }

    private func checkSpawn(_ place: ProgramProcessID, _ configuration: ProgramConfiguration) throws {
        guard !isStopping else { throw Violation(description: "\(place) is started although everything ends") }
        guard
            let snapshot = machine.snapshots(now: time).first(where: {
                $0.definition.configuration.name == place.program
            }),
            snapshot.definition.isWanted, place.number <= snapshot.wanted
        else { throw Violation(description: "\(place) is started, but is not wanted") }
        let others = processes.values.filter { $0.place == place && !isGivenUp($0) }
        guard others.count <= (configuration.listen.isEmpty ? 0 : 1) else {
            throw Violation(description: "\(place) is started although \(others.count) live there")
        }
        // A successor that overlaps does not wait for what its predecessor waited for.
        guard others.isEmpty else { return }
        let snapshots = machine.snapshots(now: time)
        for name in configuration.dependsOn {
            guard let other = snapshots.first(where: { $0.definition.configuration.name == name }) else {
                throw Violation(description: "\(place) is started without \(name)")
            }
            let places = Dictionary(grouping: other.processes.filter { $0.number <= other.wanted }, by: \.number)
            let isProvided = places.values.allSatisfy { rows in
                rows.contains { [.ready, .finished].contains($0.state) }
            }
            guard isProvided, places.count == other.wanted else {
                throw Violation(description: "\(place) is started before \(name) is ready")
            }
        }
    }

    /// Nobody is killed who was not asked before, or missed a deadline.
    private func checkKill(_ process: Process) throws {
        // Who takes over does not know whether the one before it came to that.
        guard process.patienceSince == nil || isTakingOver else {
            throw Violation(description: "\(process.place) is killed twice")
        }
        let mayBeKilled = process.isAsked || process.configuration.stopTimeout == .zero || hasHurried
        // The rest was not ready in time.
        guard !mayBeKilled else { return }
        switch process.configuration.ready {
        case .after: if process.isExecuted { throw Violation(description: "\(process.place) is killed for nothing") }
        case .probe, .notify, .log: break
        }
    }

    private func checkResult(_ operation: ProgramOperation, _ result: OperationResult) throws {
        guard !result.message.isEmpty, result.message.hasSuffix(".") else {
            throw Violation(description: "“\(result.message)” is no sentence")
        }
    }

    /// After every step.
    func checkInvariants() throws {
        guard machine.livingInstances == processes.keys.sorted() else {
            throw Violation(description: "\(machine.livingInstances) counted, \(processes.keys.sorted()) live")
        }
        var counted: [ProgramProcessID: Int] = [:]
        for process in processes.values where !isGivenUp(process) { counted[process.place, default: 0] += 1 }
        if let (place, count) = counted.first(where: { $0.value > 2 }) {
            throw Violation(description: "\(count) live in \(place)")
        }
        // They cost most of the time of a run.
        guard steps.isMultiple(of: 5) else { return }
        for snapshot in machine.snapshots(now: time) { try check(snapshot, counted) }
    }

    private func check(_ snapshot: ProgramSnapshot, _ counted: [ProgramProcessID: Int]) throws {
        let name = snapshot.definition.configuration.name
        if !snapshot.definition.isWanted, snapshot.operation == nil, !isStopping {
            let living = counted.filter { $0.key.program == name }
            // What is stopped at run time has nothing that lives.
            guard living.isEmpty else { throw Violation(description: "\(name) is stopped, but \(living) live") }
        }
        guard isUndisturbed, !isStopping else { return }
        for process in snapshot.processes {
            let spawns = spawnsOfPlace[ProgramProcessID(program: name, number: process.number), default: 0]
            guard process.restarts == max(spawns - 1, 0) else {
                throw Violation(
                    description: "\(name):\(process.number): \(process.restarts) restarts, \(spawns) spawns")
            }
        }
    }

    /// Long after the last fault: everything is ready, finished, given up or waits for such, and nothing is going on.
    func checkCalm() throws {
        guard openOperations.isEmpty else { throw Violation(description: "\(openOperations) still run") }
        guard hasSettled else { throw Violation(description: "never settled") }
        for snapshot in machine.snapshots(now: time) {
            guard snapshot.operation == nil else { throw Violation(description: "\(snapshot) still busy") }
            for process in snapshot.processes {
                switch process.state {
                case .ready, .finished, .failed, .stopped: break
                case .waiting:
                    guard !snapshot.problems.isEmpty else { throw Violation(description: "waits, and does not say so") }
                case .starting, .stopping, .backoff:
                    throw Violation(description: "\(snapshot.definition.configuration.name) is \(process.state)")
                }
            }
        }
    }

    func checkEnd() throws {
        guard openOperations.isEmpty else { throw Violation(description: "\(openOperations) have no end") }
    }
}
