package import Model

/// One place in the fleet: which process fills it, and what happens when that process ends.
///
/// Knows nothing of operations or of other slots. The caller performs the outcomes in order, hands out instance
/// numbers, and takes care of every process that `departs`. Facts about a process that is not the slot's are ignored:
/// they may cross with its end.
package struct SlotStateMachine: Codable, Sendable {
    package enum State: Codable, Sendable, Equatable {
        /// Not wanted, or between an ordered end and the start that follows it.
        case stopped
        case starting(SlotProcess)
        case ready(SlotProcess)
        /// `old` serves until `successor` is ready.
        case replacing(old: SlotProcess, successor: SlotProcess)
        /// Killed or told to end, but still alive: counted, so that the slot is never filled twice.
        case ending(SlotProcess, Ending)
        case backoff(until: MonotonicTime, reason: String)
        case failed(GiveUpReason, reason: String)
    }

    package struct Ending: Codable, Sendable, Equatable {
        package enum Then: Codable, Sendable, Equatable {
            /// An end of its own making: the restart policy decides, from how long it had been ready.
            case restart(readyFor: Duration?, reason: String)
            case start(revision: Int)
        }

        package var then: Then
        /// `nil`: SIGKILL has been sent.
        package var killAt: MonotonicTime?
    }

    package let id: SlotID
    package internal(set) var state = State.stopped
    /// What an automatic restart starts with: the last revision that became ready here, or the one first asked for.
    package internal(set) var revision: Int
    package internal(set) var unstableEnds = 0
    /// Processes started because another one had ended by itself, or had to be killed. What an operator orders does not count.
    package internal(set) var restarts = 0
    package internal(set) var lastExit: String?
    /// Processes of it that the kernel killed for memory.
    package internal(set) var memoryKills = 0

    package init(id: SlotID, revision: Int) {
        self.id = id
        self.revision = revision
    }
}

/// What a slot goes by, drawn from ``FleetPolicy``.
package struct SlotRules: Sendable, Equatable {
    package var readyTimeout: Duration
    package var heartbeatTimeout: Duration
    package var restart: RestartPolicy

    package init(readyTimeout: Duration, heartbeatTimeout: Duration, restart: RestartPolicy) {
        self.readyTimeout = readyTimeout
        self.heartbeatTimeout = heartbeatTimeout
        self.restart = restart
    }
}

extension FleetPolicy {
    package func rules(for role: ChildRole) -> SlotRules {
        SlotRules(
            readyTimeout: readyTimeout, heartbeatTimeout: heartbeatTimeout,
            restart: RestartPolicy(configuration: restart, neverGivesUp: role == .hub)
        )
    }
}

// MARK: - Orders

extension SlotStateMachine {
    /// Fills an empty slot. The caller spawns `instance`.
    package mutating func start(instance: InstanceID, revision: Int, now: MonotonicTime, rules: SlotRules) {
        switch state {
        case .stopped, .failed:
            state = .starting(newProcess(instance, revision, now, rules))
        case .backoff:
            restarts += 1
            state = .starting(newProcess(instance, revision, now, rules))
        case .starting, .ready, .replacing, .ending:
            preconditionFailure("\(id) is started although it has a process.")
        }
    }

    /// Begins a replacement: `instance`, which the caller spawns, takes over when it is ready.
    package mutating func replace(instance: InstanceID, revision: Int, now: MonotonicTime, rules: SlotRules) {
        switch state {
        case .ready(let old):
            state = .replacing(old: old, successor: newProcess(instance, revision, now, rules))
        case .stopped, .starting, .replacing, .ending, .backoff, .failed:
            preconditionFailure("\(id) is replaced although it does not serve alone.")
        }
    }

    /// Ends the present process first and starts `revision` after it, whatever the state: what was in the way of a
    /// start is forgotten.
    ///
    /// - Parameter killAt: how long a ready process may take to end by itself (the caller tells it to); `nil`: it is
    ///   killed.
    package mutating func endThenStart(revision: Int, killAt: MonotonicTime?) -> [SlotOutcome] {
        unstableEnds = 0
        switch state {
        case .stopped, .backoff, .failed:
            state = .stopped
            return [.startDue(revision: revision)]
        case .starting(let process):
            state = .ending(process, Ending(then: .start(revision: revision), killAt: nil))
            return [.kill(process, .notNeeded)]
        case .ready(let process):
            state = .ending(process, Ending(then: .start(revision: revision), killAt: killAt))
            return killAt == nil ? [.kill(process, .notNeeded)] : []
        case .replacing(let old, let successor):
            state = .ending(old, Ending(then: .start(revision: revision), killAt: killAt))
            return [.departs(successor, .killed(.notNeeded))] + (killAt == nil ? [.kill(old, .notNeeded)] : [])
        case .ending(let process, var ending):
            ending.then = .start(revision: revision)
            state = .ending(process, ending)
            return []
        }
    }

    /// Lets go of the serving process and asks for another one of `revision` at once.
    package mutating func releaseThenStart(revision: Int) -> [SlotOutcome] {
        switch state {
        case .ready(let process):
            unstableEnds = 0
            state = .stopped
            return [.departs(process, .replaced), .startDue(revision: revision)]
        case .stopped, .starting, .replacing, .ending, .backoff, .failed:
            return endThenStart(revision: revision, killAt: nil)
        }
    }

    /// Lets go of everything and stays empty.
    package mutating func retire() -> [SlotOutcome] {
        defer { state = .stopped }
        switch state {
        case .stopped, .backoff, .failed:
            return []
        case .starting(let process):
            return [.departs(process, .killed(.notNeeded))]
        case .ready(let process):
            return [.departs(process, .retired)]
        case .replacing(let old, let successor):
            return [.departs(successor, .killed(.notNeeded)), .departs(old, .retired)]
        case .ending(let process, let ending):
            return [.departs(process, ending.killAt == nil ? .dying : .retired)]
        }
    }

    /// A replacement is called off: the old process stays.
    package mutating func abandonReplacement() -> [SlotOutcome] {
        switch state {
        case .replacing(let old, let successor):
            state = .ready(old)
            return [.departs(successor, .killed(.notNeeded))]
        case .stopped, .starting, .ready, .ending, .backoff, .failed:
            return []
        }
    }

    private func newProcess(
        _ instance: InstanceID, _ revision: Int, _ now: MonotonicTime, _ rules: SlotRules
    ) -> SlotProcess {
        SlotProcess(instance: instance, revision: revision, spawnedAt: now, deadline: now + rules.readyTimeout)
    }
}
