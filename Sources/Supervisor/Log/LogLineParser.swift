import Model

/// What one line of a child's output says.
struct ParsedLogLine: Equatable {
    /// Seconds since 1970; `nil`: the line names none.
    var time: Double?
    var level: LogLevel
    var message: String
    var fields: [String: String]
}

/// Reads a child's log line: `{"t":1770000000.123456,"l":"info","m":"constant message","f":{"client.id":"…"}}`.
///
/// Anything else (another program's output, a crash report, half a line) is a plain line: its text is the message.
enum LogLineParser {
    /// Most members of `f`; a line with more is taken as plain text.
    static let maxFields = 64

    static func parse(_ bytes: UnsafeRawBufferPointer, plainLevel: LogLevel) -> ParsedLogLine {
        if bytes.first == UInt8(ascii: "{") {
            var reader = LogLineReader(bytes)
            if let line = reader.object() { return line }
        }
        return ParsedLogLine(time: nil, level: plainLevel, message: String(decoding: bytes, as: UTF8.self), fields: [:])
    }
}

/// A strict reader of exactly the flat shape of a child's log line; `nil` from any of its functions means "it is not one".
private struct LogLineReader {
    private let bytes: UnsafeRawBufferPointer
    private var index = 0

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    mutating func object() -> ParsedLogLine? {
        var line = ParsedLogLine(time: nil, level: .info, message: "", fields: [:])
        var hasMessage = false
        let complete = members { reader, key in
            switch key {
            case "t":
                guard let text = reader.number(), let time = Double(text), time.isFinite else { return false }
                line.time = time
            case "l":
                guard let level = reader.string().flatMap(LogLevel.init(rawValue:)) else { return false }
                line.level = level
            case "m":
                guard let message = reader.string() else { return false }
                line.message = message
                hasMessage = true
            case "f":
                guard let fields = reader.fields() else { return false }
                line.fields = fields
            default:
                return reader.scalar() != nil
            }
            return true
        }
        skipSpace()
        return complete && hasMessage && index == bytes.count ? line : nil
    }

    private mutating func fields() -> [String: String]? {
        var fields: [String: String] = [:]
        let complete = members { reader, key in
            guard fields.count < LogLineParser.maxFields, let value = reader.scalar() else { return false }
            fields[key] = value
            return true
        }
        return complete ? fields : nil
    }

    /// Reads `{ "key": …, … }`; `member` reads each value.
    private mutating func members(_ member: (inout Self, String) -> Bool) -> Bool {
        guard skip("{") else { return false }
        if skip("}") { return true }
        repeat {
            guard let key = string(), skip(":"), member(&self, key) else { return false }
        } while skip(",")
        return skip("}")
    }

    private mutating func scalar() -> String? {
        skipSpace()
        guard index < bytes.count else { return nil }
        if bytes[index] == UInt8(ascii: "\"") { return string() }
        for word in ["true", "false", "null"] where bytes[index...].starts(with: word.utf8) {
            index += word.utf8.count
            return word
        }
        return number()
    }

    private mutating func number() -> String? {
        skipSpace()
        let start = index
        while index < bytes.count, "+-.0123456789eE".utf8.contains(bytes[index]) { index += 1 }
        guard index > start, index - start <= 32 else { return nil }
        let text = String(decoding: bytes[start..<index], as: UTF8.self)
        return Double(text) == nil ? nil : text
    }

    private mutating func string() -> String? {
        guard skip("\"") else { return nil }
        var start = index
        var text: [UInt8]?
        while index < bytes.count {
            let byte = bytes[index]
            if byte == UInt8(ascii: "\"") {
                let piece = bytes[start..<index]
                index += 1
                return text.map { String(decoding: $0 + piece, as: UTF8.self) }
                    ?? String(decoding: piece, as: UTF8.self)
            }
            if byte == UInt8(ascii: "\\") {
                var unescaped = (text ?? []) + bytes[start..<index]
                guard let scalar = escape() else { return nil }
                unescaped.append(contentsOf: Array(String(Character(scalar)).utf8))
                text = unescaped
                start = index
            } else {
                index += 1
            }
        }
        return nil
    }

    /// Reads an escape sequence (RFC 8259 section 7); half of a surrogate pair becomes the replacement character.
    private mutating func escape() -> Unicode.Scalar? {
        guard index + 1 < bytes.count else { return nil }
        let kind = bytes[index + 1]
        index += 2
        switch kind {
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{c}"
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(kind)
        case UInt8(ascii: "u"):
            guard let high = hexadecimal() else { return nil }
            guard (0xD800..<0xDC00).contains(high) else { return Unicode.Scalar(high) ?? "\u{FFFD}" }
            guard bytes[index...].starts(with: "\\u".utf8) else { return "\u{FFFD}" }
            index += 2
            guard let low = hexadecimal() else { return nil }
            guard (0xDC00..<0xE000).contains(low) else { return "\u{FFFD}" }
            return Unicode.Scalar(0x10000 + (high - 0xD800) << 10 + (low - 0xDC00))
        default: return nil
        }
    }

    private mutating func hexadecimal() -> UInt32? {
        guard index + 4 <= bytes.count else { return nil }
        var value: UInt32 = 0
        for byte in bytes[index..<(index + 4)] {
            guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue, byte < 0x80 else { return nil }
            value = value << 4 | UInt32(digit)
        }
        index += 4
        return value
    }

    private mutating func skip(_ character: Unicode.Scalar) -> Bool {
        skipSpace()
        guard index < bytes.count, bytes[index] == UInt8(ascii: character) else { return false }
        index += 1
        return true
    }

    private mutating func skipSpace() {
        while index < bytes.count, " \t\r\n".utf8.contains(bytes[index]) { index += 1 }
    }
}
