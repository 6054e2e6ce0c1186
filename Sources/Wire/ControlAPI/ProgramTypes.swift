// Programs on the control socket.
//
// GET /v1/programs               [ProgramStatus], by number
// GET /v1/programs/describe      ProgramDescription; ?target=api
// POST /v1/programs              a definition as it stands in programs: of wsd.yaml, as JSON → NDJSON OperationProgress
// POST /v1/programs/start        ProgramRequest → NDJSON OperationProgress; the same for stop, restart, reload, delete, scale,
//                                signal, reset

/// One program and its processes.
package struct ProgramStatus: Codable, Sendable, Equatable {
    /// What may be typed instead of the name; counts from 1.
    package var number: Int
    package var name: String
    package var state: ProgramState
    /// `start`, `reload`: what runs now.
    package var operation: String?
    /// It stands in the configuration; otherwise it was started at run time.
    package var configured: Bool
    package var wanted: Int
    /// Over all its processes, since the service started.
    package var restarts: Int
    package var processes: [ProgramProcessStatus]
    /// Sentences for a person.
    package var problems: [String]

    package init(
        number: Int, name: String, state: ProgramState, operation: String?, configured: Bool, wanted: Int,
        restarts: Int,
        processes: [ProgramProcessStatus], problems: [String]
    ) {
        self.number = number
        self.name = name
        self.state = state
        self.operation = operation
        self.configured = configured
        self.wanted = wanted
        self.restarts = restarts
        self.processes = processes
        self.problems = problems
    }
}

package enum ProgramState: String, Codable, Sendable, CaseIterable {
    case stopped
    /// A dependency is not ready.
    case waiting
    case starting, ready, stopping
    /// Ended; the next start is due in `retryIn` seconds.
    case backoff
    /// Given up.
    case failed
    /// Ended by itself, as it may.
    case finished
}

package struct ProgramProcessStatus: Codable, Sendable, Equatable {
    /// `api:2`.
    package var name: String
    package var number: Int
    package var state: ProgramState
    package var pid: Int32?
    /// Seconds since it was spawned.
    package var uptime: Double?
    package var restarts: Int
    package var lastExit: String?
    package var retryIn: Double?
    /// Share of one core over the last seconds, percent, descendants included.
    package var cpu: Double?
    /// Resident bytes, descendants included.
    package var memory: Int?
    /// Processes in all: itself and its descendants.
    package var tree: Int?
    /// What it last said of itself (STATUS= of sd_notify(3)).
    package var statusText: String?

    package init(name: String, number: Int, state: ProgramState, restarts: Int) {
        self.name = name
        self.number = number
        self.state = state
        self.restarts = restarts
    }
}

/// `GET /v1/programs/describe`.
package struct ProgramDescription: Codable, Sendable, Equatable {
    package var status: ProgramStatus
    /// Every setting as it would stand in `wsd.yaml`, in the reference's order; `isDefault` for what was not set.
    package var settings: [ProgramSetting]
    /// What its processes are started with, by name. Secrets and all: only for those who may change things.
    package var environment: [String: String]?

    package init(status: ProgramStatus, settings: [ProgramSetting], environment: [String: String]?) {
        self.status = status
        self.settings = settings
        self.environment = environment
    }
}

package struct ProgramSetting: Codable, Sendable, Equatable {
    package var key: String
    package var value: String
    package var isDefault: Bool

    package init(key: String, value: String, isDefault: Bool) {
        self.key = key
        self.value = value
        self.isDefault = isDefault
    }
}

/// Body of the calls that change programs.
package struct ProgramRequest: Codable, Sendable, Equatable {
    /// Names, numbers, `name:number` for one process (restart and signal), or `all`.
    package var targets: [String]
    /// `scale`: processes from now on.
    package var instances: Int?
    /// `signal`: name or number (`SIGHUP`, `HUP`, `1`).
    package var signal: String?

    package init(targets: [String], instances: Int? = nil, signal: String? = nil) {
        self.targets = targets
        self.instances = instances
        self.signal = signal
    }
}
