import FoundationEssentials
import LinuxSystem
import Model
import NIOCore
import Wire

/// A handover as bytes of a memory file: a line that names its format, the lengths of both parts, the handover as JSON, the lines of
/// the log.
enum HandoverFile {
    static let name = "wsd-handover"
    /// The variable that tells a program the descriptor of its file.
    static let variable = "WSD_TAKEOVER"
    /// Bytes of a whole file: `log.memoryTotal` may be 64 GiB, of which no more than ``maxLog`` travels.
    static let maxBytes = 1 << 30
    static let maxLog = 256 << 20

    /// - Parameter log: the newest of them travel.
    static func bytes(_ handover: Handover, _ log: LogStore) throws -> [UInt8] {
        let json = try JSONEncoder().encode(handover)
        var bytes = ByteBuffer()
        bytes.writeString(head(Handover.format))
        let entries = log.newest(maxLog)
        bytes.writeInteger(UInt64(json.count))
        bytes.writeBytes(json)
        bytes.writeInteger(UInt64(log.lastSequence))
        for entry in entries { LogRecord.write(entry, to: &bytes) }
        return Array(bytes.readableBytesView)
    }

    /// The file behind a descriptor, which stays open.
    static func read(_ descriptor: Int32) throws(TakeoverFailure) -> (
        handover: Handover, log: [LogEntry], lastLine: Int
    ) {
        let all: [UInt8]
        do throws(SystemError) {
            all = try MemoryFile.read(descriptor, name: name, limit: maxBytes)
        } catch {
            throw TakeoverFailure("What is handed over cannot be read: \(error).")
        }
        var bytes = ByteBuffer(bytes: all)
        guard let end = bytes.readableBytesView.firstIndex(of: UInt8(ascii: "\n")),
            let line = bytes.readString(length: end + 1), line.hasPrefix("\(name) ")
        else { throw TakeoverFailure("What is handed over is no handover.") }
        guard line == head(Handover.format) else {
            throw TakeoverFailure(
                "The two programs differ too much: \(line.dropLast()) is handed over, and this one takes \(Handover.format)."
            )
        }
        guard let length = bytes.readInteger(as: UInt64.self), let json = bytes.readSlice(length: Int(clamping: length))
        else { throw TakeoverFailure("What is handed over is not complete.") }
        let handover: Handover
        do {
            handover = try JSONDecoder().decode(Handover.self, from: Data(json.readableBytesView))
        } catch {
            throw TakeoverFailure("The two programs differ too much: \(error)")
        }
        guard let lastLine = bytes.readInteger(as: UInt64.self) else {
            throw TakeoverFailure("What is handed over is not complete.")
        }
        var log: [LogEntry] = []
        while bytes.readableBytes > 0 {
            guard let entry = LogRecord.read(&bytes) else { throw TakeoverFailure("A line of the log is damaged.") }
            log.append(entry)
        }
        return (handover, log, Int(clamping: lastLine))
    }

    private static func head(_ format: Int) -> String { "\(name) \(format)\n" }
}

/// Why a program cannot take over, for a person.
struct TakeoverFailure: Error, Equatable {
    var message: String

    init(_ message: String) {
        self.message = message
    }
}

/// A kept line as bytes: there may be a hundred thousand, for which JSON would take seconds.
enum LogRecord {
    static func write(_ entry: LogEntry, to bytes: inout ByteBuffer) {
        bytes.writeInteger(Int64(entry.sequence))
        bytes.writeInteger(entry.time.bitPattern)
        bytes.writeInteger(Int32(clamping: entry.worker ?? 0))
        bytes.writeInteger(entry.pid)
        for text in [
            entry.source, entry.program ?? "", entry.stream?.rawValue ?? "", entry.level.rawValue, entry.message,
        ] {
            write(text, to: &bytes)
        }
        bytes.writeInteger(UInt32(entry.fields.count))
        for (key, value) in entry.fields {
            write(key, to: &bytes)
            write(value, to: &bytes)
        }
    }

    /// `nil`: it is not complete.
    static func read(_ bytes: inout ByteBuffer) -> LogEntry? {
        guard let sequence = bytes.readInteger(as: Int64.self), let time = bytes.readInteger(as: UInt64.self),
            let worker = bytes.readInteger(as: Int32.self), let pid = bytes.readInteger(as: Int32.self),
            let source = text(&bytes), let program = text(&bytes), let stream = text(&bytes), let level = text(&bytes),
            let message = text(&bytes), let count = bytes.readInteger(as: UInt32.self), count <= bytes.readableBytes
        else { return nil }
        var fields: [String: String] = [:]
        for _ in 0..<count {
            guard let key = text(&bytes), let value = text(&bytes) else { return nil }
            fields[key] = value
        }
        return LogEntry(
            sequence: Int(sequence), time: Double(bitPattern: time), source: source,
            worker: worker == 0 ? nil : Int(worker), program: program.isEmpty ? nil : program,
            stream: LogStream(rawValue: stream), pid: pid, level: LogLevel(rawValue: level) ?? .info, message: message,
            fields: fields)
    }

    private static func write(_ text: String, to bytes: inout ByteBuffer) {
        bytes.writeInteger(UInt32(text.utf8.count))
        bytes.writeString(text)
    }

    private static func text(_ bytes: inout ByteBuffer) -> String? {
        bytes.readInteger(as: UInt32.self).flatMap { bytes.readString(length: Int($0)) }
    }
}
