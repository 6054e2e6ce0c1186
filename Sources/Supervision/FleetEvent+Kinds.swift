internal import Model

// Every event there is, with its constant message.

extension FleetEvent {
    private static func fields(_ process: SlotProcess, _ more: [String: String] = [:]) -> [String: String] {
        var fields = more
        fields["process.pid"] = process.pid.map(String.init)
        return fields
    }

    static func spawned(_ slot: SlotID, _ process: SlotProcess) -> Self {
        FleetEvent(.process(.started), .debug, "Process started", slot: slot, fields: fields(process))
    }

    static func ready(_ slot: SlotID, _ process: SlotProcess, now: MonotonicTime) -> Self {
        let took = String((now - process.spawnedAt).milliseconds)
        return FleetEvent(
            .process(.ready), .info, "Process ready", slot: slot, fields: fields(process, ["start.ms": took]))
    }

    static func attemptFailed(_ slot: SlotID, _ process: SlotProcess, reason: String) -> Self {
        FleetEvent(
            .process(.unready), .error, "Process did not become ready", slot: slot,
            fields: fields(process, ["exit.reason": reason]))
    }

    /// - Parameter isAwaited: it was told to go.
    static func ended(_ slot: SlotID, _ process: SlotProcess, reason: String, isAwaited: Bool) -> Self {
        FleetEvent(
            .process(.exited), isAwaited ? .info : .warning, "Process ended", slot: slot,
            fields: fields(process, ["exit.reason": reason]))
    }

    /// The end of a process that no slot counted on any more.
    static func left(_ leaving: DepartingProcess, reason: String, isClean: Bool) -> Self {
        FleetEvent(
            .process(.exited), !leaving.isDraining ? .debug : isClean ? .info : .warning,
            leaving.isDraining ? "Drained process ended" : "Killed process ended", slot: leaving.slot,
            fields: fields(leaving.process, ["exit.reason": reason])
        )
    }

    static func killed(_ slot: SlotID, _ process: SlotProcess, _ why: KillReason) -> Self {
        let level: LogLevel =
            switch why {
            case .notNeeded: .info
            case .missedReadyDeadline, .silent, .linkVersion, .missedEndDeadline, .hurried: .warning
            }
        return FleetEvent(
            .process(.killed), level, "Process killed", slot: slot,
            fields: fields(process, ["kill.reason": why.sentence]))
    }

    static func outlivesKill(_ leaving: DepartingProcess) -> Self {
        FleetEvent(
            .process(.stuck), .error, "Process outlives SIGKILL", slot: leaving.slot, fields: fields(leaving.process))
    }

    /// Why has been said when the process ended.
    static func backingOff(_ slot: SlotID, _ delay: Duration) -> Self {
        FleetEvent(
            .process(.backoff), .info, "Restart delayed", slot: slot,
            fields: ["restart.delay.ms": String(delay.milliseconds)])
    }

    static func gaveUp(_ slot: SlotID, _ why: GiveUpReason, reason: String) -> Self {
        FleetEvent(
            .process(.failed), .critical, "Slot failed: it is not started any more", slot: slot,
            fields: ["failure.reason": why.description, "exit.reason": reason]
        )
    }

    static func recycling(_ slot: SlotID, _ process: SlotProcess, limit: Int) -> Self {
        FleetEvent(
            .process(.memory), .notice, "Memory limit exceeded: the worker is replaced", slot: slot,
            fields: fields(
                process, ["memory.bytes": String(process.memory ?? 0), "memory.limit.bytes": String(limit)]
            )
        )
    }

    static func operationStarted(_ operation: FleetOperation) -> Self {
        FleetEvent(
            .operation(operation.word, .started), .notice, "Operation started",
            fields: ["operation": operation.description])
    }

    static func operationFinished(_ operation: FleetOperation, _ result: OperationResult) -> Self {
        let fields = ["operation": operation.description, "operation.result": result.message]
        return switch (result, operation) {
        // The service says that it is ready.
        case (.succeeded, .start):
            FleetEvent(.operation(operation.word, .finished), .debug, "Operation finished", fields: fields)
        case (.succeeded, .reload), (.succeeded, .restart), (.succeeded, .scale), (.succeeded, .recycle),
            (.succeeded, .stop):
            FleetEvent(.operation(operation.word, .finished), .notice, "Operation finished", fields: fields)
        case (.failed, _): FleetEvent(.operation(operation.word, .failed), .error, "Operation failed", fields: fields)
        }
    }

    static func readyWithout(_ slots: String) -> Self {
        FleetEvent(
            .service(.incomplete), .error, "Ready without the slots that have failed", fields: ["slots": slots])
    }

    static func serviceStops(reason: String) -> Self {
        FleetEvent(.service(.stopping), .notice, "Service stops", fields: ["stop.reason": reason])
    }

    static func stopHurried(kill: Bool) -> Self {
        FleetEvent(
            .service(.hurried), .warning, "Stop hurried", fields: ["stop.means": kill ? "kill" : "drain at once"])
    }

    static var allWorkersFailed: Self { FleetEvent(.service(.failed), .critical, "Every worker has failed") }

    static func late(_ lateness: Duration) -> Self {
        FleetEvent(
            .service(.late), .warning, "The supervisor itself was late: no silence counts",
            fields: ["lateness.ms": String(lateness.milliseconds)])
    }
}
