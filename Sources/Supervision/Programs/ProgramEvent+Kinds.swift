internal import Model

// Every event of programs there is, with its constant message.

extension ProgramEvent {
    private init(
        _ step: EventKind.ProcessStep, _ severity: LogLevel, _ message: String, _ place: ProgramProcessID,
        _ process: ProgramProcess? = nil, _ fields: [String: String] = [:]
    ) {
        self.init(.process(step), severity, message, program: place.program, number: place.number, fields: fields)
        self.fields["process.pid"] = process?.pid.map(String.init)
    }

    static func spawned(_ place: ProgramProcessID, _ instance: InstanceID, pid: Int32) -> Self {
        Self(.started, .debug, "Program started", place, nil, ["process.pid": String(pid)])
    }

    static func ready(_ place: ProgramProcessID, _ process: ProgramProcess, now: MonotonicTime) -> Self {
        Self(
            .ready, .info, "Program ready", place, process,
            ["start.ms": String((now - process.spawnedAt).milliseconds)])
    }

    static func ended(
        _ place: ProgramProcessID, _ process: ProgramProcess, reason: String, _ end: ProcessEndFigures
    ) -> Self {
        var event = Self(
            .exited, end.isExpected ? .info : .warning, "Program ended", place, process, ["exit.reason": reason])
        event.end = end
        return event
    }

    static func finished(
        _ place: ProgramProcessID, _ process: ProgramProcess, reason: String, _ end: ProcessEndFigures
    ) -> Self {
        var event = Self(.finished, .info, "Program finished", place, process, ["exit.reason": reason])
        event.end = end
        return event
    }

    static func delayed(_ place: ProgramProcessID, _ delay: Duration) -> Self {
        Self(
            .backoff, .info, "Program restart delayed", place, nil,
            ["restart.delay.ms": String(delay.milliseconds)])
    }

    static func gaveUp(_ place: ProgramProcessID, why: String, reason: String) -> Self {
        Self(
            .failed, .critical, "Program failed: it is not started any more", place, nil,
            ["failure.reason": why, "exit.reason": reason])
    }

    static func killed(_ place: ProgramProcessID, _ process: ProgramProcess, why: String, _ severity: LogLevel) -> Self
    {
        Self(.killed, severity, "Program killed", place, process, ["kill.reason": why])
    }

    static func outlivesKill(_ place: ProgramProcessID, _ process: ProgramProcess) -> Self {
        Self(.stuck, .error, "Program outlives SIGKILL", place, process)
    }

    static func leftBehind(_ place: ProgramProcessID, _ process: ProgramProcess) -> Self {
        Self(.leftover, .error, "What a program left behind does not go away", place, process)
    }

    static func doesNotAnswer(_ place: ProgramProcessID, _ process: ProgramProcess) -> Self {
        Self(
            .unresponsive, .error, "Program does not answer", place, process,
            ["probe.failures": String(process.probeFailures), "probe.failure": process.lastProbeFailure ?? ""])
    }

    static func memoryExceeded(_ place: ProgramProcessID, _ process: ProgramProcess) -> Self {
        Self(
            .memory, .warning, "Program memory limit exceeded", place, process,
            [
                "memory.bytes": String(process.memory ?? 0),
                "memory.limit.bytes": String(process.configuration.maxMemory),
            ])
    }

    static func filesChanged(_ program: String, path: String) -> Self {
        Self(
            .program(.changed), .notice, "Program files changed", program: program,
            fields: ["file.path": LastWords.shortened(path)])
    }

    static func cron(_ program: String) -> Self {
        Self(.program(.due), .notice, "Program restarted by cron", program: program)
    }

    static func restartsWith(_ program: String, _ other: String) -> Self {
        Self(
            .program(.followed), .notice, "Program restarted with another", program: program,
            fields: ["restart.cause": other])
    }

    static func added(_ program: String) -> Self {
        Self(.program(.added), .debug, "Program added", program: program)
    }

    static func removed(_ program: String) -> Self {
        Self(.program(.removed), .debug, "Program removed", program: program)
    }

    static func operationStarted(_ program: String, _ operation: ProgramOperation) -> Self {
        Self(
            .operation(operation.kind, .started), .debug, "Program operation started", program: program,
            fields: ["operation": operation.word])
    }

    static func operationFinished(_ program: String, _ operation: ProgramOperation, _ result: OperationResult) -> Self {
        let fields = ["operation": operation.word, "operation.result": result.message]
        return switch result {
        case .succeeded:
            Self(
                .operation(operation.kind, .finished), .notice, "Program operation finished", program: program,
                fields: fields)
        case .failed:
            Self(
                .operation(operation.kind, .failed), .error, "Program operation failed", program: program,
                fields: fields)
        }
    }
}

extension ProgramOperation {
    fileprivate var kind: EventKind.OperationWord {
        switch self {
        case .start: .start
        case .stop: .stop
        case .restart: .restart
        case .reload: .reload
        case .scale: .scale
        case .delete: .delete
        }
    }
}
