package import Model

/// A process that no slot counts on any more, but that still lives: it drains, or has been killed and not been reaped
/// yet.
package struct DepartingProcess: Codable, Sendable, Equatable {
    package var process: SlotProcess
    package let slot: SlotID
    /// `nil`: SIGKILL has been sent.
    package var killAt: MonotonicTime?
    package var killedAt: MonotonicTime?
    /// Clients still to be closed, once it has said so.
    package var remaining: Int?
    package var hasReleasedListener = false
    /// Told to drain; a process that never served is killed instead.
    package var isDraining: Bool

    /// SIGKILL had no effect for so long that a stop no longer waits for it.
    func outlivesPatience(now: MonotonicTime) -> Bool {
        killedAt.map { now - $0 >= FleetLimits.killPatience } ?? false
    }
}
