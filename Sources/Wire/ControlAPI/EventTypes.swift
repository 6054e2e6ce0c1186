package import Model

// Events on the control socket.
//
// GET /v1/events   NDJSON: ServiceEvent, oldest first; StreamProblem where a slow reader missed some
//                  ?type=process.exited,worker.* &program=api &since=<seconds since 1970, or 90s 10m 2h 1d ago>
//                  &after=<sequence> &count=100 &follow=1

/// Something that happened, for programs that want to act on it. `docs/events.md` says which keys which event has.
package struct ServiceEvent: Codable, Sendable, Equatable {
    /// Counts up by one over the supervisor's life.
    package var sequence: Int
    /// Seconds since 1970.
    package var time: Double
    /// `process.exited`; see ``EventKind``.
    package var type: String
    package var level: LogLevel
    /// Constant for one kind of event.
    package var message: String
    /// Whom it is about: `worker 1`, `hub`, `api:2`.
    package var process: String?
    package var program: String?
    package var worker: Int?
    package var pid: Int32?
    /// Exit status.
    package var code: Int32?
    /// `SIGSEGV`
    package var signal: String?
    package var coreDumped: Bool?
    /// The kernel ended it for want of memory.
    package var outOfMemory: Bool?
    /// It was told to go.
    package var expected: Bool?
    package var reason: String?
    /// Seconds.
    package var uptime: Double?
    package var restarts: Int?
    /// Bytes.
    package var memory: Int?
    package var memoryLimit: Int?
    /// Seconds from its spawn until it was ready.
    package var startTime: Double?
    /// Seconds until the next start.
    package var delay: Double?
    package var operation: String?
    package var result: String?
    /// Whatever else there is to say, by the log's names.
    package var fields: [String: String]?
    /// To a hook only: events that it was not told before this one, because of its rate limit.
    package var leftOut: Int?
    /// To a hook only: all of it in one line, as chats show it.
    package var text: String?

    package init(sequence: Int, time: Double, type: String, level: LogLevel, message: String) {
        self.sequence = sequence
        self.time = time
        self.type = type
        self.level = level
        self.message = message
    }

    /// What an ``EventPattern`` is held against: its type, and for a process's the same with the owner in front.
    package var names: [String] {
        let head = "process."
        guard type.hasPrefix(head) else { return [type] }
        let owner = program != nil ? "program" : worker != nil ? "worker" : "hub"
        return [type, "\(owner).\(type.dropFirst(head.count))"]
    }

    /// `api:2: Program ended (exited with 1: Error: no database)`
    package var sentence: String {
        let subject = (process ?? program).map { "\($0): " } ?? ""
        let detail = result ?? reason ?? operation
        return subject + message + (detail.map { " (\($0))" } ?? "")
    }
}
