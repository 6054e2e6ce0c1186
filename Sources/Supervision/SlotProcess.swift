package import Model

/// One spawned process, as far as its slot or the list of departing ones must know it.
package struct SlotProcess: Codable, Sendable, Equatable {
    package let instance: InstanceID
    package let revision: Int
    package let spawnedAt: MonotonicTime
    /// `nil` until the driver has spawned it.
    package var pid: Int32?
    package var version: String?
    package var readyAt: MonotonicTime?
    /// Before READY: kill it when it passes. Afterwards: the end of a permitted silence.
    package var deadline: MonotonicTime
    /// Resident bytes.
    package var memory: Int?
    /// What it said about its own failure, before its end.
    package var complaint: Complaint?

    package struct Complaint: Codable, Sendable, Equatable {
        package var reason: String
        package var exitCode: Int32
    }

    init(instance: InstanceID, revision: Int, spawnedAt: MonotonicTime, deadline: MonotonicTime) {
        self.instance = instance
        self.revision = revision
        self.spawnedAt = spawnedAt
        self.deadline = deadline
    }

    mutating func becameReady(now: MonotonicTime, heartbeatTimeout: Duration) {
        readyAt = now
        deadline = now + heartbeatTimeout
    }

    mutating func beat(memory: Int?, now: MonotonicTime, heartbeatTimeout: Duration) {
        self.memory = memory ?? self.memory
        if readyAt != nil { deadline = now + heartbeatTimeout }
    }

    /// The supervisor was late: nobody answers for that time. A silence starts anew, a start goes on.
    mutating func excuse(lateness: Duration, now: MonotonicTime, heartbeatTimeout: Duration) {
        deadline = readyAt == nil ? deadline + lateness : now + heartbeatTimeout
    }

    func readyFor(now: MonotonicTime) -> Duration? {
        readyAt.map { now - $0 }
    }

    /// Why it ended: its own words before what the kernel says.
    func reason(for exit: ProcessExit) -> String {
        guard let complaint else { return exit.sentence }
        let words = complaint.reason.last == "." ? complaint.reason.dropLast() : complaint.reason[...]
        return "\(exit.sentence): \(words)"
    }

    func isMisconfigured(_ exit: ProcessExit) -> Bool {
        exit == .exited(ExitCode.configuration) || complaint?.exitCode == ExitCode.configuration
    }
}
