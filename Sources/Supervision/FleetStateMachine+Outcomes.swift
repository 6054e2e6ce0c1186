internal import Model

// What a slot's transition means for the fleet.

extension FleetStateMachine {
    mutating func apply(_ outcomes: [SlotOutcome], to slot: SlotID, now: MonotonicTime) -> [FleetAction] {
        var actions: [FleetAction] = []
        for outcome in outcomes {
            switch outcome {
            case .startDue(let revision):
                actions += spawn(slot, revision: revision, replacing: false, now: now)
            case .kill(let process, let why):
                actions += [.event(.killed(slot, process, why)), .kill(process.instance)]
            case .departs(let process, let why):
                actions += depart(process, from: slot, why, now: now)
            case .becameReady(let process):
                actions.append(.event(.ready(slot, process, now: now)))
                actions += attemptSucceeded(slot, process)
            case .attemptFailed(let process, let reason):
                actions.append(.event(.attemptFailed(slot, process, reason: reason)))
                attemptFailed(slot, reason: reason)
            case .ended(let process, let reason):
                let isAwaited = operation?.waiting.contains(slot) ?? false
                actions.append(.event(.ended(slot, process, reason: reason, isAwaited: isAwaited)))
            case .backingOff(let delay, _):
                actions.append(.event(.backingOff(slot, delay)))
            case .gaveUp(let why, let reason):
                actions.append(.event(.gaveUp(slot, why, reason: reason)))
            }
        }
        return actions
    }

    /// A process leaves its slot: it is drained or killed, and counted until it is gone.
    private mutating func depart(
        _ process: SlotProcess, from slot: SlotID, _ why: DepartureReason, now: MonotonicTime
    ) -> [FleetAction] {
        var leaving = DepartingProcess(process: process, slot: slot, isDraining: false)
        var actions: [FleetAction] = []
        switch why {
        case .replaced, .retired:
            let drain = drainOrder(for: slot, now: now)
            leaving.isDraining = true
            leaving.killAt = drain.killAt
            actions.append(drain.action(for: process.instance))
        case .killed(let reason):
            leaving.killedAt = now
            actions += [.event(.killed(slot, process, reason)), .kill(process.instance)]
        case .dying:
            leaving.killedAt = now
        }
        departing.append(leaving)
        operationSaw(departure: leaving, why)
        return actions
    }

    /// How a process that served is sent away at this moment.
    func drainOrder(for slot: SlotID, now: MonotonicTime) -> DrainOrder {
        switch phase {
        case .stopping(let shutdown):
            switch (slot.role, shutdown.stage) {
            case (.worker, .draining(let killAt)):
                return DrainOrder(
                    stoppingUntil: killAt, hurried: shutdown.hurries > 0, policy: policy.shutdown, now: now)
            case (.hub, _), (.worker, .lameDuck), (.worker, .endingHub):
                break
            }
            if slot.role == .hub { return .hub(code: .goingAway, now: now) }
        case .idle, .running, .ended:
            if slot.role == .hub { return .hub(code: .serviceRestart, now: now) }
        }
        if case .restart(_, now: true) = operation?.operation {
            return DrainOrder(
                code: .serviceRestart, spread: .zero, deadline: FleetLimits.hurriedDrain,
                killAt: now + FleetLimits.hurriedDrain + FleetLimits.killGrace
            )
        }
        return DrainOrder(
            code: .serviceRestart, spread: policy.reload.drainSpread, deadline: policy.reload.drainTimeout,
            killAt: now + policy.reload.drainTimeout + FleetLimits.killGrace
        )
    }
}

/// How a process is told to go, and when it is killed if it does not.
struct DrainOrder: Equatable {
    var code: CloseCode
    var spread: Duration
    var deadline: Duration
    var killAt: MonotonicTime

    static func hub(code: CloseCode, now: MonotonicTime) -> DrainOrder {
        DrainOrder(
            code: code, spread: .zero, deadline: FleetLimits.hubEnd,
            killAt: now + FleetLimits.hubEnd + FleetLimits.killGrace
        )
    }

    func action(for instance: InstanceID) -> FleetAction {
        .drain(instance, code: code, spread: spread, deadline: deadline)
    }
}

extension DrainOrder {
    /// The worker's own deadline lies a little before the kill, so that it can close its last clients by itself.
    init(stoppingUntil killAt: MonotonicTime, hurried: Bool, policy: ShutdownConfiguration, now: MonotonicTime) {
        let left = max(killAt - now, .zero)
        let spread = hurried ? .zero : min(policy.drainSpread, left)
        let deadline = max(left - FleetLimits.killGrace, spread)
        self.init(code: .goingAway, spread: spread, deadline: deadline, killAt: killAt)
    }
}
