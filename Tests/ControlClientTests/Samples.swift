import Model
import Wire

/// A service for screens and the doctor: supervisor, hub and two workers, all well.
enum Sample {
    static func status() -> ServiceStatus {
        var totals = ServiceTotals()
        (totals.clients, totals.rooms, totals.restarts) = (1204, 31, 1)
        (totals.bytesIn, totals.bytesOut) = (12_345_678, 9_876_543_210)
        (totals.messagesInPerSecond, totals.messagesOutPerSecond) = (1234.2, 45_678.9)
        return ServiceStatus(
            version: WsdVersion.current, pid: 4711, mode: .prod, health: .ok, problems: [], uptime: 273_845,
            addresses: ["http://0.0.0.0:8080", "http://[::]:8080"], controlSocket: "/run/wsd/control.sock",
            configurationFile: "/etc/wsd/wsd.yaml", operation: nil, underSystemd: true, workersWanted: 2,
            processes: [
                process("supervisor", pid: 4711, uptime: 273_845, cpu: 0.12, memory: 9_800_000),
                process("hub", pid: 4712, uptime: 273_844, cpu: 3.1, memory: 21_000_000),
                worker(1, pid: 4713), worker(2, pid: 4714),
            ], totals: totals)
    }

    static func worker(_ number: Int, pid: Int32, state: ProcessStatus.State = .ready) -> ProcessStatus {
        var worker = process("worker \(number)", pid: pid, uptime: 7203, cpu: 41.4, memory: 33_000_000, clients: 602)
        (worker.worker, worker.state) = (number, state)
        (worker.messagesInPerSecond, worker.messagesOutPerSecond) = (617.1, 22_839.4)
        return worker
    }

    /// A slot without a process.
    static func gone(
        _ number: Int, _ state: ProcessStatus.State, restarts: Int, lastExit: String, retryIn: Double? = nil
    ) -> ProcessStatus {
        var process = ProcessStatus(name: "worker \(number)", worker: number, state: state, restarts: restarts)
        (process.lastExit, process.retryIn) = (lastExit, retryIn)
        return process
    }

    private static func process(
        _ name: String, pid: Int32, uptime: Double, cpu: Double, memory: Int, clients: Int? = nil
    ) -> ProcessStatus {
        var process = ProcessStatus(name: name, state: .ready, pid: pid)
        (process.uptime, process.cpu, process.memory) = (uptime, cpu, memory)
        if let clients {
            var counters = ChildCounters()
            (counters.clients, counters.hubLinks) = (clients, 1)
            process.counters = counters
        }
        return process
    }

    static func client(_ id: String, rooms: [String], connectedAt: Double, user: String? = nil) -> ClientInfo {
        ClientInfo(
            id: id, worker: 1, address: "203.0.113.7", user: user, path: "/ws", origin: nil, userAgent: nil,
            dialect: "simple", rooms: rooms, connectedAt: connectedAt, messagesIn: 1, messagesOut: 2, bytesIn: 3456,
            bytesOut: 456_789, queue: 0)
    }

    static func logEntry(
        _ message: String, source: String = "worker 1", level: LogLevel = .info, fields: [String: String] = [:]
    ) -> LogEntry {
        LogEntry(
            sequence: 1, time: 0, source: source, worker: source.hasPrefix("worker") ? 1 : nil, pid: 4713, level: level,
            message: message, fields: fields)
    }
}
