import Model
import Wire

/// A log line as a record of the journal: `FIELD=value` and a line feed for each field, or `FIELD`, a line feed, the length in
/// eight bytes and the value (systemd.io, "Native Journal Protocol").
enum JournalRecord {
    static let identifier = "wsd"
    /// Longest name of a field that the journal takes, bytes.
    static let maxName = 64
    /// Names of wsd's own, which no field of a line takes.
    private static let own: Set<String> = [
        "WSD_SOURCE", "WSD_WORKER", "WSD_PROGRAM", "WSD_STREAM", "WSD_PID", "WSD_LEVEL",
    ]
    /// Fields whose usual names are longer than what they are searched by.
    private static let short = ["client.id": "WSD_CLIENT", "room.id": "WSD_ROOM", "user.id": "WSD_USER"]

    /// The message comes first, always with its length, then `PRIORITY`: see ``plainLine(_:)``.
    static func encode(_ entry: LogEntry) -> [UInt8] {
        var record: [UInt8] = []
        appendSized("MESSAGE", LogText.message(entry), to: &record)
        append("PRIORITY", String(priority(entry.level)), to: &record)
        append("SYSLOG_IDENTIFIER", identifier, to: &record)
        append("WSD_SOURCE", entry.source, to: &record)
        append("WSD_PID", String(entry.pid), to: &record)
        append("WSD_LEVEL", entry.level.rawValue, to: &record)
        if let worker = entry.worker { append("WSD_WORKER", String(worker), to: &record) }
        if let program = entry.program { append("WSD_PROGRAM", program, to: &record) }
        if let stream = entry.stream { append("WSD_STREAM", stream.rawValue, to: &record) }
        for (key, value) in entry.fields.sorted(by: { $0.key < $1.key }) { append(name(key), value, to: &record) }
        return record
    }

    /// `<4>` and the message, for standard error, where the journal reads the priority from the beginning of a line
    /// (sd-daemon(3)).
    static func plainLine(_ record: UnsafeRawBufferPointer) -> [UInt8] {
        let start = messageName.utf8.count + 1 + MemoryLayout<UInt64>.size
        let length = Int(
            record.loadUnaligned(fromByteOffset: start - MemoryLayout<UInt64>.size, as: UInt64.self).littleEndian)
        let priority = record[start + length + 1 + "PRIORITY=".utf8.count]
        return Array("<".utf8) + [priority] + Array(">".utf8) + record[start..<(start + length)] + Array("\n".utf8)
    }

    private static let messageName = "MESSAGE"

    /// syslog(3)'s severity.
    static func priority(_ level: LogLevel) -> Int {
        switch level {
        case .trace, .debug: 7
        case .info: 6
        case .notice: 5
        case .warning: 4
        case .error: 3
        case .critical: 2
        }
    }

    /// `close.code` → `WSD_CLOSE_CODE`.
    static func name(_ key: String) -> String {
        if let name = short[key] { return name }
        var name = "WSD_"
        for scalar in key.unicodeScalars {
            let isWord = scalar.isASCII && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar))
            name += isWord ? String(scalar).uppercased() : "_"
        }
        if own.contains(name) { name = "WSD_FIELD_" + name.dropFirst(4) }
        return String(name.prefix(maxName))
    }

    private static func append(_ name: String, _ value: String, to record: inout [UInt8]) {
        guard !value.utf8.contains(UInt8(ascii: "\n")) else { return appendSized(name, value, to: &record) }
        record += name.utf8
        record.append(UInt8(ascii: "="))
        record += value.utf8
        record.append(UInt8(ascii: "\n"))
    }

    private static func appendSized(_ name: String, _ value: String, to record: inout [UInt8]) {
        record += name.utf8
        record.append(UInt8(ascii: "\n"))
        withUnsafeBytes(of: UInt64(value.utf8.count).littleEndian) { record += $0 }
        record += value.utf8
        record.append(UInt8(ascii: "\n"))
    }
}
