internal import Model

/// What a slot's transition asks of the fleet, in order.
package enum SlotOutcome: Sendable, Equatable {
    /// A process is due: call `start` with this revision now.
    case startDue(revision: Int)
    case kill(SlotProcess, KillReason)
    /// No longer the slot's process. It lives on in the fleet's list of departing ones.
    case departs(SlotProcess, DepartureReason)
    case becameReady(SlotProcess)
    /// A process that was to become ready will not. (It may still live: then a `kill` or `departs` goes with it.)
    case attemptFailed(SlotProcess, reason: String)
    /// The process of a serving slot is gone, or one that was told to end.
    case ended(SlotProcess, reason: String)
    case backingOff(Duration, reason: String)
    case gaveUp(GiveUpReason, reason: String)
}

/// Why a process is killed.
package enum KillReason: Codable, Sendable, Equatable {
    case missedReadyDeadline(Duration)
    case silent(Duration)
    /// It speaks another version of the child link.
    case linkVersion(Int)
    /// Told to end or drain, it did not in time.
    case missedEndDeadline
    /// Nothing is lost by it: it was not ready yet, or was ordered at once.
    case notNeeded
    case hurried

    package var sentence: String {
        switch self {
        case .missedReadyDeadline(let limit): "was not ready within \(limit.spoken)"
        case .silent(let limit): "gave no heartbeat for \(limit.spoken)"
        case .linkVersion(let version): "speaks version \(version) of the child link instead of \(WsdVersion.link)"
        case .missedEndDeadline: "did not end in time"
        case .notNeeded: "was not needed any more"
        case .hurried: "was killed because the stop was hurried"
        }
    }
}

package enum DepartureReason: Codable, Sendable, Equatable {
    /// Its successor is ready: to be drained.
    case replaced
    /// The slot is retired, and it served: to be drained.
    case retired
    /// To be killed.
    case killed(KillReason)
    /// SIGKILL has been sent already.
    case dying
}
