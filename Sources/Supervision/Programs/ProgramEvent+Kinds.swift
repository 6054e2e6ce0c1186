internal import Model

// Every event of programs there is, with its constant message.

extension ProgramEvent {
    private init(
        _ severity: LogLevel, _ message: String, _ place: ProgramProcessID, _ process: ProgramProcess? = nil,
        _ fields: [String: String] = [:]
    ) {
        self.init(severity, message, program: place.program, number: place.number, fields: fields)
        self.fields["process.pid"] = process?.pid.map(String.init)
    }

    static func spawned(_ place: ProgramProcessID, _ instance: InstanceID, pid: Int32) -> Self {
        Self(.debug, "Program started", place, nil, ["process.pid": String(pid)])
    }

    static func ready(_ place: ProgramProcessID, _ process: ProgramProcess, now: MonotonicTime) -> Self {
        Self(.info, "Program ready", place, process, ["start.ms": String((now - process.spawnedAt).milliseconds)])
    }

    static func ended(_ place: ProgramProcessID, _ process: ProgramProcess, reason: String, isAsked: Bool) -> Self {
        Self(isAsked ? .info : .warning, "Program ended", place, process, ["exit.reason": reason])
    }

    static func finished(_ place: ProgramProcessID, reason: String) -> Self {
        Self(.info, "Program finished", place, nil, ["exit.reason": reason])
    }

    static func delayed(_ place: ProgramProcessID, _ delay: Duration) -> Self {
        Self(.info, "Program restart delayed", place, nil, ["restart.delay.ms": String(delay.milliseconds)])
    }

    static func gaveUp(_ place: ProgramProcessID, why: String, reason: String) -> Self {
        Self(
            .critical, "Program failed: it is not started any more", place, nil,
            ["failure.reason": why, "exit.reason": reason])
    }

    static func killed(_ place: ProgramProcessID, _ process: ProgramProcess, why: String, _ severity: LogLevel) -> Self
    {
        Self(severity, "Program killed", place, process, ["kill.reason": why])
    }

    static func outlivesKill(_ place: ProgramProcessID, _ process: ProgramProcess) -> Self {
        Self(.error, "Program outlives SIGKILL", place, process)
    }

    static func leftBehind(_ place: ProgramProcessID, _ process: ProgramProcess) -> Self {
        Self(.error, "What a program left behind does not go away", place, process)
    }

    static func doesNotAnswer(_ place: ProgramProcessID, _ process: ProgramProcess) -> Self {
        Self(
            .error, "Program does not answer", place, process,
            ["probe.failures": String(process.probeFailures), "probe.failure": process.lastProbeFailure ?? ""])
    }

    static func memoryExceeded(_ place: ProgramProcessID, _ process: ProgramProcess) -> Self {
        Self(
            .warning, "Program memory limit exceeded", place, process,
            [
                "memory.bytes": String(process.memory ?? 0),
                "memory.limit.bytes": String(process.configuration.maxMemory),
            ])
    }

    static func filesChanged(_ program: String, path: String) -> Self {
        Self(.notice, "Program files changed", program: program, fields: ["file.path": LastWords.shortened(path)])
    }

    static func cron(_ program: String) -> Self {
        Self(.notice, "Program restarted by cron", program: program)
    }

    static func restartsWith(_ program: String, _ other: String) -> Self {
        Self(.notice, "Program restarted with another", program: program, fields: ["restart.cause": other])
    }

    static func operationFinished(_ program: String, _ operation: ProgramOperation, _ result: OperationResult) -> Self {
        let fields = ["operation": operation.word, "operation.result": result.message]
        return switch result {
        case .succeeded: Self(.notice, "Program operation finished", program: program, fields: fields)
        case .failed: Self(.error, "Program operation failed", program: program, fields: fields)
        }
    }
}
