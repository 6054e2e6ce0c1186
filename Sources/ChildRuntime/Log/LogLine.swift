package import Model
package import NIOCore
internal import Wire

/// One line of a child's log: `{"t":1770000000.123456,"l":"info","m":"constant message","f":{"client.id":"…"}}`.
package struct LogLine {
    /// Bytes of a message or a field's value above which it is cut.
    package static let maxValue = 4096
    /// Bytes of the text of all fields above which further ones are left out. Escaping at most sextuples what is kept, and the
    /// supervisor takes a line of 16 KiB whole where next to nothing needs it.
    package static let maxFields = 8192

    package var level: LogLevel
    package var message: String
    /// Since 1970.
    package var seconds: Double

    package init(level: LogLevel, message: String, seconds: Double) {
        self.level = level
        self.message = message
        self.seconds = seconds
    }

    /// Appends the line with its line feed.
    package func write(_ fields: [(name: String, value: String)], into buffer: inout ByteBuffer) {
        let microseconds = Int64(seconds * 1e6)
        let fraction = "\(1_000_000 + microseconds % 1_000_000)".dropFirst()
        buffer.writeString("{\"t\":\(microseconds / 1_000_000).\(fraction),\"l\":\"\(level.rawValue)\",\"m\":")
        JSONWriter.writeString(Self.bounded(message), into: &buffer)
        if !fields.isEmpty {
            buffer.writeStaticString(",\"f\":{")
            writeMembers(fields, into: &buffer)
            buffer.writeStaticString("}")
        }
        buffer.writeStaticString("}\n")
    }

    private func writeMembers(_ fields: [(name: String, value: String)], into buffer: inout ByteBuffer) {
        var left = Self.maxFields
        var isFirst = true
        for (name, value) in fields {
            let value = Self.bounded(value)
            left -= name.utf8.count + value.utf8.count
            guard left >= 0 else {
                buffer.writeStaticString(isFirst ? "\"log.truncated\":\"true\"" : ",\"log.truncated\":\"true\"")
                return
            }
            if !isFirst { buffer.writeStaticString(",") }
            isFirst = false
            JSONWriter.writeString(name, into: &buffer)
            buffer.writeStaticString(":")
            JSONWriter.writeString(value, into: &buffer)
        }
    }

    private static func bounded(_ text: String) -> String {
        guard text.utf8.count > maxValue else { return text }
        // Half a character at the cut becomes the replacement character.
        return String(decoding: text.utf8.prefix(maxValue), as: UTF8.self) + "…"
    }
}
