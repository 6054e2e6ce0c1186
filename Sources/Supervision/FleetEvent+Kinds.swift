internal import Model

// Every event there is, with its constant message.

extension FleetEvent {
    private static func fields(_ process: SlotProcess, _ more: [String: String] = [:]) -> [String: String] {
        var fields = more
        fields["process.instance"] = String(process.instance.rawValue)
        fields["process.pid"] = process.pid.map(String.init)
        return fields
    }

    static func spawned(_ slot: SlotID, _ process: SlotProcess) -> Self {
        FleetEvent(.info, "process started", slot: slot, fields: fields(process))
    }

    static func ready(_ slot: SlotID, _ process: SlotProcess, now: MonotonicTime) -> Self {
        let took = String((now - process.spawnedAt).milliseconds)
        return FleetEvent(.info, "process ready", slot: slot, fields: fields(process, ["start.milliseconds": took]))
    }

    static func attemptFailed(_ slot: SlotID, _ process: SlotProcess, reason: String) -> Self {
        FleetEvent(.error, "process did not become ready", slot: slot, fields: fields(process, ["exit.reason": reason]))
    }

    static func ended(_ slot: SlotID, _ process: SlotProcess, reason: String) -> Self {
        FleetEvent(.warning, "process ended", slot: slot, fields: fields(process, ["exit.reason": reason]))
    }

    static func left(_ leaving: DepartingProcess, reason: String) -> Self {
        FleetEvent(
            .info, leaving.isDraining ? "drained process ended" : "killed process ended", slot: leaving.slot,
            fields: fields(leaving.process, ["exit.reason": reason])
        )
    }

    static func killed(_ slot: SlotID, _ process: SlotProcess, _ why: KillReason) -> Self {
        FleetEvent(.warning, "process killed", slot: slot, fields: fields(process, ["kill.reason": why.sentence]))
    }

    static func outlivesKill(_ leaving: DepartingProcess) -> Self {
        FleetEvent(.error, "process outlives SIGKILL", slot: leaving.slot, fields: fields(leaving.process))
    }

    static func backingOff(_ slot: SlotID, _ delay: Duration, reason: String) -> Self {
        FleetEvent(
            .warning, "restart delayed", slot: slot,
            fields: ["restart.delay.milliseconds": String(delay.milliseconds), "exit.reason": reason]
        )
    }

    static func gaveUp(_ slot: SlotID, _ why: GiveUpReason, reason: String) -> Self {
        FleetEvent(
            .critical, "slot failed", slot: slot, fields: ["failure.reason": why.description, "exit.reason": reason]
        )
    }

    static func recycling(_ slot: SlotID, _ process: SlotProcess, limit: Int) -> Self {
        FleetEvent(
            .notice, "memory limit exceeded", slot: slot,
            fields: fields(
                process, ["memory.bytes": String(process.memory ?? 0), "memory.limit.bytes": String(limit)]
            )
        )
    }

    static func operationStarted(_ operation: FleetOperation) -> Self {
        FleetEvent(.notice, "operation started", fields: ["operation": operation.description])
    }

    static func operationFinished(_ operation: FleetOperation, _ result: OperationResult) -> Self {
        let fields = ["operation": operation.description, "operation.result": result.message]
        return switch result {
        case .succeeded: FleetEvent(.notice, "operation finished", fields: fields)
        case .failed: FleetEvent(.error, "operation failed", fields: fields)
        }
    }

    static var serviceReady: Self { FleetEvent(.notice, "service ready") }

    static var serviceReadyWithFailures: Self { FleetEvent(.error, "service ready, but slots have failed") }

    static func serviceStops(reason: String) -> Self {
        FleetEvent(.notice, "service stops", fields: ["stop.reason": reason])
    }

    static func stopHurried(kill: Bool) -> Self {
        FleetEvent(.warning, "stop hurried", fields: ["stop.means": kill ? "kill" : "drain at once"])
    }

    static var allWorkersFailed: Self { FleetEvent(.critical, "every worker has failed") }

    static func late(_ lateness: Duration) -> Self {
        FleetEvent(.warning, "supervisor was late", fields: ["lateness.milliseconds": String(lateness.milliseconds)])
    }
}
