/// A program of the team's own that the supervisor keeps: what it runs, and how it is kept.
package struct ProgramConfiguration: Equatable, Sendable, Codable {
    /// Unique among programs: see ``isName(_:)``.
    package var name = ""
    /// Program and arguments; the program is looked for in `PATH` unless it holds a slash.
    package var command: [String] = []
    /// Processes; 1…``maxInstances``; `nil`: one for each core.
    package var instances: Int? = 1
    /// Started with the service.
    package var autostart = true
    /// Working directory; `nil`: the configuration file's, or the caller's of `wsctl start`.
    package var folder: String?
    /// `NAME=value`, on top of the supervisor's own environment; they win over ``environmentFiles``.
    package var environment: [String] = []
    /// Files with a `NAME=value` in each line; read at each start. One that begins with `-` may be missing.
    package var environmentFiles: [String] = []
    /// Name or number; `nil`: the supervisor's.
    package var user: String?
    /// Name or number; `nil`: the user's own.
    package var group: String?
    /// File mode creation mask (umask(2)), 0…0o777; `nil`: the supervisor's.
    package var umask: Int?
    /// -20…19 (nice(2)); `nil`: the supervisor's.
    package var nice: Int?
    /// The soft limit on descriptors is the one that the supervisor itself was started with where it is not named here.
    package var limits: [ProgramLimit] = []

    package var restart = ProgramRestart.always
    /// Exit codes after which it is not started again, whatever ``restart`` says; 0…255.
    package var stopExitCodes: [Int] = []
    package var backoff = RestartConfiguration()
    /// Number of the signal that asks it to end (signal(7)).
    package var stopSignal: Int32 = 15
    /// From the signal to SIGKILL; 0…1 h.
    package var stopTimeout = Duration.seconds(10)

    /// When a process counts as ready.
    package var ready = ProgramReadiness.after(.zero)
    /// A process that is not ready by then is killed, and has failed; 100 ms…1 h.
    package var readyTimeout = Duration.seconds(30)
    /// Asked again and again once it is ready; `nil`: never.
    package var alive: ProgramProbe?
    /// 100 ms…1 h.
    package var aliveInterval = Duration.seconds(10)
    /// 50 ms…10 min.
    package var aliveTimeout = Duration.seconds(5)
    /// Failures in a row after which the process is replaced; 1…1000.
    package var aliveFailures = 3
    /// Resident bytes of a process and its descendants above which it is replaced; 0: no limit.
    package var maxMemory = 0

    /// Files and folders whose changes restart the program.
    package var watch: [String] = []
    /// Patterns of paths that do not count; see FileWatch.
    package var watchIgnore: [String] = []
    /// Quiet time after a change before the restart; 0…1 h.
    package var watchDelay = Duration.milliseconds(200)
    /// Restarts at these times (crontab(5), local time); `nil`: never.
    package var cron: CronSchedule?

    /// Programs that are to be ready before it starts, and stopped after it.
    package var dependsOn: [String] = []
    /// Programs with which it is restarted, whyever they start again.
    package var restartsWith: [String] = []
    /// Sockets that the supervisor holds and every process gets (`LISTEN_FDS`, sd_listen_fds(3)).
    package var listen: [ListenAddress] = []

    package init() {}

    /// Most processes of a program.
    package static let maxInstances = 256

    /// Words that mean something else where a program can be named.
    package static let reservedNames: Set<String> = ["all", "worker", "workers", "hub", "supervisor", "wsd"]

    /// Letters, digits, `.`, `_` and `-`, 64 bytes at most, beginning with a letter or a digit but not of digits alone (those are
    /// numbers), and no reserved word.
    package static func isName(_ text: String) -> Bool {
        let bytes = text.utf8
        guard let first = bytes.first, bytes.count <= 64, !reservedNames.contains(text.lowercased()) else {
            return false
        }
        let isAlphanumeric: (UInt8) -> Bool = { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: false
            }
        }
        guard isAlphanumeric(first), !bytes.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
            return false
        }
        return bytes.allSatisfy { isAlphanumeric($0) || "._-".utf8.contains($0) }
    }
}

/// What an end without being asked means.
package enum ProgramRestart: String, Sendable, Codable, CaseIterable {
    case always
    /// Not after exit 0.
    case onFailure = "on-failure"
    case never
}

/// A resource limit of setrlimit(2).
package struct ProgramLimit: Hashable, Sendable, Codable {
    /// As in `prlimit`, lower case: `nofile`, `core`, `as`, …
    package var resource: String
    /// `nil`: unlimited.
    package var soft: UInt64?
    package var hard: UInt64?

    package init(resource: String, soft: UInt64?, hard: UInt64?) {
        self.resource = resource
        self.soft = soft
        self.hard = hard
    }
}

/// How a process shows that it serves.
package enum ProgramReadiness: Hashable, Sendable, Codable {
    /// It has lived this long; 0: as soon as it runs.
    case after(Duration)
    /// It says READY=1 (sd_notify(3)).
    case notify
    /// A probe succeeds.
    case probe(ProgramProbe)
    /// A line of its output contains this text.
    case log(String)
}

/// A question to a process from outside.
package enum ProgramProbe: Hashable, Sendable, Codable {
    /// A connection is accepted.
    case tcp(host: String, port: UInt16)
    /// A GET is answered with a status from 200 to 399.
    case http(UpstreamAddress, path: String)
}
