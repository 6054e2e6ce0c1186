import Wire

/// One row of the list: the service, one of its processes, a program or one of its.
struct MonitRow: Equatable {
    enum Subject: Equatable {
        case service, supervisor, hub
        case worker(Int)
        case program(String)
        /// A program and the process's name (`api:2`).
        case process(String, String)
    }

    /// The same in each status.
    var id: String
    var subject: Subject
    var name: String
    /// Rows below it are its parts.
    var isGroup = false
    var isPart = false
    var state: String
    var colour: Style.Colour
    var pid: Int32?
    var uptime: Double?
    var restarts: Int
    /// Percent of a core.
    var cpu: Double?
    var memory: Int?
    var clients: Int?
    /// Messages a second.
    var incoming: Double?
    var outgoing: Double?
    /// Sentences for a person.
    var problems: [String] = []

    /// The service, its processes, programs by name.
    static func rows(_ status: ServiceStatus) -> [MonitRow] {
        var rows = [service(status)]
        var seen: [String: Int] = [:]
        for process in status.processes {
            // A worker that drains has its successor's name.
            let count = seen[process.name, default: 0]
            seen[process.name] = count + 1
            rows.append(row(process, id: count == 0 ? process.name : "\(process.name)#\(count)"))
        }
        for program in (status.programs ?? []).sorted(by: { $0.name < $1.name }) { rows += Self.rows(program) }
        return rows
    }

    private static func service(_ status: ServiceStatus) -> MonitRow {
        let programs = (status.programs ?? []).flatMap(\.processes)
        let cpu = status.processes.compactMap(\.cpu) + programs.compactMap(\.cpu)
        let memory = status.processes.compactMap(\.memory) + programs.compactMap(\.memory)
        let serves = status.managesOnly != true
        return MonitRow(
            id: "/", subject: .service, name: "wsd", isGroup: true,
            state: status.operation.map(doing) ?? status.health.rawValue, colour: status.health.colour,
            pid: status.pid, uptime: status.uptime,
            restarts: status.totals.restarts &+ (status.programs ?? []).reduce(0) { $0 &+ $1.restarts },
            cpu: cpu.isEmpty ? nil : cpu.reduce(0, +), memory: memory.isEmpty ? nil : memory.reduce(0, &+),
            clients: serves ? status.totals.clients : nil,
            incoming: serves ? status.totals.messagesInPerSecond : nil,
            outgoing: serves ? status.totals.messagesOutPerSecond : nil, problems: status.problems)
    }

    private static func row(_ process: ProcessStatus, id: String) -> MonitRow {
        let subject: Subject =
            switch (process.worker, process.name) {
            case (let worker?, _): .worker(worker)
            case (nil, "hub"): .hub
            default: .supervisor
            }
        let isWorker = process.worker != nil
        return MonitRow(
            id: id, subject: subject, name: process.name, isPart: true, state: process.state.rawValue,
            colour: process.state.colour, pid: process.pid, uptime: process.uptime, restarts: process.restarts,
            cpu: process.cpu, memory: process.memory, clients: isWorker ? process.counters?.clients : nil,
            incoming: isWorker ? process.messagesInPerSecond : nil,
            outgoing: isWorker ? process.messagesOutPerSecond : nil,
            problems: ProcessTable.notes([process]))
    }

    /// A program with one process is one row.
    private static func rows(_ program: ProgramStatus) -> [MonitRow] {
        let processes = program.processes
        let cpu = processes.compactMap(\.cpu)
        let memory = processes.compactMap(\.memory)
        let isGroup = program.wanted > 1 || processes.count > 1
        let ready = processes.count { $0.state == .ready }
        let state = isGroup && program.state == .ready ? "ready \(ready)/\(program.wanted)" : program.state.rawValue
        let head = MonitRow(
            id: "program \(program.name)", subject: .program(program.name), name: program.name, isGroup: isGroup,
            state: program.operation.map(doing) ?? state, colour: program.state.colour,
            pid: isGroup ? nil : processes.first?.pid, uptime: processes.compactMap(\.uptime).min(),
            restarts: program.restarts, cpu: cpu.isEmpty ? nil : cpu.reduce(0, +),
            memory: memory.isEmpty ? nil : memory.reduce(0, &+), problems: program.problems)
        guard isGroup else { return [head] }
        var seen: [String: Int] = [:]
        return [head]
            + processes.map { process in
                // During a reload a process and its successor have the same name.
                let count = seen[process.name, default: 0]
                seen[process.name] = count + 1
                return MonitRow(
                    id: "process \(process.name)" + (count == 0 ? "" : "#\(count)"),
                    subject: .process(program.name, process.name), name: process.name, isPart: true,
                    state: process.state.rawValue, colour: process.state.colour, pid: process.pid,
                    uptime: process.uptime, restarts: process.restarts, cpu: process.cpu, memory: process.memory,
                    problems: program.problems)
            }
    }

    private static func doing(_ operation: String) -> String { "\(operation)…" }
}
