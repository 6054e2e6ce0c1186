package import Model

/// The part of the configuration that supervision goes by.
package struct FleetPolicy: Codable, Sendable, Equatable {
    /// There is a hub, and there may be workers; `false`: the service keeps programs alone, for as long as it lives.
    package var servesClients: Bool
    /// Worker processes; 0…``FleetLimits/workers``.
    package var workers: Int
    /// Resident bytes above which a worker is replaced gracefully; 0: no limit.
    package var maxMemory: Int
    package var readyTimeout: Duration
    package var heartbeatTimeout: Duration
    package var restart: RestartConfiguration
    package var reload: ReloadConfiguration
    package var shutdown: ShutdownConfiguration

    /// - Parameter cores: stands in for a worker count that is not configured; at least 1.
    package init(_ configuration: WsdConfiguration, cores: Int) {
        servesClients = !configuration.workers.areOff
        workers = min(max(configuration.workers.count ?? cores, 0), FleetLimits.workers)
        maxMemory = configuration.workers.maxMemory
        readyTimeout = configuration.workers.readyTimeout
        heartbeatTimeout = configuration.workers.heartbeatTimeout
        restart = configuration.restart
        reload = configuration.reload
        shutdown = configuration.shutdown
    }
}

/// Limits of supervision that are not configured.
package enum FleetLimits {
    /// Worker slots; the fleet board has as many cells.
    package static let workers = 1024
    /// What a draining process gets beyond the deadline it was told, before it is killed.
    package static let killGrace = Duration.seconds(1)
    /// What the hub gets to end by itself when it is told to.
    package static let hubEnd = Duration.seconds(2)
    /// The drain of `restart --now` and of a hurried stop.
    package static let hurriedDrain = Duration.seconds(1)
    /// A gap between two inputs above which the supervisor itself was late (it ticks every 500 ms at least).
    package static let lateness = Duration.seconds(1)
    /// How long a process may outlive SIGKILL (uninterruptible sleep) before a stop no longer waits for it.
    package static let killPatience = Duration.seconds(10)
    /// Longest delay before the hub is started again; without it every room stands still.
    package static let hubMaxDelay = Duration.seconds(5)
    /// Shortest time between two recyclings of one slot for its memory.
    package static let recycleInterval = Duration.seconds(60)
    /// How often the service manager's patience is extended while starting, reloading and stopping…
    package static let extendInterval = Duration.seconds(5)
    /// …and by how much.
    package static let extendBy = Duration.seconds(20)
    /// After so many failed starts of one process in a row the service manager is not asked to go on waiting for READY=1.
    package static let patientAttempts = 3
}
