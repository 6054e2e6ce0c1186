import Model
import Supervision

// What the fake processes do, and how the supervisor's actions reach them.

extension FleetWorld {
    // MARK: Actions

    mutating func accept(_ response: OperationResponse) throws {
        switch response {
        case .accepted(let id, let actions):
            count("accepted")
            // A stop ends what runs with its own actions: that operation is still open here.
            if !isStopping { openOperationID = id }
            try perform(actions)
        case .refused(.busy):
            guard openOperationID != nil || machine.currentOperation != nil else {
                throw Violation(description: "refused as busy, but nothing runs")
            }
            count("refused")
        case .refused(.unknownSlot), .refused(.impossibleCount):
            count("impossible")
        case .refused(.notRunning):
            throw Violation(description: "refused as not running")
        case .refused(.noWorkers):
            throw Violation(description: "refused for want of a fleet")
        }
    }

    mutating func perform(_ batch: [FleetAction]) throws {
        var queue = batch[...]
        while let action = queue.popFirst() {
            guard exitCode == nil else { throw Violation(description: "\(action) follows exit") }
            try check(action)
            switch action {
            case .spawn(let instance, let slot, let revision):
                queue += spawn(instance, slot, revision)
            case .kill(let instance):
                kill(instance)
            case .drain(let instance, _, let spread, let deadline):
                drain(instance, spread: spread.nanoseconds, deadline: deadline.nanoseconds)
            case .operationFinished:
                openOperationID = nil
                count("operations")
            case .notify(.ready):
                readyNotified = true
            case .exit(let code):
                exitCode = code
            case .setLameDuck, .closeListeners, .adoptConfiguration, .operationProgress, .event, .notify:
                break
            }
        }
    }

    private mutating func spawn(_ instance: InstanceID, _ slot: SlotID, _ revision: Int) -> ArraySlice<FleetAction> {
        lastInstance = instance.rawValue
        count("spawns")
        if isChaotic, chance(3) {
            return machine.childSpawnFailed(instance, reason: "no memory", now: time)[...]
        }
        var process = Process(instance: instance, slot: slot, revision: revision, spawnedAwake: awake)
        process.ignoresDrain = isChaotic && chance(10)
        processes[instance] = process
        let isBadRevision = badRevisions.contains(revision) && !(slot == .hub && harmlessForHub.contains(revision))
        let isBad = isBadRevision || (isChaotic && chance(8))
        let start = now + between(5, 800) * 1_000_000
        if isBad {
            switch between(0, 4) {
            case 0:
                schedule(instance, .exit(.exited(78)), at: start)
            case 1:
                schedule(instance, .complaint, at: start)
                schedule(instance, .exit(.exited(1)), at: start + 1_000_000)
            case 2:
                schedule(instance, .exit(.signalled(11, coreDumped: true)), at: start)
            case 3:
                processes[instance]?.isHung = true
            default:
                schedule(instance, .hello, at: start)
                processes[instance]?.ignoresDrain = true
            }
        } else {
            schedule(instance, .hello, at: start)
            schedule(instance, .ready, at: start + between(0, 300) * 1_000_000)
        }
        return machine.childSpawned(instance, pid: Int32(instance.rawValue), now: time)[...]
    }

    private mutating func kill(_ instance: InstanceID) {
        count("kills")
        processes[instance]?.isKilled = true
        // Uninterruptible sleep now and then, but shorter than a stop's patience.
        let delay = chance(3) ? between(1, 8) * Self.second : between(0, 50) * 1_000_000
        schedule(instance, .exit(.signalled(9, coreDumped: false)), at: now + delay)
    }

    private mutating func drain(_ instance: InstanceID, spread: Int64, deadline: Int64) {
        count("drains")
        guard var process = processes[instance] else { return }
        process.drainedAwake = process.drainedAwake ?? awake
        process.drainDeadline = min(process.drainDeadline, awake - (process.drainedAwake ?? awake) + deadline)
        processes[instance] = process
        guard !process.isHung, !process.ignoresDrain, process.isReady else { return }
        if process.slot.role == .worker {
            schedule(instance, .listenerReleased, at: now + between(1, 400) * 1_000_000)
            schedule(instance, .draining, at: now + spread / 2)
        }
        schedule(instance, .exit(.exited(0)), at: now + spread + between(0, deadline - min(spread, deadline)) / 2)
    }

    private mutating func schedule(_ instance: InstanceID, _ fact: Fact, at time: Int64) {
        queue.schedule(.fact(instance, fact), at: time)
    }

    // MARK: Facts

    /// A process does something; the supervisor hears of it at once, or when it wakes.
    mutating func happen(_ instance: InstanceID, _ fact: Fact) throws {
        guard var process = processes[instance], !process.isDead else { return }
        if isPaused, now < awakeAt { return schedule(instance, fact, at: now + awakeAt - sleptSince) }
        switch fact {
        case .exit:
            process.isDead = true
            processes[instance] = process
        case .hello, .ready, .beat, .listenerReleased, .draining, .complaint:
            guard !process.isHung, !process.isKilled else { return }
            if case .ready = fact { fate(of: instance) }
            if case .beat = fact { schedule(instance, .beat, at: now + Self.second) }
        }
        if now < awakeAt || !inbox.isEmpty {
            inbox.append((instance, fact))
        } else {
            try tell(instance, fact)
        }
    }

    /// Decided at READY: whether it will crash or hang one day.
    private mutating func fate(of instance: InstanceID) {
        schedule(instance, .beat, at: now + Self.second)
        guard isChaotic, chance(40) else { return }
        let when = now + between(1, 20_000) * 1_000_000
        if chance(50) {
            schedule(
                instance, .exit(chance(50) ? .signalled(11, coreDumped: false) : .exited(Int32(between(0, 1)))),
                at: when)
        } else {
            hangs[instance] = when
        }
    }

    mutating func tell(_ instance: InstanceID, _ fact: Fact) throws {
        guard processes[instance] != nil else { return }
        switch fact {
        case .hello:
            try perform(machine.childSaidHello(instance, version: "1", link: WsdVersion.link, now: time))
        case .ready:
            processes[instance]?.isReady = true
            try perform(machine.childBecameReady(instance, now: time))
        case .beat:
            if let when = hangs[instance], when <= now {
                processes[instance]?.isHung = true
                count("hangs")
                return
            }
            let memory = isChaotic && chance(2) ? 2000 : 500
            try perform(machine.childBeat(instance, memory: memory, now: time))
        case .listenerReleased:
            try perform(machine.childReleasedListener(instance, now: time))
        case .draining:
            try perform(machine.childReportedDraining(instance, remaining: 3, now: time))
        case .complaint:
            try perform(machine.childFailedToStart(instance, reason: "simulated", exitCode: 1, now: time))
        case .exit(let exit):
            processes[instance] = nil
            try perform(machine.childExited(instance, exit, now: time))
        }
    }
}
