import ControlClient
import LinuxSystem
import Model
import Wire

extension MonitScreen {
    static let leastSize = FullScreenTerminal.Size(columns: 40, rows: 10)

    /// Rows of the parts of the screen. Two of the service, the headings, and the last row stand beside them.
    struct Layout: Equatable {
        var list: Int
        /// Without the line above it.
        var log: Int
    }

    var layout: Layout {
        let body = size.rows - 5
        if isLogOpen { return Layout(list: 1, log: max(1, body - 1)) }
        let most = max(3, body * 3 / 5)
        let list = max(1, min(shown.count, most))
        return Layout(list: list, log: max(1, body - list))
    }

    /// The whole screen: one text for each row, none wider than it is.
    ///
    /// - Parameter now: seconds since 1970, for the times of log lines.
    func lines(_ log: MonitLog, _ style: Style, now: Double) -> [String] {
        guard size.columns >= Self.leastSize.columns, size.rows >= Self.leastSize.rows else {
            let text = "Too small: \(Self.leastSize.columns)×\(Self.leastSize.rows) at least"
            return filled([PaintedText.cut(text, to: size.columns)])
        }
        if showsHelp { return filled(Self.help(style)) }
        var lines = [headline(style), secondLine(style)]
        let table = MonitTable(shown, width: size.columns)
        lines.append(style.paint(table.heading(sort), .faint))
        lines += list(table, style)
        lines.append(style.paint(separator(), .faint))
        lines += logLines(log, style, now: now)
        return filled(Array(lines.prefix(size.rows - 1))).dropLast() + [
            PaintedText.cut(lastLine(style), to: size.columns)
        ]
    }

    private func filled(_ lines: [String]) -> [String] {
        let cut = lines.prefix(size.rows).map { PaintedText.cut($0, to: size.columns) }
        return cut + Array(repeating: "", count: max(0, size.rows - cut.count))
    }

    // MARK: The service

    private func headline(_ style: Style) -> String {
        guard let status, let service = rows.first else { return "wsd" }
        var parts = [
            style.paint("wsd \(PlainText.harmless(status.version))", .bold),
            lost == nil ? style.paint(service.state, service.colour) : style.paint("away", .boldRed),
            "up \(Humanized.durationBriefly(status.uptime))",
        ]
        let programs = status.programs?.count ?? 0
        if programs > 0 { parts.append(Humanized.counted(programs, "program")) }
        if status.managesOnly != true {
            parts += [
                Humanized.counted(status.totals.clients, "client"),
                "\(Humanized.rate(status.totals.messagesInPerSecond)) in/s",
                "\(Humanized.rate(status.totals.messagesOutPerSecond)) out/s",
            ]
        }
        return parts.joined(separator: " · ")
    }

    /// The first thing that is wrong: with the connection, the selected row, or the service.
    private func secondLine(_ style: Style) -> String {
        if let lost {
            return style.paint("! \(PlainText.harmless(lost)) Tried again every second.", .boldRed)
        }
        let problems = status?.problems ?? []
        let own = selected?.subject == .service ? [] : selected?.problems ?? []
        guard let first = own.first ?? problems.first else {
            let addresses = status?.addresses ?? []
            let text = addresses.isEmpty ? status?.controlSocket ?? "" : addresses.joined(separator: "  ")
            return style.paint(PlainText.harmless(text), .faint)
        }
        let others = Set(own + problems).count - 1
        return style.paint("!", .boldRed) + (others > 0 ? " (1 of \(others + 1))" : "")
            + " \(PlainText.harmless(first))"
    }

    // MARK: The list

    private func list(_ table: MonitTable, _ style: Style) -> [String] {
        guard !shown.isEmpty else {
            return [filter.isEmpty ? "  Nothing to show." : "  Nothing matches “\(filter)”."]
        }
        let count = layout.list
        let top = max(0, min(selection - count / 2, shown.count - count))
        return shown.indices.dropFirst(top).prefix(count).map { index in
            let row = shown[index]
            let line = table.line(row, isSelected: index == selection, history: history[row.id] ?? [], style)
            guard index == selection else { return line }
            let fitting = PaintedText.cut(line, to: size.columns)
            return "\u{1b}[7m" + PaintedText.padded(fitting, to: size.columns) + "\u{1b}[0m"
        }
    }

    // MARK: The log

    private func separator() -> String {
        let name =
            switch selected?.subject {
            case .service: "everything"
            case .process(_, let name): PlainText.harmless(name)
            default: selected.map { PlainText.harmless($0.name) } ?? "nothing"
            }
        var text = "── log of \(name) "
        if let logEnd { text += "── \(extent.end - logEnd) newer below, End follows again " }
        return text + String(repeating: "─", count: max(0, size.columns - PlainText.width(text)))
    }

    private func logLines(_ log: MonitLog, _ style: Style, now: Double) -> [String] {
        guard selected != nil else { return [] }
        let rows = layout.log
        var lines: [String] = []
        for entry in log.tail(rows, end: logEnd ?? log.extent.end).reversed() {
            let text = Self.text(entry, style, now: now, columns: size.columns, rows: rows)
            let piece =
                isLogOpen
                ? PaintedText.broken(text, to: size.columns, rows: rows) : [PaintedText.cut(text, to: size.columns)]
            lines = piece + lines
            guard lines.count < rows else { break }
        }
        return lines.suffix(rows)
    }

    private static func text(_ line: [UInt8], _ style: Style, now: Double, columns: Int, rows: Int) -> String {
        guard var entry = try? ControlClient.decode(LogEntry.self, line) else {
            return PlainText.harmless(String(decoding: line.prefix(columns), as: UTF8.self))
        }
        // No more than can be seen, so that long lines cost no more than short ones.
        entry.message = String(entry.message.prefix(columns * rows))
        return LogLine.text(entry, time: WallClock.textBriefly(entry.time, now: now), style)
    }

    // MARK: The last row

    private func lastLine(_ style: Style) -> String {
        if let question { return style.paint("\(PlainText.harmless(question.question ?? "")) y/n", .yellow) }
        if isTyping { return "/\(filter)_  (Enter keeps, Esc clears)" }
        if let notice { return style.paint(notice.text, notice.colour) }
        if isLogOpen {
            return style.paint("↑↓ scroll  End follow  l back  r restart  R reload  x stop  ? help  q quit", .faint)
        }
        let keys = "l log  / filter  s sort  r restart  R reload  x stop  S start  ? help  q quit"
        return style.paint(filter.isEmpty ? keys : "filter “\(filter)” (Esc clears)  \(keys)", .faint)
    }

    private static func help(_ style: Style) -> [String] {
        let keys = [
            ("↑ ↓ j k", "select a row; scroll the log where it is open"),
            ("PgUp PgDn", "a page"), ("Home End g G", "the first, the last; in the log End follows again"),
            ("l Enter", "log of the row on the whole screen, and back"),
            ("/", "show only rows with this text in name or state"),
            ("s", "sort by name, CPU, memory, restarts"), ("Esc", "clear the filter; leave the log"),
            ("r", "restart: a program or a process, a worker, all workers (wsd)"),
            ("R", "reload: a program without a gap; wsd: its configuration"),
            ("x", "stop a program; wsd: the service. Asks first"), ("S", "start a program that is stopped"),
            ("Ctrl-L", "draw again"), ("q Ctrl-C", "end monit; nothing else ends"),
        ]
        let width = keys.map { $0.0.count }.max() ?? 0
        return [style.paint("wsctl monit", .bold), ""]
            + keys.map { key, text in "  \(PaintedText.padded(key, to: width))  \(text)" }
            + ["", style.paint("Any key goes back.", .faint)]
    }
}
