import Wire

/// Programs: all of them as a table, or one with everything.
enum ProgramScreen {
    /// `wsctl list`: the workers first, under number 0, and under the table what is wrong.
    static func list(_ programs: [ProgramStatus], workers status: ServiceStatus, _ style: Style) -> [String] {
        let workers = workersRow(status)
        guard !programs.isEmpty || workers != nil else {
            return ["There are no programs. Start one: wsctl start app.js, or wsctl start -- COMMAND"]
        }
        var table = Self.table
        if let workers { table.add(workers) }
        for program in programs { table.add(row(program)) }
        var lines = table.lines(style)
        let problems = programs.flatMap(\.problems)
        if !problems.isEmpty { lines.append("") }
        for problem in problems { lines += bulleted(problem, style) }
        if let note = VersionNote.former(status.processes) { lines += ["", note] }
        if programs.isEmpty { lines += ["", "There are no programs. Start one: wsctl start app.js"] }
        return lines
    }

    /// For `wsctl status`, whose problems name those of programs, too.
    static func table(_ programs: [ProgramStatus], _ style: Style) -> [String] {
        var table = Self.table
        for program in programs { table.add(row(program)) }
        return table.lines(style)
    }

    /// `wsctl describe`.
    static func description(_ description: ProgramDescription, _ style: Style) -> [String] {
        let program = description.status
        var head = [
            style.paint(PlainText.harmless(program.name), .bold), "number \(program.number)",
            style.paint(state(program), program.state.colour), Humanized.counted(program.restarts, "restart"),
        ]
        head.append(program.configured ? "from the configuration" : "started at run time, remembered")
        var lines = [head.joined(separator: " · ")]
        if !program.problems.isEmpty { lines.append("") }
        for problem in program.problems { lines += bulleted(problem, style) }
        if !program.processes.isEmpty { lines += [""] + processes(program.processes, style) }
        let settings = description.settings.filter { !$0.isDefault } + description.settings.filter(\.isDefault)
        let width = settings.map { $0.key.count }.max() ?? 0
        if !settings.isEmpty { lines.append("") }
        for setting in settings {
            let padding = String(repeating: " ", count: width - setting.key.count)
            let line = "  \(setting.key)\(padding)  \(PlainText.harmless(setting.value))"
            lines.append(
                style.paint(setting.isDefault ? line + "  # default" : line, setting.isDefault ? .faint : .plain))
        }
        let name = PlainText.harmless(program.name)
        return lines + ["", "wsctl logs \(name) shows its output, wsctl env \(name) its environment."]
    }

    private static func processes(_ processes: [ProgramProcessStatus], _ style: Style) -> [String] {
        var table = Table([
            ("PROCESS", .left), ("STATE", .left), ("PID", .right), ("TREE", .right), ("UPTIME", .right),
            ("RESTARTS", .right), ("CPU%", .right), ("MEMORY", .right),
        ])
        for process in processes {
            table.add([
                Table.Cell(process.name), Table.Cell(process.state.rawValue, process.state.colour),
                Table.Cell(process.pid.map { "\($0)" } ?? "-"), Table.Cell(process.tree.map { "\($0)" } ?? "-"),
                Table.Cell(process.uptime.map(Humanized.durationBriefly) ?? "-"), restarts(process.restarts),
                Table.Cell(process.cpu.map(share) ?? "-"),
                Table.Cell(process.memory.map(Humanized.bytesBriefly) ?? "-"),
            ])
        }
        let notes = processes.flatMap { note($0, style) }
        return table.lines(style) + (notes.isEmpty ? [] : [""]) + notes
    }

    /// What it says of itself, or what became of it.
    private static func note(_ process: ProgramProcessStatus, _ style: Style) -> [String] {
        var parts: [String] = []
        if let text = process.statusText { parts.append(text) }
        if let exit = process.lastExit { parts.append("last: \(exit)") }
        if let wait = process.retryIn { parts.append("next start \(Humanized.wait(wait))") }
        guard !parts.isEmpty else { return [] }
        let text = PlainText.harmless("\(process.name): \(parts.joined(separator: ", "))")
        return PlainText.wrapped(text, to: style.width - 4).enumerated().map { ($0 == 0 ? "  " : "    ") + $1 }
    }

    private static var table: Table {
        Table([
            ("#", .right), ("NAME", .left), ("STATE", .left), ("READY", .right), ("PID", .right), ("RESTARTS", .right),
            ("UPTIME", .right), ("CPU%", .right), ("MEMORY", .right),
        ])
    }

    private static func row(_ program: ProgramStatus) -> [Table.Cell] {
        let processes = program.processes
        let ready = processes.count { $0.state == .ready }
        let pids = processes.compactMap(\.pid)
        return [
            Table.Cell("\(program.number)"), Table.Cell(program.name, .bold),
            Table.Cell(state(program), program.state.colour), Table.Cell("\(ready)/\(program.wanted)"),
            Table.Cell(processes.count == 1 ? pids.first.map { "\($0)" } ?? "-" : "-"), restarts(program.restarts),
            Table.Cell(processes.compactMap(\.uptime).min().map(Humanized.durationBriefly) ?? "-"),
            Table.Cell(total(processes.compactMap(\.cpu)).map(share) ?? "-"),
            Table.Cell(memory(processes.map(\.memory))),
        ]
    }

    /// `nil`: the service has none and wants none.
    private static func workersRow(_ status: ServiceStatus) -> [Table.Cell]? {
        let workers = status.processes.filter { $0.worker != nil }
        guard status.managesOnly != true, status.workersWanted > 0 || !workers.isEmpty else { return nil }
        let ready = Set(workers.filter { $0.state == .ready }.compactMap(\.worker)).count
        // A slot is told by each of its processes.
        let restarts = Dictionary(workers.map { ($0.worker ?? 0, $0.restarts) }) { max($0, $1) }.values.reduce(0, &+)
        let isWell = ready == status.workersWanted
        return [
            "0", Table.Cell("workers", .bold), isWell ? Table.Cell("ready", .green) : Table.Cell("degraded", .red),
            Table.Cell("\(ready)/\(status.workersWanted)"), "-", Self.restarts(restarts),
            Table.Cell(workers.compactMap(\.uptime).min().map(Humanized.durationBriefly) ?? "-"),
            Table.Cell(total(workers.compactMap(\.cpu)).map(share) ?? "-"),
            Table.Cell(memory(workers.map(\.memory))),
        ]
    }

    private static func state(_ program: ProgramStatus) -> String {
        program.operation.map { "\(program.state.rawValue) (\(PlainText.harmless($0)))" } ?? program.state.rawValue
    }

    private static func restarts(_ count: Int) -> Table.Cell { Table.Cell("\(count)", count > 0 ? .yellow : .plain) }

    private static func share(_ percent: Double) -> String { Humanized.fixed(percent, percent < 9.95 ? 1 : 0) }

    /// `nil`: none of them is known.
    private static func total(_ values: [Double]) -> Double? { values.isEmpty ? nil : values.reduce(0, +) }

    private static func memory(_ bytes: [Int?]) -> String {
        total(bytes.compactMap { $0.map(Double.init) }).map(Humanized.sizeBriefly) ?? "-"
    }

    private static func bulleted(_ text: String, _ style: Style) -> [String] {
        PlainText.bulleted(PlainText.harmless(text), style)
    }
}
