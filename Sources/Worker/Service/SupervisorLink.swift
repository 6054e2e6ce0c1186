/// What the engine tells the process's supervisor; the service connects it to the child link.
struct SupervisorLink {
    var listenerReleased: () -> Void = {}
    /// Clients still to be closed.
    var draining: (Int) -> Void = { _ in }
    /// Everything is drained and said: end the process.
    var finished: () -> Void = {}
}
