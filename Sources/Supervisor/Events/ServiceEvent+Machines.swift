import LinuxSystem
import Model
import Supervision
import Wire

// What the machines tell, as events.

extension ServiceEvent {
    /// - Parameter fields: as in the log; those with a key of their own get it.
    init(_ kind: EventKind, _ level: LogLevel, _ message: String, _ fields: [String: String] = [:]) {
        self.init(sequence: 0, time: Clocks.wallSeconds(), type: kind.name, level: level, message: message)
        var rest = fields
        func take(_ names: String...) -> String? {
            let values = names.map { rest.removeValue(forKey: $0) }
            return values.lazy.compactMap { $0 }.first
        }
        process = take("process.name")
        pid = take("process.pid").flatMap(Int32.init)
        reason = take("exit.reason", "kill.reason", "stop.reason")
        startTime = take("start.ms").flatMap(Double.init).map { $0 / 1000 }
        delay = take("restart.delay.ms").flatMap(Double.init).map { $0 / 1000 }
        memory = take("memory.bytes").flatMap { Int($0) }
        memoryLimit = take("memory.limit.bytes").flatMap { Int($0) }
        operation = take("operation")
        result = take("operation.result")
        self.fields = rest.isEmpty ? nil : rest
    }

    init(_ event: FleetEvent) {
        self.init(event.kind, event.severity, event.message, event.fields)
        worker = event.slot?.role == .worker ? event.slot?.number : nil
        if let end = event.end { take(end) }
    }

    init(_ event: ProgramEvent) {
        self.init(event.kind, event.severity, event.message, event.fields)
        program = event.program
        process = event.number.map { ProgramProcessID(program: event.program, number: $0).description }
        if let end = event.end { take(end) }
    }

    /// An end that was allowed is an end, too.
    var precedingEnd: ServiceEvent? {
        guard type == EventKind.process(.finished).name else { return nil }
        var end = self
        end.type = EventKind.process(.exited).name
        end.message = "Program ended"
        return end
    }

    private mutating func take(_ end: ProcessEndFigures) {
        switch end.exit {
        case .exited(let status): code = status
        case .signalled(let number, let dumped):
            signal = ProcessExit.name(ofSignal: number)
            coreDumped = dumped
        case .killedForMemory:
            signal = ProcessExit.name(ofSignal: 9)
            outOfMemory = true
        case nil: break
        }
        expected = end.isExpected
        uptime = end.uptime.inSeconds
        restarts = end.restarts
        memory = end.memory
    }
}
