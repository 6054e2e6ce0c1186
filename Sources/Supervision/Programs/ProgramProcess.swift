internal import Model

/// One life of a process, as far as its place must know it.
struct ProgramProcess: Codable, Sendable, Equatable {
    /// Where it is with its end.
    enum End: Codable, Sendable, Equatable {
        /// `stopSignal` has been sent.
        case asked(killAt: MonotonicTime)
        case killed(patience: MonotonicTime)
        /// The main process is gone; what it left behind is not yet.
        case swept(patience: MonotonicTime)
    }

    enum Probing: Codable, Sendable, Equatable {
        case none
        case due(MonotonicTime)
        /// - Parameter counts: a failure counts: the supervisor has not been late since it asked.
        case asked(at: MonotonicTime, overdue: MonotonicTime, counts: Bool)
    }

    let instance: InstanceID
    /// What it was started with; what takes no new process is kept up to date.
    var configuration: ProgramConfiguration
    let spawnedAt: MonotonicTime
    /// `nil` until its command runs.
    var pid: Int32?
    /// When its command began to run.
    var executedAt: MonotonicTime?
    var readyAt: MonotonicTime?
    /// It is killed if it is not ready by then.
    var readyDeadline: MonotonicTime?
    /// It is ready if it lives then.
    var readyDue: MonotonicTime?
    var probing = Probing.none
    /// Probes in a row that failed.
    var probeFailures = 0
    var lastProbeFailure: String?
    /// Readings in a row above the limit.
    var memoryExcesses = 0
    var memory: Int?
    var statusText: String?
    var words = LastWords()
    /// `nil`: nobody has asked it to end.
    var end: End?

    init(instance: InstanceID, configuration: ProgramConfiguration, now: MonotonicTime) {
        self.instance = instance
        self.configuration = configuration
        spawnedAt = now
        readyDeadline = now + configuration.readyTimeout
    }

    mutating func spawned(pid: Int32, now: MonotonicTime) {
        self.pid = pid
        executedAt = now
        switch configuration.ready {
        case .after(let duration):
            readyDeadline = nil
            readyDue = now + max(duration, .zero)
        case .probe:
            probing = .due(now)
        case .notify, .log:
            break
        }
    }

    mutating func becameReady(now: MonotonicTime) {
        readyAt = now
        readyDeadline = nil
        readyDue = nil
        probeFailures = 0
        lastProbeFailure = nil
        probing = configuration.alive == nil ? .none : .due(now + configuration.aliveInterval)
    }

    /// A configuration that takes no new process.
    mutating func adopt(_ new: ProgramConfiguration, now: MonotonicTime) {
        let isProbedAnew = new.alive != configuration.alive || new.aliveInterval != configuration.aliveInterval
        configuration = new
        guard readyAt != nil, isProbedAnew else { return }
        probeFailures = 0
        probing = new.alive == nil ? .none : .due(now + new.aliveInterval)
    }

    /// What it is to be asked now.
    var probe: ProgramProbe? {
        if readyAt != nil { return configuration.alive }
        return switch configuration.ready {
        case .probe(let probe): probe
        case .after, .notify, .log: nil
        }
    }

    var probeTimeout: Duration {
        readyAt == nil
            ? min(configuration.aliveTimeout, ProgramLimits.readyProbeTimeout) : configuration.aliveTimeout
    }

    /// The supervisor was late by `lateness`: nobody is judged by that time.
    mutating func excuse(_ lateness: Duration) {
        readyDeadline = readyDeadline.map { $0 + lateness }
        readyDue = readyDue.map { $0 + lateness }
        switch probing {
        case .none, .due: break
        case .asked(let at, let overdue, _): probing = .asked(at: at, overdue: overdue + lateness, counts: false)
        }
        switch end {
        case nil: break
        case .asked(let killAt): end = .asked(killAt: killAt + lateness)
        case .killed(let patience): end = .killed(patience: patience + lateness)
        case .swept(let patience): end = .swept(patience: patience + lateness)
        }
    }

    var deadline: MonotonicTime? {
        switch end {
        case .asked(let time), .killed(let time), .swept(let time): return time
        case nil: break
        }
        let probe: MonotonicTime? =
            switch probing {
            case .none: nil
            case .due(let time), .asked(_, let time, _): time
            }
        return [readyDeadline, readyDue, probe].compactMap { $0 }.min()
    }

    /// When its readiness says more than that it was started.
    var provenAt: MonotonicTime? {
        switch configuration.ready {
        case .after: executedAt.map { $0 + ProgramLimits.proof }
        case .notify, .probe, .log: readyAt
        }
    }

    func readyFor(now: MonotonicTime) -> Duration? { readyAt.map { now - $0 } }

    /// Why it ended, with its own last words unless it ended well.
    func reason(for exit: ProcessExit) -> String {
        guard exit != .exited(0), let words = words.line else { return exit.sentence }
        return "\(exit.sentence): \(words)"
    }
}

/// What a process wrote last to its standard error: a line that names an error rather than the stack trace after it.
struct LastWords: Codable, Sendable, Equatable {
    private(set) var line: String?
    /// Lines since `line` for which it is still preferred; 0: any other replaces it.
    private var preferred = 0

    mutating func say(_ text: String) {
        let text = Self.shortened(text)
        guard text.contains(where: { !$0.isWhitespace }) else { return }
        let namesError = Self.namesError(text)
        if !namesError, preferred > 0 {
            preferred -= 1
            return
        }
        line = text
        preferred = namesError ? ProgramLimits.errorLineReach : 0
    }

    /// Frames of a stack trace are indented.
    private static func namesError(_ text: String) -> Bool {
        guard let first = text.first, !first.isWhitespace else { return false }
        return ["Error", "error:", "ERROR", "Exception", "panic", "fatal", "Fatal", "FATAL"].contains(
            where: text.contains)
    }

    /// At most ``ProgramLimits/lineBytes``, whole characters.
    static func shortened(_ text: String) -> String {
        guard text.utf8.count > ProgramLimits.lineBytes else { return text }
        var end = text.utf8.index(text.startIndex, offsetBy: ProgramLimits.lineBytes)
        while end > text.startIndex, end.samePosition(in: text) == nil { end = text.utf8.index(before: end) }
        return String(text[..<end])
    }
}
