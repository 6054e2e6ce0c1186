import Wire

/// One line of `wsctl trace`. Nothing in it can move a cursor.
enum TraceScreen {
    /// - Parameter time: seconds since 1970 as text in the reader's time zone.
    static func line(_ line: TraceLine, _ style: Style, time: (Double) -> String) -> String {
        switch line {
        case .event(let event): text(event, style, time: time(event.time))
        case .notice(let notice):
            style.paint(time(notice.time), .faint) + " "
                + style.paint("-- \(PlainText.harmless(notice.notice))\(count(notice))", .yellow)
        }
    }

    private static func count(_ notice: TraceNotice) -> String {
        notice.dropped.map { " (\(Humanized.count($0)))" } ?? ""
    }

    private static func text(_ event: TraceEvent, _ style: Style, time: String) -> String {
        let kind = event.kind.rawValue
        let padding = String(repeating: " ", count: max(0, 13 - kind.count))
        var line = style.paint(time, .faint) + " " + style.paint(kind, colour(event.kind)) + padding
        for (name, value) in fields(event) {
            line += " " + style.paint("\(name)=", .faint) + LogLine.quoted(PlainText.harmless(value))
        }
        if let payload = event.payload { line += " " + PlainText.harmless(payload) }
        return line
    }

    private static func fields(_ event: TraceEvent) -> [(String, String)] {
        let all: [(String, String?)] = [
            ("worker", "\(event.worker)"), ("client", event.client), ("user", event.user), ("room", event.room),
            ("offset", event.offset.map { "\($0)" }), ("bytes", event.bytes.map { "\($0)" }),
            ("clients", event.count.map { "\($0)" }), ("code", event.code), ("detail", event.detail),
        ]
        return all.compactMap { name, value in value.map { (name, $0) } }
    }

    private static func colour(_ kind: TraceEvent.Kind) -> Style.Colour {
        switch kind {
        case .connected, .authenticated, .joined: .green
        case .left, .closed: .magenta
        case .published: .bold
        case .delivered: .cyan
        case .webhook: .blue
        case .failed, .gap: .boldRed
        }
    }
}
