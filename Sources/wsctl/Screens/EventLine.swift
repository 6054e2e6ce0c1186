import Model
import Wire

/// One event as `wsctl events` shows it. Nothing in it can move a cursor.
enum EventLine {
    /// Columns of the type.
    private static let typeWidth = 20
    private static let processWidth = 10

    /// - Parameter time: the event's time as text in the reader's time zone.
    static func text(_ event: ServiceEvent, time: String, _ style: Style) -> String {
        let subject = PlainText.harmless(event.process ?? event.program ?? "service")
        var line = style.paint(time, .faint) + " "
        line += style.paint(padded(PlainText.harmless(event.type), typeWidth), event.level.colour) + " "
        line += style.paint(padded(subject, processWidth), .bold)
        for (name, value) in values(event) {
            line += " " + style.paint("\(name)=", .faint) + LogLine.quoted(PlainText.harmless(value))
        }
        for (name, value) in (event.fields ?? [:]).sorted(by: { $0.key < $1.key }) {
            line +=
                " " + style.paint("\(PlainText.harmless(name))=\(LogLine.quoted(PlainText.harmless(value)))", .faint)
        }
        return line
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - PlainText.width(text)))
    }

    private static func values(_ event: ServiceEvent) -> [(String, String)] {
        let all: [(String, String?)] = [
            ("pid", event.pid.map(String.init)), ("code", event.code.map(String.init)), ("signal", event.signal),
            ("core", event.coreDumped == true ? "yes" : nil), ("oom", event.outOfMemory == true ? "yes" : nil),
            ("expected", event.expected.map { $0 ? "yes" : "no" }), ("reason", event.reason),
            ("operation", event.operation), ("result", event.result),
            ("start", event.startTime.map { "\(Humanized.fixed($0, 3))s" }),
            ("delay", event.delay.map { "\(Humanized.fixed($0, 1))s" }),
            ("uptime", event.uptime.map { "\(Humanized.fixed($0, 1))s" }),
            ("restarts", event.restarts.map(String.init)), ("memory", event.memory.map(Humanized.bytesBriefly)),
            ("limit", event.memoryLimit.map(Humanized.bytesBriefly)),
        ]
        return all.compactMap { name, value in value.map { (name, $0) } }
    }
}
