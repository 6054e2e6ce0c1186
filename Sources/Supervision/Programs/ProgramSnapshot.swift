package import Model

/// One program at one moment.
package struct ProgramSnapshot: Codable, Sendable, Equatable {
    package enum State: String, Codable, Sendable {
        /// Stopped by somebody, or not started yet (`autostart: false`).
        case stopped
        /// A dependency is not ready.
        case waiting
        case starting, ready, stopping
        /// Ended; the next start is due in `retryIn`.
        case backoff
        /// Given up.
        case failed
        /// Ended by itself, as it may.
        case finished
    }

    package struct Process: Codable, Sendable, Equatable {
        package var number: Int
        package var state: State
        /// Ready, but for too short a time after an unstable end to say so.
        package var isOnProbation = false
        /// `nil`: no process now.
        package var instance: InstanceID?
        package var pid: Int32?
        /// Since it was spawned.
        package var uptime: Duration?
        /// Ends unasked after which it was started again.
        package var restarts: Int
        /// How the predecessor ended, in words.
        package var lastExit: String?
        package var retryIn: Duration?
        /// Resident bytes with descendants, as last told.
        package var memory: Int?
        /// What it last said as STATUS= (sd_notify(3)).
        package var statusText: String?

        package init(number: Int, state: State, restarts: Int) {
            self.number = number
            self.state = state
            self.restarts = restarts
        }
    }

    package var definition: ProgramDefinition
    package var number: Int
    /// The worst of its processes': failed, backoff, starting, stopping, ready, … ; of the program where it has none.
    package var state: State
    package var operation: ProgramOperation?
    /// Processes wanted.
    package var wanted: Int
    /// By number; a successor after the one it replaces.
    package var processes: [Process]
    /// Sentences for a person.
    package var problems: [String]

    package init(
        definition: ProgramDefinition, number: Int, state: State, operation: ProgramOperation?, wanted: Int,
        processes: [Process], problems: [String]
    ) {
        self.definition = definition
        self.number = number
        self.state = state
        self.operation = operation
        self.wanted = wanted
        self.processes = processes
        self.problems = problems
    }
}
