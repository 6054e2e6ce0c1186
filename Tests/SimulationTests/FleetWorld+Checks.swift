import Model
import Supervision

// What must hold, whatever happens.

extension FleetWorld {
    /// Before an action is performed.
    func check(_ action: FleetAction) throws {
        switch action {
        case .spawn(let instance, let slot, let revision):
            guard instance.rawValue == lastInstance + 1 else {
                throw Violation(description: "\(instance) is not the next")
            }
            guard revision <= lastRevision else { throw Violation(description: "unknown revision \(revision)") }
            try checkRoom(for: slot)
        case .kill(let instance):
            try checkKill(of: living(instance, action))
        case .drain(let instance, let code, _, _):
            try checkDrain(of: living(instance, action), code: code)
        case .operationFinished(let id, let operation, _):
            // A recycling is the machine's own, and so is the start, and the stop after every worker has failed.
            switch operation {
            case .start, .recycle, .stop: break
            case .reload, .restart, .scale:
                guard id == openOperationID else { throw Violation(description: "\(operation) ends, but is not open") }
            }
        case .notify(.ready):
            guard !readyNotified else { throw Violation(description: "READY twice") }
        case .exit(let code):
            guard processes.isEmpty else { throw Violation(description: "exit although \(processes.count) live") }
            guard machine.isStopping else { throw Violation(description: "exit without a stop") }
            guard (code == 0) == isStopping else { throw Violation(description: "exit \(code), asked: \(isStopping)") }
        case .setLameDuck, .closeListeners, .adoptConfiguration, .operationProgress, .event, .notify:
            break
        }
    }

    private func living(_ instance: InstanceID, _ action: FleetAction) throws -> Process {
        guard let process = processes[instance] else { throw Violation(description: "\(action): it does not live") }
        return process
    }

    /// At most the slot's process and its successor; never two hubs.
    private func checkRoom(for slot: SlotID) throws {
        let inSlot = processes.values.filter { $0.slot == slot }
        if slot == .hub {
            guard inSlot.isEmpty else { throw Violation(description: "a second hub") }
            return
        }
        let counted = inSlot.count { $0.drainedAwake == nil && !$0.isKilled }
        guard counted <= 1 else { throw Violation(description: "a third process in \(slot)") }
        let isWanted = slot.number >= 1 && slot.number <= machine.workersWanted
        guard isWanted || isStopping || machine.isStopping else {
            throw Violation(description: "\(slot) is not wanted")
        }
    }

    /// Nobody who is well is killed, and nobody for time that the supervisor slept.
    private func checkKill(of process: Process) throws {
        let who = "\(process.slot) \(process.instance)"
        guard !process.isKilled else { throw Violation(description: "\(who) is killed twice") }
        if process.isHung || process.isDead || hurries > 1 { return }
        if let drainedAwake = process.drainedAwake {
            guard awake - drainedAwake >= process.drainDeadline else {
                throw Violation(description: "\(who) is killed before the end of its drain")
            }
            return
        }
        guard !process.isReady else { throw Violation(description: "\(who) is killed although it is well") }
        if machine.isStopping || machine.currentOperation.isImmediate { return }
        if process.slot == .hub, machine.currentOperation != nil { return }
        if isScaledAway(process.slot) { return }
        guard awake - process.spawnedAwake >= policy.readyTimeout.nanoseconds else {
            throw Violation(description: "\(who) is killed before its deadline")
        }
    }

    /// A worker that serves is sent away only for a successor that serves, or when its slot or the service goes.
    private func checkDrain(of process: Process, code: CloseCode) throws {
        if process.slot == .hub || machine.isStopping || isScaledAway(process.slot) { return }
        if machine.currentOperation.isImmediate { return }
        let others = processes.values.filter { $0.slot == process.slot && $0.instance != process.instance }
        guard others.contains(where: { $0.serves && !$0.isDead }) || others.contains(where: { $0.isReady && $0.isDead })
        else { throw Violation(description: "\(process.slot) is left without a process") }
    }

    private func isScaledAway(_ slot: SlotID) -> Bool {
        slot.role == .worker && slot.number > machine.workersWanted
    }

    /// After every step.
    func checkInvariants() throws {
        guard machine.livingInstances.count == processes.count else {
            throw Violation(description: "\(machine.livingInstances.count) counted, \(processes.count) live")
        }
        if exitCode == nil, machine.workersWanted > 0, !machine.isStopping {
            var perSlot: [SlotID: Int] = [:]
            for process in processes.values where process.drainedAwake == nil && !process.isKilled {
                perSlot[process.slot, default: 0] += 1
                guard perSlot[process.slot, default: 0] <= 2 else {
                    throw Violation(description: "three in \(process.slot)")
                }
            }
        }
    }

    /// Long after the last fault: everything is ready, or given up, and nothing is going on.
    func checkCalm() throws {
        guard !machine.isStopping else { return }
        let snapshot = machine.snapshot(now: time)
        if let operation = snapshot.operation, !operation.isOwn {
            throw Violation(description: "\(operation) still runs")
        }
        for row in snapshot.processes where ![.ready, .failed].contains(row.state) && snapshot.operation == nil {
            throw Violation(description: "\(row.slot) is \(row.state)")
        }
        for row in snapshot.processes where row.state == .ready {
            guard let instance = row.instance, let process = processes[instance], process.isReady, !process.isHung
            else {
                throw Violation(description: "\(row.slot) is not ready")
            }
        }
    }

    func checkEnd() throws {
        guard openOperationID == nil else { throw Violation(description: "an operation has no end") }
        guard machine.livingInstances.isEmpty else { throw Violation(description: "something lives") }
    }
}

extension FleetOperation? {
    /// Starting processes may be killed for it.
    var isImmediate: Bool {
        switch self {
        case .restart(_, now: true)?: true
        case .start?, .reload?, .restart?, .scale?, .recycle?, .stop?, nil: false
        }
    }
}

extension FleetOperation {
    /// Begun by the fleet itself.
    var isOwn: Bool {
        switch self {
        case .recycle: true
        case .start, .reload, .restart, .scale, .stop: false
        }
    }
}
