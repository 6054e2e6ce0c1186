internal import Model

// Every event there is, with its constant message.

extension FleetEvent {
    private static func fields(_ process: SlotProcess, _ more: [String: String] = [:]) -> [String: String] {
        var fields = more
        fields["process.pid"] = process.pid.map(String.init)
        return fields
    }

    static func spawned(_ slot: SlotID, _ process: SlotProcess) -> Self {
        FleetEvent(.debug, "Process started", slot: slot, fields: fields(process))
    }

    static func ready(_ slot: SlotID, _ process: SlotProcess, now: MonotonicTime) -> Self {
        let took = String((now - process.spawnedAt).milliseconds)
        return FleetEvent(.info, "Process ready", slot: slot, fields: fields(process, ["start.ms": took]))
    }

    static func attemptFailed(_ slot: SlotID, _ process: SlotProcess, reason: String) -> Self {
        FleetEvent(.error, "Process did not become ready", slot: slot, fields: fields(process, ["exit.reason": reason]))
    }

    /// - Parameter isAwaited: it was told to go.
    static func ended(_ slot: SlotID, _ process: SlotProcess, reason: String, isAwaited: Bool) -> Self {
        FleetEvent(
            isAwaited ? .info : .warning, "Process ended", slot: slot, fields: fields(process, ["exit.reason": reason]))
    }

    /// The end of a process that no slot counted on any more.
    static func left(_ leaving: DepartingProcess, reason: String, isClean: Bool) -> Self {
        FleetEvent(
            !leaving.isDraining ? .debug : isClean ? .info : .warning,
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
        return FleetEvent(level, "Process killed", slot: slot, fields: fields(process, ["kill.reason": why.sentence]))
    }

    static func outlivesKill(_ leaving: DepartingProcess) -> Self {
        FleetEvent(.error, "Process outlives SIGKILL", slot: leaving.slot, fields: fields(leaving.process))
    }

    /// Why has been said when the process ended.
    static func backingOff(_ slot: SlotID, _ delay: Duration) -> Self {
        FleetEvent(
            .info, "Restart delayed", slot: slot, fields: ["restart.delay.ms": String(delay.milliseconds)])
    }

    static func gaveUp(_ slot: SlotID, _ why: GiveUpReason, reason: String) -> Self {
        FleetEvent(
            .critical, "Slot failed: it is not started any more", slot: slot,
            fields: ["failure.reason": why.description, "exit.reason": reason]
        )
    }

    static func recycling(_ slot: SlotID, _ process: SlotProcess, limit: Int) -> Self {
        FleetEvent(
            .notice, "Memory limit exceeded: the worker is replaced", slot: slot,
            fields: fields(
                process, ["memory.bytes": String(process.memory ?? 0), "memory.limit.bytes": String(limit)]
            )
        )
    }

    static func operationStarted(_ operation: FleetOperation) -> Self {
        FleetEvent(.notice, "Operation started", fields: ["operation": operation.description])
    }

    static func operationFinished(_ operation: FleetOperation, _ result: OperationResult) -> Self {
        let fields = ["operation": operation.description, "operation.result": result.message]
        return switch (result, operation) {
        // The service says that it is ready.
        case (.succeeded, .start): FleetEvent(.debug, "Operation finished", fields: fields)
        case (.succeeded, .reload), (.succeeded, .restart), (.succeeded, .scale), (.succeeded, .recycle),
            (.succeeded, .stop):
            FleetEvent(.notice, "Operation finished", fields: fields)
        case (.failed, _): FleetEvent(.error, "Operation failed", fields: fields)
        }
    }

    static func readyWithout(_ slots: String) -> Self {
        FleetEvent(.error, "Ready without the slots that have failed", fields: ["slots": slots])
    }

    static func serviceStops(reason: String) -> Self {
        FleetEvent(.notice, "Service stops", fields: ["stop.reason": reason])
    }

    static func stopHurried(kill: Bool) -> Self {
        FleetEvent(.warning, "Stop hurried", fields: ["stop.means": kill ? "kill" : "drain at once"])
    }

    static var allWorkersFailed: Self { FleetEvent(.critical, "Every worker has failed") }

    static func late(_ lateness: Duration) -> Self {
        FleetEvent(
            .warning, "The supervisor itself was late: no silence counts",
            fields: ["lateness.ms": String(lateness.milliseconds)])
    }
}
