package import Model
package import Wire

/// What a child does when its supervisor speaks. All are called on the child's event loop.
package struct ChildHandlers {
    /// Figures for the heartbeat. ``ChildCounters/logLinesDropped`` is filled in by the caller.
    package var counters: () -> ChildCounters
    /// See ``SupervisorMessage/drain(code:spread:deadline:)``.
    package var drain: (_ code: CloseCode, _ spread: Duration, _ deadline: Duration) -> Void
    package var lameDuck: (Bool) -> Void
    /// To be answered with ``ChildProcess/reply(_:_:more:)``.
    package var query: (_ id: Int, ChildQuery) -> Void
    /// The supervisor is gone, or can no longer be understood. Called once.
    package var linkClosed: () -> Void

    package init(
        counters: @escaping () -> ChildCounters,
        drain: @escaping (_ code: CloseCode, _ spread: Duration, _ deadline: Duration) -> Void,
        lameDuck: @escaping (Bool) -> Void,
        query: @escaping (_ id: Int, ChildQuery) -> Void,
        linkClosed: @escaping () -> Void
    ) {
        self.counters = counters
        self.drain = drain
        self.lameDuck = lameDuck
        self.query = query
        self.linkClosed = linkClosed
    }
}
