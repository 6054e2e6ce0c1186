import Model
import Wire

/// `wsctl status`: all that matters on one screen.
enum StatusScreen {
    static func lines(_ status: ServiceStatus, _ style: Style) -> [String] {
        var lines = [headline(status, style)]
        lines += facts(status)
        let problems = problems(status)
        if !problems.isEmpty {
            lines.append("")
            for problem in problems { lines += PlainText.bulleted(problem, style) }
        }
        lines.append("")
        lines += ProcessTable.lines(status.processes, style)
        if let programs = status.programs, !programs.isEmpty { lines += [""] + ProgramScreen.table(programs, style) }
        if status.managesOnly != true { lines += [""] + totals(status.totals, width: style.width) }
        let notes = [VersionNote.text(service: status.version), VersionNote.former(status.processes)]
        if notes.contains(where: { $0 != nil }) { lines += [""] + notes.compactMap { $0 } }
        return lines
    }

    private static func headline(_ status: ServiceStatus, _ style: Style) -> String {
        let health = style.paint(status.health.rawValue, status.health.colour)
        var parts = [
            "wsd \(PlainText.harmless(status.version))", health, "pid \(status.pid)",
            "up \(Humanized.duration(status.uptime))", status.mode.rawValue,
        ]
        if status.underSystemd { parts.append("under systemd") }
        return parts.joined(separator: " · ")
    }

    private static func facts(_ status: ServiceStatus) -> [String] {
        var facts: [(String, String)] = [
            ("addresses", addresses(status)),
            ("control", status.controlSocket),
        ]
        if let file = status.configurationFile, file != "/dev/null" { facts.append(("config", file)) }
        if let memory = status.memory.flatMap(MemoryLine.text) { facts.append(("memory", memory)) }
        if let operation = status.operation { facts.append(("running now", operation)) }
        return facts.map { name, value in
            "  \(name)\(String(repeating: " ", count: 13 - name.count))\(PlainText.harmless(value))"
        }
    }

    private static func addresses(_ status: ServiceStatus) -> String {
        if status.managesOnly == true { return "none: it keeps programs alone (workers.count: 0)" }
        return status.addresses.isEmpty ? "none" : status.addresses.joined(separator: "  ")
    }

    /// The service's own sentences, and what became of processes that none of those names.
    private static func problems(_ status: ServiceStatus) -> [String] {
        status.problems.map(PlainText.harmless) + ProcessTable.notes(status.processes, told: status.problems)
    }

    private static func totals(_ totals: ServiceTotals, width: Int) -> [String] {
        var parts = [
            Humanized.counted(totals.clients, "client"),
            Humanized.counted(totals.rooms, "room"),
            "\(Humanized.rate(totals.messagesInPerSecond)) msg/s in",
            "\(Humanized.rate(totals.messagesOutPerSecond)) out",
            "\(Humanized.bytes(totals.bytesIn)) in",
            "\(Humanized.bytes(totals.bytesOut)) out",
            Humanized.counted(totals.restarts, "restart"),
        ]
        let seldom: [(Int, String)] = [
            (totals.handshakesRefused, "refused"), (totals.slowClientsClosed, "too slow"), (totals.errors, "errors"),
            (totals.logLinesDropped, "log lines dropped"),
        ]
        for (value, what) in seldom where value > 0 { parts.append("\(Humanized.count(value)) \(what)") }
        var lines: [String] = []
        var line = "total: "
        for (index, part) in parts.enumerated() {
            let piece = index + 1 < parts.count ? part + ", " : part
            if line.count + part.count + 1 > width {
                lines.append(String(line.dropLast()))
                line = "       "
            }
            line += piece
        }
        return lines + [line]
    }
}

/// A sentence where wsctl and the service are of different versions.
enum VersionNote {
    static func text(service: String) -> String? {
        guard service != WsdVersion.current else { return nil }
        return "note: this wsctl is \(WsdVersion.current), the service runs \(PlainText.harmless(service))."
    }

    /// A sentence where hub or workers still run the program from before a takeover.
    static func former(_ processes: [ProcessStatus]) -> String? {
        guard let own = processes.first(where: { $0.name == "supervisor" })?.version else { return nil }
        let others = processes.filter { $0.version != nil && $0.version != own }
        guard !others.isEmpty else { return nil }
        let versions = Set(others.compactMap(\.version)).sorted().joined(separator: ", ")
        let names = others.map(\.name).joined(separator: ", ")
        let verb = others.count == 1 ? "runs" : "run"
        return PlainText.harmless(
            "note: \(names) still \(verb) wsd \(versions), the supervisor \(own): `wsctl restart` replaces them.")
    }
}
