package import Model

/// What the driver has to do, in order.
///
/// Actions that follow from performing one (`spawn` → `childSpawned` → more) go to the end of the driver's queue.
package enum FleetAction: Codable, Sendable, Equatable {
    /// Start a process with the configuration of `revision`. Report `childSpawned` or `childSpawnFailed` before any
    /// other input.
    case spawn(InstanceID, slot: SlotID, revision: Int)
    /// SIGKILL. Its end is reported by `childExited` as ever.
    case kill(InstanceID)
    /// Send the child its `drain` message (the hub just ends). A later one replaces an earlier one.
    case drain(InstanceID, code: CloseCode, spread: Duration, deadline: Duration)
    /// Tell every living worker. Repeated when a worker is spawned meanwhile.
    case setLameDuck(Bool)
    /// Close the supervisor's own copies of the listening sockets.
    case closeListeners
    /// The configuration of this revision is the running one from now on.
    case adoptConfiguration(revision: Int)
    /// A sentence for whoever waits for the operation.
    case operationProgress(OperationID, FleetOperation, String)
    /// Last word about the operation.
    case operationFinished(OperationID, FleetOperation, OperationResult)
    case event(FleetEvent)
    case notify(ServiceNotification)
    /// Nothing lives any more (or nothing that could be killed): flush logs and leave. No action follows.
    case exit(Int32)
}

/// What the service manager is told (sd_notify(3)).
package enum ServiceNotification: Codable, Sendable, Equatable {
    /// READY=1.
    case ready
    /// RELOADING=1 with MONOTONIC_USEC.
    case reloading
    /// READY=1 after `reloading`, whether or not the reload succeeded.
    case reloaded
    /// STOPPING=1.
    case stopping
    /// EXTEND_TIMEOUT_USEC.
    case extendTimeout(Duration)
}
