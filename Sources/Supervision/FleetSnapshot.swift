package import Model

/// The fleet at one moment, for `status`.
package struct FleetSnapshot: Codable, Sendable, Equatable {
    package enum Health: String, Codable, Sendable {
        /// Everything runs.
        case ok
        /// Serving, but not as configured.
        case degraded
        /// The service has not been ready yet.
        case starting
        case stopping
    }

    package var health: Health
    /// Sentences for a person.
    package var problems: [String]
    package var operation: FleetOperation?
    package var workersWanted: Int
    /// `false`: there is no hub and can be no worker.
    package var servesClients: Bool
    /// Revision of the running configuration.
    package var revision: Int
    /// Restarts over all slots since the service started, removed slots included.
    package var restarts: Int
    /// Hub first, then workers by number (a successor after the one it replaces), then departing ones.
    package var processes: [ProcessSnapshot]
    /// `nil`: the service is in no control group that counts memory.
    package var memory: MemorySnapshot?
}

/// Memory of the service's control group.
package struct MemorySnapshot: Codable, Sendable, Equatable {
    package var reading: MemoryReading
    /// Since the service started.
    package var events: MemoryEvents
    /// Since the kernel last had to act while the working set was near the limit.
    package var strainedAgo: Duration?
}

/// One living or awaited process.
package struct ProcessSnapshot: Codable, Sendable, Equatable {
    package enum State: String, Codable, Sendable {
        case starting, ready
        /// Closes its clients; its slot has or will have another process, or is gone.
        case draining
        /// SIGKILL was sent, or the hub was told to end.
        case stopping
        case backoff, failed, stopped
    }

    package var slot: SlotID
    package var state: State
    /// `nil`: no process now.
    package var instance: InstanceID?
    package var pid: Int32?
    package var version: String?
    /// Since it was spawned.
    package var uptime: Duration?
    /// Restarts of the slot since the service started.
    package var restarts: Int
    /// Why the predecessor ended, in words.
    package var lastExit: String?
    /// Until the next start, in backoff.
    package var retryIn: Duration?
    /// Resident bytes, as last told.
    package var memory: Int?
    /// Processes of the slot that the kernel killed for memory since the service started.
    package var memoryKills = 0
    /// Clients still to be closed, while draining.
    package var remaining: Int?
}
