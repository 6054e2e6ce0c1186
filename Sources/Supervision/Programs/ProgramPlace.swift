internal import Model

/// One place of a program: which process fills it, and what happens when that process ends.
///
/// Knows nothing of operations or of other places. The program decides when an empty place is filled. Facts about a process
/// that is not the place's are ignored: they may cross with its end.
struct ProgramPlace: Codable, Sendable {
    indirect enum State: Codable, Sendable {
        /// Nothing lives. The program decides whether and when it is filled.
        case empty
        case starting(ProgramProcess)
        case ready(ProgramProcess)
        /// `old` serves until `successor` is ready.
        case replacing(old: ProgramProcess, successor: ProgramProcess)
        /// Asked to end, killed, or ended with something left behind: the place is not free yet.
        case ending(ProgramProcess, Then)
        case backoff(until: MonotonicTime, reason: String)
        /// - Parameter why: `after 17 unstable ends in a row`.
        case failed(why: String, reason: String)
        case finished(reason: String)
    }

    /// What the place becomes when it is free.
    enum Then: Codable, Sendable, Equatable {
        case empty
        /// It had to be replaced: the restart policy decides when it has ended.
        case judge(readyFor: Duration?, reason: String)
        case backoff(until: MonotonicTime, reason: String)
        case failed(why: String, reason: String)
        case finished(reason: String)
    }

    let id: ProgramProcessID
    var state = State.empty
    /// The process that was replaced, or the successor that failed: no longer the place's, but not gone. At most one.
    var departing: ProgramProcess?
    var unstableEnds = 0
    /// Processes started because another one had ended by itself, or had to be replaced. What somebody orders does not count.
    var restarts = 0
    /// The next start is one that counts.
    var restartIsDue = false
    var lastExit: String?
    /// Why an attempt failed since an operation last asked.
    var failure: String?
    var hasBeenReady = false
    /// It is not replaced again for its memory before.
    var recycleNotBefore: MonotonicTime?
    /// Another process than the first has become ready, and those that restart with the program have not been told.
    var isRenewed = false

    init(_ id: ProgramProcessID) {
        self.id = id
    }
}

// MARK: - Queries

extension ProgramPlace {
    /// Something of it lives, or may.
    var isHolding: Bool { departing != nil || !processes.isEmpty }

    /// To be filled as soon as that is possible, if the program is to run.
    var isEmpty: Bool {
        switch state {
        case .empty: true
        case .starting, .ready, .replacing, .ending, .backoff, .failed, .finished: false
        }
    }

    var isReady: Bool {
        switch state {
        case .ready, .replacing: true
        case .empty, .starting, .ending, .backoff, .failed, .finished: false
        }
    }

    /// Ready, and for long enough that an operation may say so.
    func isProven(now: MonotonicTime) -> Bool {
        isReady && processes.first?.provenAt.map { now >= $0 } ?? false
    }

    /// Ready, but for too short a time after an unstable end to say so.
    func isOnProbation(now: MonotonicTime) -> Bool {
        guard unstableEnds > 0, case .ready(let process) = state else { return false }
        return now - (process.executedAt ?? process.spawnedAt) < ProgramLimits.probation
    }

    /// Kept from running, or not shown to run again after an unstable end.
    func isStruggling(now: MonotonicTime) -> Bool {
        switch state {
        case .backoff, .failed, .ending(_, .backoff), .ending(_, .failed): true
        case .empty: unstableEnds > 0 && restartIsDue
        case .starting: unstableEnds > 0
        case .ready: isOnProbation(now: now)
        case .replacing, .ending, .finished: false
        }
    }

    var isFinished: Bool {
        switch state {
        case .finished: true
        case .empty, .starting, .ready, .replacing, .ending, .backoff, .failed: false
        }
    }

    var hasFailed: Bool {
        switch state {
        case .failed, .ending(_, .failed): true
        case .empty, .starting, .ready, .replacing, .ending, .backoff, .finished: false
        }
    }

    /// Processes that fill it, the departing one aside.
    var processes: [ProgramProcess] {
        switch state {
        case .starting(let process), .ready(let process), .ending(let process, _): [process]
        case .replacing(let old, let successor): [old, successor]
        case .empty, .backoff, .failed, .finished: []
        }
    }

    /// The departing one, too.
    func process(_ instance: InstanceID) -> ProgramProcess? {
        if let departing, departing.instance == instance { return departing }
        return processes.first { $0.instance == instance }
    }

    var nextDeadline: MonotonicTime? {
        var deadlines = (processes + [departing].compactMap { $0 }).compactMap(\.deadline)
        if case .backoff(let until, _) = state { deadlines.append(until) }
        return deadlines.min()
    }

    /// What the last unstable end leads to, after `it exited with 1;`.
    func outlook(now: MonotonicTime) -> String {
        switch state {
        case .backoff(let until, _), .ending(_, .backoff(let until, _)):
            Self.retry(in: until - now)
        case .failed(let why, _), .ending(_, .failed(let why, _)):
            "it is given up \(why)"
        case .ready, .replacing:
            "the process that ran before goes on"
        case .finished, .ending(_, .finished):
            "it is not started again"
        case .empty, .starting, .ending(_, .empty), .ending(_, .judge):
            "it is started again"
        }
    }

    /// `it is started again in 2 s`.
    static func retry(in delay: Duration) -> String { "it is started again \(delay.spokenWait)" }
}

// MARK: - Orders

extension ProgramPlace {
    mutating func fill(_ instance: InstanceID, _ configuration: ProgramConfiguration, now: MonotonicTime)
        -> [ProgramAction]
    {
        switch state {
        case .empty:
            break
        case .starting, .ready, .replacing, .ending, .backoff, .failed, .finished:
            preconditionFailure("\(id) is filled although it is not empty.")
        }
        if restartIsDue { restarts += 1 }
        restartIsDue = false
        state = .starting(ProgramProcess(instance: instance, configuration: configuration, now: now))
        return [.spawn(instance, id, configuration)]
    }

    /// A successor that takes over when it is ready.
    ///
    /// - Parameter counts: as a restart.
    mutating func replace(
        with instance: InstanceID, _ configuration: ProgramConfiguration, counts: Bool, now: MonotonicTime
    ) -> [ProgramAction] {
        switch state {
        case .ready(let old):
            if counts { restarts += 1 }
            if let readyFor = old.readyFor(now: now), readyFor >= old.configuration.backoff.stableAfter {
                unstableEnds = 0
            }
            let successor = ProgramProcess(instance: instance, configuration: configuration, now: now)
            state = .replacing(old: old, successor: successor)
            return [.spawn(instance, id, configuration)]
        case .empty, .starting, .replacing, .ending, .backoff, .failed, .finished:
            preconditionFailure("\(id) is replaced although it does not serve alone.")
        }
    }

    var canOverlap: Bool {
        switch state {
        case .ready(let process): departing == nil && process.pid != nil
        case .empty, .starting, .replacing, .ending, .backoff, .failed, .finished: false
        }
    }

    /// Whatever it holds ends, and it is empty then; what was in the way of a start is forgotten.
    mutating func clear(now: MonotonicTime) -> [ProgramAction] {
        unstableEnds = 0
        restartIsDue = false
        failure = nil
        switch state {
        case .empty:
            return []
        case .backoff, .failed, .finished:
            state = .empty
            return []
        case .starting(var process), .ready(var process):
            let actions = ask(&process, now: now)
            state = .ending(process, .empty)
            return actions
        case .replacing(var old, var successor):
            let actions = ask(&successor, now: now) + ask(&old, now: now)
            departing = successor
            state = .ending(old, .empty)
            return actions
        case .ending(let process, _):
            state = .ending(process, .empty)
            return []
        }
    }

    /// The end of everything it holds, at once.
    mutating func kill(now: MonotonicTime) -> [ProgramAction] {
        var actions = clear(now: now).filter { action in
            if case .signal = action { false } else { true }
        }
        if case .ending(var process, let then) = state {
            actions += kill(&process, "was killed because the stop was hurried", .warning, now: now)
            state = .ending(process, then)
        }
        if var process = departing {
            actions += kill(&process, "was killed because the stop was hurried", .warning, now: now)
            departing = process
        }
        return actions
    }

    /// Counts start anew; a place that was given up is empty.
    mutating func reset() {
        unstableEnds = 0
        restarts = 0
        failure = nil
        switch state {
        case .failed: state = .empty
        case .ending(let process, .failed): state = .ending(process, .empty)
        case .empty, .starting, .ready, .replacing, .ending, .backoff, .finished: break
        }
    }

    // MARK: Means

    func ask(_ process: inout ProgramProcess, now: MonotonicTime) -> [ProgramAction] {
        process.probing = .none
        process.readyDeadline = nil
        process.readyDue = nil
        guard process.configuration.stopTimeout > .zero else {
            return kill(&process, "has no time to end by itself (stopTimeout: 0)", .info, now: now)
        }
        process.end = .asked(killAt: now + process.configuration.stopTimeout)
        return [.signal(process.instance, process.configuration.stopSignal)]
    }

    func kill(
        _ process: inout ProgramProcess, _ why: String, _ severity: LogLevel, now: MonotonicTime
    ) -> [ProgramAction] {
        switch process.end {
        case .killed, .swept:
            return []
        case nil, .asked:
            process.probing = .none
            process.readyDeadline = nil
            process.readyDue = nil
            process.end = .killed(patience: now + ProgramLimits.killPatience)
            return [.event(.killed(id, process, why: why, severity)), .killTree(process.instance)]
        }
    }
}
