package import Model

/// Names one accepted operation over the supervisor's life; counts from 1.
package struct OperationID: Hashable, Sendable, Codable {
    package var rawValue: Int

    package init(rawValue: Int) {
        self.rawValue = rawValue
    }
}

/// What the fleet is busy with. At most one at a time; only a stop pre-empts.
package enum FleetOperation: Codable, Sendable, Equatable, CustomStringConvertible {
    /// From the first spawn until every slot is ready, failed or in backoff.
    case start
    case reload
    /// `slot` `nil`: all workers, then the hub.
    case restart(slot: SlotID?, now: Bool)
    case scale(to: Int)
    /// A worker above `workers.maxMemory` is replaced.
    case recycle(SlotID)
    case stop

    package var description: String {
        switch self {
        case .start: "start"
        case .reload: "reload"
        case .restart(nil, false): "restart"
        case .restart(nil, true): "restart --now"
        case .restart(let slot?, false): "restart of \(slot)"
        case .restart(let slot?, true): "restart --now of \(slot)"
        case .scale(let count): "scale to \(count)"
        case .recycle(let slot): "recycling of \(slot)"
        case .stop: "stop"
        }
    }

    var word: EventKind.OperationWord {
        switch self {
        case .start: .start
        case .reload: .reload
        case .restart: .restart
        case .scale: .scale
        case .recycle: .recycle
        case .stop: .stop
        }
    }
}

/// The end of an operation, in a sentence.
package enum OperationResult: Codable, Sendable, Equatable {
    case succeeded(String)
    case failed(String)

    package var message: String {
        switch self {
        case .succeeded(let message), .failed(let message): message
        }
    }
}

/// Why an operation was not begun. Nothing has changed.
package enum OperationRefusal: Error, Codable, Sendable, Equatable, CustomStringConvertible {
    /// Another one runs (answered 409).
    case busy(FleetOperation)
    /// No such slot (404).
    case unknownSlot(SlotID)
    /// Outside 0…``FleetLimits/workers`` (400).
    case impossibleCount(Int)
    /// `start` has not been called yet, or the fleet has ended (503).
    case notRunning
    /// There are no workers and can be none until the service is started anew (409).
    case noWorkers

    package var description: String {
        switch self {
        case .busy(let operation): "The service is busy: \(operation) is running. Try again when it has finished."
        case .unknownSlot(let slot): "There is no \(slot)."
        case .impossibleCount(let count): "\(count) workers are not possible: choose 0 to \(FleetLimits.workers)."
        case .notRunning: "The service is not running."
        case .noWorkers:
            "This wsd runs no workers: its configuration says workers.count: 0. To have some, set another number there and "
                + "restart wsd itself."
        }
    }
}

/// Answer to a request. Register who waits for `id` before performing the actions: they may already finish the
/// operation.
package enum OperationResponse: Sendable, Equatable {
    case accepted(OperationID, [FleetAction])
    case refused(OperationRefusal)
}
