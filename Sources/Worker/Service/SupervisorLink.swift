import Wire

/// What the engine tells the process's supervisor; the service connects it to the child link.
struct SupervisorLink {
    var listenerReleased: () -> Void = {}
    /// Clients still to be closed.
    var draining: (Int) -> Void = { _ in }
    /// Everything is drained and said: end the process.
    var finished: () -> Void = {}
    /// Events for those who follow somebody.
    var trace: (_ id: Int, _ events: [TraceEvent], _ dropped: Int) -> Void = { _, _, _ in }
    /// Whether the supervisor takes what is sent to it.
    var isReading: () -> Bool = { true }
}
