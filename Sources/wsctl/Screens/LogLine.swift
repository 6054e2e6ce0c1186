import Model
import Wire

/// One log line as `wsctl logs` shows it. Nothing in it can move a cursor.
enum LogLine {
    /// - Parameters:
    ///   - time: the entry's time as text in the reader's time zone.
    ///   - highlight: is marked wherever it stands.
    static func text(_ entry: LogEntry, time: String, highlight: String? = nil, _ style: Style) -> String {
        let needle = style.coloured ? highlight.map { PlainText.harmless($0).map { $0.lowercased() } } ?? [] : []
        func marked(_ text: String, _ colour: Style.Colour) -> String {
            needle.isEmpty ? style.paint(text, colour) : mark(text, needle, colour, style)
        }
        let source = PlainText.harmless(entry.source)
        let padding = String(repeating: " ", count: max(0, 10 - PlainText.width(source)))
        var line = style.paint(time, .faint) + " " + style.paint(label(entry.level), entry.level.colour) + " "
        line += style.paint(source, colour(ofSource: entry)) + padding + " "
        line += marked(PlainText.harmless(entry.message), entry.level >= .error ? .bold : .plain)
        for (key, value) in entry.fields.sorted(by: { $0.key < $1.key }) {
            line += " " + marked("\(PlainText.harmless(key))=\(quoted(PlainText.harmless(value)))", .faint)
        }
        return line
    }

    /// Paints the places where `needle` (letters in lower case) stands.
    private static func mark(_ text: String, _ needle: [String], _ colour: Style.Colour, _ style: Style) -> String {
        let letters = text.map { $0.lowercased() }
        let characters = Array(text)
        var line = ""
        var (start, index) = (0, 0)
        while index + needle.count <= letters.count {
            guard letters[index] == needle[0], letters[index..<(index + needle.count)].elementsEqual(needle) else {
                index += 1
                continue
            }
            line += style.paint(String(characters[start..<index]), colour)
            line += style.paint(String(characters[index..<(index + needle.count)]), .inverse)
            index += needle.count
            start = index
        }
        return line + style.paint(String(characters[start...]), colour)
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

    private static func colour(ofSource entry: LogEntry) -> Style.Colour {
        if entry.stream != nil {
            // The same one for a name wherever and whenever it is shown (FNV-1a).
            let name = entry.program ?? entry.source
            let hash = name.utf8.reduce(0x811c_9dc5 as UInt32) { ($0 ^ UInt32($1)) &* 0x0100_0193 }
            return colours[Int(hash % UInt32(colours.count))]
        }
        guard let worker = entry.worker, entry.source != "supervisor" else {
            return entry.source == "hub" ? .magenta : .bold
        }
        return colours[Int(worker.magnitude % 4)]
    }

    private static let colours: [Style.Colour] = [
        .green, .cyan, .blue, .yellow, .magenta, .brightGreen, .brightCyan, .brightBlue, .brightYellow, .brightMagenta,
    ]

    /// A value as it stands behind `name=`.
    static func quoted(_ value: String) -> String {
        guard value.isEmpty || value.contains(where: { $0 == " " || $0 == "\"" || $0 == "=" }) else { return value }
        return "\"" + value.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\\\"") + "\""
    }
}
