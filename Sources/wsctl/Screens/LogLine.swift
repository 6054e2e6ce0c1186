import Model
import Wire

/// One log line as `wsctl logs` shows it. Nothing in it can move a cursor.
enum LogLine {
    /// - Parameter time: the entry's time as text in the reader's time zone.
    static func text(_ entry: LogEntry, time: String, _ style: Style) -> String {
        let source = PlainText.harmless(entry.source)
        let padding = String(repeating: " ", count: max(0, 10 - PlainText.width(source)))
        var line = style.paint(time, .faint) + " " + style.paint(label(entry.level), colour(entry.level)) + " "
        line += style.paint(source, colour(ofSource: entry)) + padding + " "
        line += style.paint(PlainText.harmless(entry.message), entry.level >= .error ? .bold : .plain)
        for (key, value) in entry.fields.sorted(by: { $0.key < $1.key }) {
            line += " " + style.paint("\(PlainText.harmless(key))=\(quoted(PlainText.harmless(value)))", .faint)
        }
        return line
    }

    private static func label(_ level: LogLevel) -> String {
        switch level {
        case .trace: "TRACE"
        case .debug: "DEBUG"
        case .info: "INFO "
        case .notice: "NOTE "
        case .warning: "WARN "
        case .error: "ERROR"
        case .critical: "CRIT "
        }
    }

    private static func colour(_ level: LogLevel) -> Style.Colour {
        switch level {
        case .trace, .debug: .faint
        case .info: .plain
        case .notice: .cyan
        case .warning: .yellow
        case .error, .critical: .boldRed
        }
    }

    private static func colour(ofSource entry: LogEntry) -> Style.Colour {
        guard let worker = entry.worker, entry.source != "supervisor" else {
            return entry.source == "hub" ? .magenta : .bold
        }
        let colours: [Style.Colour] = [.green, .cyan, .blue, .yellow]
        return colours[Int(worker.magnitude % UInt(colours.count))]
    }

    /// A value as it stands behind `name=`.
    static func quoted(_ value: String) -> String {
        guard value.isEmpty || value.contains(where: { $0 == " " || $0 == "\"" || $0 == "=" }) else { return value }
        return "\"" + value.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\\\"") + "\""
    }
}
