package import Model

/// Something an operator may want to know later: for the log and the history.
package struct FleetEvent: Codable, Sendable, Equatable {
    package var kind: EventKind
    package var severity: LogLevel
    /// Constant for one kind of event; what varies stands in `fields`.
    package var message: String
    /// `nil`: of the service as a whole.
    package var slot: SlotID?
    /// Declared dotted keys (`process.name`, `process.pid`, `exit.reason`, …).
    package var fields: [String: String]
    /// Of `process.exited`.
    package var end: ProcessEndFigures?

    init(
        _ kind: EventKind, _ severity: LogLevel, _ message: String, slot: SlotID? = nil, fields: [String: String] = [:]
    ) {
        self.kind = kind
        self.severity = severity
        self.message = message
        self.slot = slot
        self.fields = fields
        self.fields["process.name"] = slot?.description
    }
}
