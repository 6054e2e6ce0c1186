import FoundationEssentials
import HTTPTypes
import Hummingbird
import NIOCore
import Wire

/// JSON of the control API.
enum ControlJSON {
    /// One value and a line feed.
    static func line(_ value: some Encodable) -> ByteBuffer {
        var buffer = ByteBuffer()
        append(value, to: &buffer)
        return buffer
    }

    static func append(_ value: some Encodable, to buffer: inout ByteBuffer) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        // Our own types of strings, numbers and arrays: encoding them cannot fail.
        guard let data = try? encoder.encode(value) else { return }
        buffer.writeBytes(data)
        buffer.writeInteger(UInt8(ascii: "\n"))
    }

    static func decode<Value: Decodable>(_ type: Value.Type, from buffer: ByteBuffer) throws -> Value {
        try JSONDecoder().decode(type, from: Data(buffer.readableBytesView))
    }

    static func response(_ value: some Encodable) -> Response {
        Response(
            status: .ok, headers: [.contentType: "application/json"], body: ResponseBody(byteBuffer: line(value)))
    }

    /// A stream of lines; `write` returns when the stream is complete.
    static func stream(_ write: @escaping @Sendable (inout NDJSONWriter) async throws -> Void) -> Response {
        let body = ResponseBody { writer in
            var lines = NDJSONWriter(writer)
            try await write(&lines)
            try await lines.flush()
            try await writer.finish(nil)
        }
        return Response(
            status: .ok, headers: [.contentType: "application/x-ndjson", .cacheControl: "no-store"], body: body)
    }
}

/// Gathers lines into pieces worth a write. Waits while the reader does not read.
struct NDJSONWriter {
    /// A piece of this many bytes is written.
    static let pieceSize = 64 * 1024

    private var writer: any ResponseBodyWriter
    private var buffer = ByteBuffer()

    init(_ writer: any ResponseBodyWriter) {
        self.writer = writer
    }

    mutating func write(_ value: some Encodable) async throws {
        ControlJSON.append(value, to: &buffer)
        if buffer.readableBytes >= Self.pieceSize { try await flush() }
    }

    mutating func flush() async throws {
        guard buffer.readableBytes > 0 else { return }
        try await writer.write(buffer)
        buffer = ByteBuffer()
        // Between two pieces of a long list others have their turn.
        await Task.yield()
    }
}

extension ControlJSON {
    /// Whether `text` is one JSON value, of any kind.
    static func isJSON(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { (try? JSONScanner.scanValue(UnsafeRawBufferPointer($0))) != nil }
    }
}
