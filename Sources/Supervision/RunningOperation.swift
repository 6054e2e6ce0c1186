internal import Model

/// The operation that runs now and how far it has come.
struct RunningOperation: Codable, Sendable {
    enum Stage: Codable, Sendable, Equatable {
        /// Waits until every slot is ready, failed or in backoff.
        case settling
        /// Slot by slot through `pending`; the first failure aborts.
        case rolling
        /// The hub's successor is waited for.
        case hub
        /// Every slot of `waiting` at once; failures are collected.
        case together
        /// Retired processes are waited for.
        case leaving
    }

    let id: OperationID
    let operation: FleetOperation
    /// Revision that started processes get.
    let revision: Int
    var stage: Stage
    /// Reload: the policy to adopt once all slots run with it.
    var policy: FleetPolicy?
    /// The hub is to be restarted after the workers.
    var includesHub = false
    /// Rolling: slots not begun yet.
    var pending: [SlotID] = []
    /// Slots with an attempt whose outcome is open.
    var waiting: [SlotID] = []
    /// Rolling: the replaced process that still holds the listener.
    var awaitedRelease: InstanceID?
    /// Processes whose end is waited for.
    var leaving: [InstanceID] = []
    var done: [SlotID] = []
    /// Sentences.
    var failures: [String] = []

    init(id: OperationID, operation: FleetOperation, revision: Int, stage: Stage) {
        self.id = id
        self.operation = operation
        self.revision = revision
        self.stage = stage
    }

    var isReload: Bool { operation == .reload }
}

/// A stop on its way. It supervises no worker any more once it drains; the hub is kept alive until the last worker has
/// gone.
struct Shutdown: Codable, Sendable {
    enum Stage: Codable, Sendable, Equatable {
        /// Everything goes on, but `/readyz` says no.
        case lameDuck(until: MonotonicTime)
        case draining(killAt: MonotonicTime)
        case endingHub
    }

    let id: OperationID
    let exitCode: Int32
    var stage: Stage
    /// 0, 1 (drain at once), 2 (kill).
    var hurries = 0
    /// Processes that had to be killed.
    var killed = 0
}
