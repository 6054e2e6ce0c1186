package struct WorkersConfiguration: Equatable, Sendable, Codable {
    /// Worker processes; 0…1024; `nil` (written `auto`): one per core.
    package var count: Int?
    /// Resident bytes above which a worker is replaced gracefully; 16 MiB…1 TiB; 0: no limit.
    package var maxMemory = 0
    /// How long a new child may take until READY; 100 ms…10 min.
    package var readyTimeout = Duration.seconds(10)
    /// Silence after which a child counts as stuck and is killed; 2 s…10 min. Children send a heartbeat every second.
    package var heartbeatTimeout = Duration.seconds(5)

    /// Counted 0 by the configuration: no worker, no hub and no socket of the service's own, programs alone. (`wsctl scale 0` is
    /// something else: there the hub and the sockets stay.)
    package var areOff: Bool { count == 0 }

    package init() {}
}

/// When a child that ended is started again.
package struct RestartConfiguration: Equatable, Sendable, Codable {
    /// First delay after an unstable end; 1 ms…1 h.
    package var initialDelay = Duration.milliseconds(100)
    /// Factor from one delay to the next; 1…10.
    package var factor = 2.0
    /// Longest delay; at least `initialDelay`, at most 24 h.
    package var maxDelay = Duration.seconds(15)
    /// A child that was READY this long is stable: its end is answered at once and resets the count;
    /// 1 ms…24 h; 0: always.
    package var stableAfter = Duration.seconds(30)
    /// Unstable ends in a row above which a slot is given up (`failed`); 1…1,000,000. Never applies to the hub.
    package var maxUnstable = 16

    package init() {}
}

package struct ReloadConfiguration: Equatable, Sendable, Codable {
    /// Clients of a replaced worker are closed (1012) evenly over this time; 0…1 h.
    package var drainSpread = Duration.seconds(5)
    /// A replaced worker that still has clients after this time is killed; at least `drainSpread`, at most 24 h.
    package var drainTimeout = Duration.seconds(30)

    package init() {}
}

package struct ShutdownConfiguration: Equatable, Sendable, Codable {
    /// `/readyz` says 503 this long while connections are still accepted; 0…10 min.
    package var lameDuck = Duration.zero
    /// Clients are closed (1001) evenly over this time; 0…1 h.
    package var drainSpread = Duration.seconds(2)
    /// From the signal's end of lame duck to the kill of what is left; at least `drainSpread`, at most 24 h.
    package var timeout = Duration.seconds(30)

    package init() {}
}

package struct HubConfiguration: Equatable, Sendable, Codable {
    /// A client's request that the hub has not confirmed after this time is answered with a temporary error; 100 ms…1 min.
    package var requestTimeout = Duration.seconds(5)
    /// Bytes of unconfirmed operations a worker holds for the hub; 64 KiB…1 GiB, at least `maxMessageSize`. Above: new ones
    /// are refused.
    package var heldBytes = 8 * 1024 * 1024
    /// Bytes the hub queues for one worker that does not read before it cuts that link, four times as many while the
    /// worker still reads; 64 KiB…4 GiB, at least `maxMessageSize`.
    package var linkQueue = 32 * 1024 * 1024

    package init() {}
}

package struct ControlConfiguration: Equatable, Sendable, Codable {
    /// Path of the control socket; `nil`: the usual place. Cannot be changed by a reload.
    package var socket: String?
    /// Group whose members may do everything; `nil`: none besides root and the own user. Cannot be changed by a reload.
    package var group: String?
    /// Any local user may look (status, clients, logs), but not change. Cannot be changed by a reload.
    package var readOnlyOthers = false

    package init() {}
}
