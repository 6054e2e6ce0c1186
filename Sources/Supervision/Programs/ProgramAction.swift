package import Model

/// What the driver has to do for programs, in order. Actions that follow from performing one go to the end of its queue.
package enum ProgramAction: Codable, Sendable, Equatable {
    /// Start a process. Report `spawned` once its command has been executed, or `spawnFailed` when that cannot be any more and
    /// nothing of it lives; nothing else about it before.
    case spawn(InstanceID, ProgramProcessID, ProgramConfiguration)
    /// To the main process alone.
    case signal(InstanceID, Int32)
    /// SIGKILL to the main process and everything that came from it. What is still there later is reported like any other end:
    /// `exited`, then `treeGone`.
    case killTree(InstanceID)
    /// The main process has ended: SIGKILL to what it left behind. Report `treeGone` when nothing is left.
    case sweepTree(InstanceID)
    /// One question; report `probed`, by the timeout at the latest. Nothing need be reported once the process has ended.
    case probe(InstanceID, ProgramProbe, timeout: Duration)
    /// Close the sockets of `listen`: the program is stopped, deleted, or listens elsewhere from now on.
    case closeSockets(program: String)
    /// What is watched for a program (files, cron), from now on; `nil`: nothing.
    case watch(program: String, ProgramConfiguration?)
    /// What is remembered over a restart of the service has changed.
    case remember
    case operationProgress(ProgramOperationID, String)
    /// Last word about the operation.
    case operationFinished(ProgramOperationID, OperationResult)
    case event(ProgramEvent)
    /// Every program has settled (ready, finished, failed, waiting for a failed one, or stopped) for the first time.
    case settled
    /// After `stopAll`: nothing lives any more.
    case allStopped
}

/// A place that one process at a time is to fill.
package struct ProgramProcessID: Hashable, Comparable, Codable, Sendable, CustomStringConvertible {
    package var program: String
    /// Counts from 1.
    package var number: Int

    package init(program: String, number: Int) {
        self.program = program
        self.number = number
    }

    package static func < (lhs: Self, rhs: Self) -> Bool {
        (lhs.program, lhs.number) < (rhs.program, rhs.number)
    }

    /// `api:2`: also what an operator types.
    package var description: String { "\(program):\(number)" }
}

/// Names one accepted operation on programs over the supervisor's life; counts from 1.
package struct ProgramOperationID: Hashable, Sendable, Codable {
    package var rawValue: Int

    package init(rawValue: Int) {
        self.rawValue = rawValue
    }
}

/// Something an operator may want to know later.
package struct ProgramEvent: Codable, Sendable, Equatable {
    package var kind: EventKind
    package var severity: LogLevel
    /// Constant for one kind of event; what varies stands in `fields`.
    package var message: String
    package var program: String
    /// `nil`: of the program as a whole.
    package var number: Int?
    /// Declared dotted keys (`process.pid`, `exit.reason`, …).
    package var fields: [String: String]
    /// Of `process.exited` and `process.finished`.
    package var end: ProcessEndFigures?

    package init(
        _ kind: EventKind, _ severity: LogLevel, _ message: String, program: String, number: Int? = nil,
        fields: [String: String] = [:]
    ) {
        self.kind = kind
        self.severity = severity
        self.message = message
        self.program = program
        self.number = number
        self.fields = fields
    }
}
