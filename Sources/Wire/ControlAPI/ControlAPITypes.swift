package import Model

// What travels over the control socket under /v1: JSON objects, and NDJSON for streams and operations.
// docs/openapi.yaml describes the same; keep both in step.

/// `GET /v1/status`.
package struct ServiceStatus: Codable, Sendable, Equatable {
    package enum Health: String, Codable, Sendable {
        /// Everything runs.
        case ok
        /// Serving, but something is not as configured (a slot failed or restarting, the hub away).
        case degraded
        /// Still starting.
        case starting
        /// On its way out.
        case stopping
    }

    package var version: String
    package var pid: Int32
    package var mode: RunMode
    package var health: Health
    /// Sentences for a person: what is wrong, if anything.
    package var problems: [String]
    /// Seconds.
    package var uptime: Double
    /// Bound addresses, as a client would write them.
    package var addresses: [String]
    package var controlSocket: String
    package var configurationFile: String?
    /// `reload`, `restart`, `scale to 4`, `stop`: what runs now.
    package var operation: String?
    /// Whether a service manager started it (and would start it again).
    package var underSystemd: Bool
    package var workersWanted: Int
    /// `true`: it keeps programs alone and serves no clients (`workers.count: 0`); otherwise `nil`.
    package var managesOnly: Bool?
    package var processes: [ProcessStatus]
    package var totals: ServiceTotals
    /// `nil`: the service is in no control group that counts memory.
    package var memory: ServiceMemory?
    /// Programs of the team's own, by number; `nil`: there are none.
    package var programs: [ProgramStatus]?

    package init(
        version: String, pid: Int32, mode: RunMode, health: Health, problems: [String], uptime: Double,
        addresses: [String],
        controlSocket: String, configurationFile: String?, operation: String?, underSystemd: Bool, workersWanted: Int,
        processes: [ProcessStatus], totals: ServiceTotals
    ) {
        self.version = version
        self.pid = pid
        self.mode = mode
        self.health = health
        self.problems = problems
        self.uptime = uptime
        self.addresses = addresses
        self.controlSocket = controlSocket
        self.configurationFile = configurationFile
        self.operation = operation
        self.underSystemd = underSystemd
        self.workersWanted = workersWanted
        self.processes = processes
        self.totals = totals
    }
}

/// One living or awaited process: supervisor, hub, worker, or a worker that drains.
package struct ProcessStatus: Codable, Sendable, Equatable {
    package enum State: String, Codable, Sendable {
        case starting, ready, draining, stopping
        /// Ended; the next start is due in `retryIn` seconds.
        case backoff
        /// Given up after too many unstable ends.
        case failed
        case stopped
    }

    /// `supervisor`, `hub`, `worker 1`.
    package var name: String
    /// Slot number of a worker.
    package var worker: Int?
    package var state: State
    package var pid: Int32?
    package var version: String?
    /// Seconds since it was spawned.
    package var uptime: Double?
    /// Times that a process of the slot ended unasked and was replaced, since the service started.
    package var restarts: Int
    /// Why the predecessor ended, in words (`killed by SIGKILL`, `exited with 1`).
    package var lastExit: String?
    package var retryIn: Double?
    /// Share of one core over the last seconds, percent.
    package var cpu: Double?
    /// Resident bytes.
    package var memory: Int?
    /// Processes of the slot that the kernel killed for memory since the service started; `nil`: none.
    package var memoryKills: Int?
    package var messagesInPerSecond: Double?
    package var messagesOutPerSecond: Double?
    package var counters: ChildCounters?

    package init(name: String, worker: Int? = nil, state: State, pid: Int32? = nil, restarts: Int = 0) {
        self.name = name
        self.worker = worker
        self.state = state
        self.pid = pid
        self.restarts = restarts
    }
}

/// One line of a log stream (`GET /v1/logs`), NDJSON.
package struct LogEntry: Codable, Sendable, Equatable {
    /// Grows by one with every line the supervisor took; the cursor for `after=`.
    package var sequence: Int
    /// Seconds since 1970, with microseconds.
    package var time: Double
    /// `supervisor`, `hub`, `worker 1`, `api:1` (process 1 of the program `api`).
    package var source: String
    package var worker: Int?
    /// The program whose line it is, or that a line of the supervisor is about.
    package var program: String?
    /// Of a program's line: where it came from.
    package var stream: LogStream?
    package var pid: Int32
    package var level: LogLevel
    package var message: String
    /// Declared dotted keys (`client.id`, `room.id`).
    package var fields: [String: String]

    package init(
        sequence: Int, time: Double, source: String, worker: Int?, program: String? = nil, stream: LogStream? = nil,
        pid: Int32, level: LogLevel, message: String, fields: [String: String]
    ) {
        self.sequence = sequence
        self.time = time
        self.source = source
        self.worker = worker
        self.program = program
        self.stream = stream
        self.pid = pid
        self.level = level
        self.message = message
        self.fields = fields
    }
}

/// Standard output or standard error of a program.
package enum LogStream: String, Codable, Sendable, CaseIterable {
    case out, err
}

/// One line of the NDJSON answer to a mutating call that takes time (`POST /v1/reload`, `/v1/restart`, `/v1/scale`, `/v1/stop`).
/// The last line has `done` set.
package struct OperationProgress: Codable, Sendable, Equatable {
    package var operation: String
    /// A sentence: `worker 2: successor ready (pid 4711), 120 clients draining`.
    package var message: String
    package var done: Bool
    /// With `done`: whether it all happened.
    package var succeeded: Bool?

    package init(operation: String, message: String, done: Bool = false, succeeded: Bool? = nil) {
        self.operation = operation
        self.message = message
        self.done = done
        self.succeeded = succeeded
    }
}

/// Body of every error answer of the control API.
package struct ControlError: Error, Codable, Sendable, Equatable, CustomStringConvertible {
    /// Stable word: `not_found`, `busy`, `forbidden`, `bad_request`, `unavailable`, `configuration`,
    /// `impossible`.
    package var code: String
    /// A sentence that tells a person what is wrong and what to do.
    package var message: String

    package init(code: String, message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
}

/// One key of `GET /v1/config`.
package struct ConfigurationEntry: Codable, Sendable, Equatable {
    package var key: String
    /// As it would stand in `wsd.yaml`; secrets as `********`.
    package var value: String
    /// `default`, `wsd.yaml:12`, `environment WSD_PORT`, `--workers`.
    package var source: String
    package var reloadable: Bool

    package init(key: String, value: String, source: String, reloadable: Bool) {
        self.key = key
        self.value = value
        self.source = source
        self.reloadable = reloadable
    }
}

/// `POST /v1/publish` and `POST /v1/kick`, `POST /v1/scale`: bodies.
package struct PublishBody: Codable, Sendable, Equatable {
    package var room: String
    /// JSON text to deliver as it is.
    package var data: String

    package init(room: String, data: String) {
        self.room = room
        self.data = data
    }
}

package struct KickBody: Codable, Sendable, Equatable {
    package var client: String
    package var reason: String?

    package init(client: String, reason: String? = nil) {
        self.client = client
        self.reason = reason
    }
}

package struct ScaleBody: Codable, Sendable, Equatable {
    package var workers: Int

    package init(workers: Int) {
        self.workers = workers
    }
}

/// `GET /v1/version`.
package struct VersionAnswer: Codable, Sendable, Equatable {
    package var version: String
    package var pid: Int32
    /// File of the supervisor's program.
    package var program: String?
    /// How often another program has taken the supervisor's process over; `nil`: it cannot be (an older wsd).
    package var takeovers: Int?

    package init(version: String, pid: Int32, program: String? = nil, takeovers: Int? = nil) {
        self.version = version
        self.pid = pid
        self.program = program
        self.takeovers = takeovers
    }
}

/// `POST /v1/upgrade`.
package struct UpgradeBody: Codable, Sendable, Equatable {
    /// Absolute path of the program; `nil`: what lies where the running one was started from.
    package var program: String?
    /// Say whether it could take over, and leave it at that.
    package var checkOnly: Bool?

    package init(program: String? = nil, checkOnly: Bool? = nil) {
        self.program = program
        self.checkOnly = checkOnly
    }
}
