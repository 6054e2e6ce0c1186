import Glibc
import Model
import Wire

/// How log lines look where a person or a collector reads them.
enum LogText {
    /// A line for a terminal or a file: time, level, source, message and fields. Nothing in it can move a cursor.
    ///
    /// - Parameter coloured: for a terminal: escape sequences of our own, and the time of day alone.
    static func text(_ entry: LogEntry, coloured: Bool) -> String {
        let time = coloured ? LocalTime(entry.time).timeOfDay : LocalTime(entry.time).dateAndTime
        let level = label(entry.level)
        let source = escaped(entry.source)
        var line = coloured ? "\u{1b}[2m\(time)\u{1b}[0m " : "\(time) "
        line += coloured ? "\(colour(entry.level))\(level)\u{1b}[0m " : "\(level) "
        line += padded(source, to: 10) + " " + escaped(entry.message)
        for (key, value) in entry.fields.sorted(by: { $0.key < $1.key }) {
            let pair = "\(escaped(key))=\(quoted(escaped(value)))"
            line += coloured ? " \u{1b}[2m\(pair)\u{1b}[0m" : " \(pair)"
        }
        return line + "\n"
    }

    /// Message and fields in one line, with the source where that is a child: for the journal, which knows the rest.
    static func message(_ entry: LogEntry) -> String {
        var line = entry.source == LogSource.supervisorName ? "" : escaped(entry.source) + ": "
        line += escaped(entry.message)
        for (key, value) in entry.fields.sorted(by: { $0.key < $1.key }) {
            line += " \(escaped(key))=\(quoted(escaped(value)))"
        }
        return line
    }

    /// One JSON object and a line feed: time (RFC 3339, UTC), level, source, program and stream where they apply, pid, message,
    /// then the fields under `fields`.
    static func json(_ entry: LogEntry) -> String {
        var line = #"{"time":"\#(UTCTime.text(entry.time))","level":"\#(entry.level.rawValue)","source":"#
        appendJSON(entry.source, to: &line)
        if let program = entry.program {
            line += #","program":"#
            appendJSON(program, to: &line)
        }
        if let stream = entry.stream { line += #","stream":"\#(stream.rawValue)""# }
        line += #","pid":\#(entry.pid),"message":"#
        appendJSON(entry.message, to: &line)
        if !entry.fields.isEmpty {
            line += #","fields":{"#
            for (offset, (key, value)) in entry.fields.sorted(by: { $0.key < $1.key }).enumerated() {
                if offset > 0 { line += "," }
                appendJSON(key, to: &line)
                line += ":"
                appendJSON(value, to: &line)
            }
            line += "}"
        }
        return line + "}\n"
    }

    /// `text` with everything that a terminal might act upon written out: control characters (C0, C1 and DEL), line and
    /// paragraph separators, and the marks that reorder text.
    static func escaped(_ text: String) -> String {
        if text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7f }) { return text }
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x0a: result += "\\n"
            case 0x0d: result += "\\r"
            case 0x09: result += "\t"
            case 0..<0x20, 0x7f..<0xa0: result += "\\x" + hexadecimal(scalar.value, digits: 2)
            case _ where isInvisible(scalar):
                result += "\\u" + hexadecimal(scalar.value, digits: 4)
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// Separators of lines and paragraphs, and marks that reorder text.
    private static func isInvisible(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x061c, 0x200e, 0x200f, 0x2028...0x202e, 0x2066...0x206f, 0xfeff: true
        default: false
        }
    }

    /// A JSON string (RFC 8259 section 7); DEL, C1 controls and what reorders text are escaped as well, for whoever prints it raw.
    static func appendJSON(_ text: String, to line: inout String) {
        line += "\""
        if text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }) {
            line += text
            line += "\""
            return
        }
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": line += "\\\""
            case "\\": line += "\\\\"
            case "\n": line += "\\n"
            case "\r": line += "\\r"
            case "\t": line += "\\t"
            case _ where isInvisible(scalar): line += "\\u" + hexadecimal(scalar.value, digits: 4)
            case "\u{0}"..<"\u{20}", "\u{7f}"..<"\u{a0}": line += "\\u" + hexadecimal(scalar.value, digits: 4)
            default: line.unicodeScalars.append(scalar)
            }
        }
        line += "\""
    }

    private static func quoted(_ value: String) -> String {
        guard value.isEmpty || value.contains(where: { $0 == " " || $0 == "\"" || $0 == "=" }) else { return value }
        return "\"" + value.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\\\"") + "\""
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

    private static func colour(_ level: LogLevel) -> String {
        switch level {
        case .trace, .debug: "\u{1b}[2m"
        case .info: "\u{1b}[32m"
        case .notice: "\u{1b}[36m"
        case .warning: "\u{1b}[33m"
        case .error, .critical: "\u{1b}[1;31m"
        }
    }

    private static func padded(_ text: String, to width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.utf8.count))
    }

    static func hexadecimal(_ value: UInt32, digits: Int) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }
}

/// A time in the machine's time zone, for people.
struct LocalTime {
    private let parts: tm
    private let milliseconds: Int

    init(_ seconds: Double) {
        let bounded = UTCTime.bounded(seconds)
        var whole = time_t(bounded)
        var parts = tm()
        localtime_r(&whole, &parts)
        self.parts = parts
        milliseconds = Int((bounded - bounded.rounded(.down)) * 1000)
    }

    var timeOfDay: String {
        "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)).\(UTCTime.padded(milliseconds, 3))"
    }

    var dateAndTime: String {
        "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday)) \(timeOfDay)"
    }

    private func two(_ value: Int32) -> String { UTCTime.padded(Int(value), 2) }
}

/// Seconds since 1970 as RFC 3339 text with microseconds.
enum UTCTime {
    /// Times a child may claim: 1970 to 9999.
    static func bounded(_ seconds: Double) -> Double {
        seconds.isFinite ? min(max(seconds, 0), 253_402_300_799) : 0
    }

    static func text(_ seconds: Double) -> String {
        let microseconds = Int((bounded(seconds) * 1e6).rounded())
        let (days, second) = (microseconds / 1_000_000).quotientAndRemainder(dividingBy: 86_400)
        // Days to a civil date: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        let date = "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))"
        let time = "\(padded(second / 3600, 2)):\(padded(second / 60 % 60, 2)):\(padded(second % 60, 2))"
        return "\(date)T\(time).\(padded(microseconds % 1_000_000, 6))Z"
    }

    static func padded(_ value: Int, _ digits: Int) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }
}
