internal import Model
package import NIOCore

extension BackendRequest: Codable {
    /// Longest room name that any configuration admits, bytes; what another process sends was checked there.
    private static let anyRoomLength = Int(UInt16.max)

    /// What ``encoded()`` wrote, or an entry of a batch.
    package static func decode(
        _ bytes: ByteBuffer, maxRoomLength: Int? = nil
    ) -> Result<BackendRequest, BackendError> {
        bytes.withUnsafeReadableBytes { bytes in
            do throws(BackendError) {
                let arguments = try BackendArguments(bytes)
                guard let type = arguments.type else { throw .invalid("`type` is missing") }
                return .success(
                    try arguments.request(type, maxRoomLength: maxRoomLength ?? anyRoomLength, in: bytes))
            } catch {
                return .failure(error)
            }
        }
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        switch Self.decode(ByteBuffer(string: text)) {
        case .success(let request): self = request
        case .failure(let error):
            throw DecodingError.dataCorruptedError(in: container, debugDescription: error.message)
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(String(buffer: encoded()))
    }

    /// One JSON object with a `type`, as in a batch.
    package func encoded() -> ByteBuffer {
        var buffer = ByteBuffer()
        write(into: &buffer)
        return buffer
    }

    private func write(into buffer: inout ByteBuffer) {
        func begin(_ type: StaticString, _ texts: KeyValuePairs<StaticString, String?> = [:]) {
            buffer.writeStaticString(#"{"type":""#)
            buffer.writeStaticString(type)
            buffer.writeInteger(UInt8(ascii: "\""))
            for (key, text) in texts { buffer.writeTextField(key, text) }
        }
        switch self {
        case .publish(let room, let message):
            begin("publish", [#","room":"#: room.text, #","user":"#: message.sender?.text])
            buffer.writeMessage(message)
        case .publishMany(let rooms, let message):
            begin("publishMany", [#","user":"#: message.sender?.text])
            for (index, room) in rooms.enumerated() {
                buffer.writeStaticString(index == 0 ? #","rooms":["# : ",")
                JSONWriter.writeString(room.text, into: &buffer)
            }
            buffer.writeInteger(UInt8(ascii: "]"))
            buffer.writeMessage(message)
        case .broadcast(let message):
            begin("broadcast", [#","user":"#: message.sender?.text])
            buffer.writeMessage(message)
        case .sendToUser(let user, let message):
            begin("send", [#","user":"#: user.text, #","sender":"#: message.sender?.text])
            buffer.writeMessage(message)
        case .presence(let room): begin("presence", [#","room":"#: room.text])
        case .presenceCount(let room): begin("presenceCount", [#","room":"#: room.text])
        case .history(let room, let query):
            begin("history", [#","room":"#: room.text])
            buffer.writeNumberField(#","from":"#, query.from)
            buffer.writeNumberField(#","limit":"#, UInt64(max(0, query.limit)))
            buffer.writeStaticString(query.reverse ? #","reverse":true"# : #","reverse":false"#)
        case .removeHistory(let room): begin("removeHistory", [#","room":"#: room.text])
        case .disconnectUser(let user, let close):
            begin("disconnect", [#","user":"#: user.text, #","reason":"#: close.reason])
            buffer.writeNumberField(#","code":"#, UInt64(close.code.rawValue))
        case .disconnectClient(let client, let close):
            begin("disconnect", [#","client":"#: client.description, #","reason":"#: close.reason])
            buffer.writeNumberField(#","code":"#, UInt64(close.code.rawValue))
        case .subscribe(let user, let room):
            begin("subscribe", [#","user":"#: user.text, #","room":"#: room.text])
        case .unsubscribe(let user, let room):
            begin("unsubscribe", [#","user":"#: user.text, #","room":"#: room.text])
        case .rooms(let prefix, let limit):
            begin("rooms", [#","prefix":"#: prefix])
            buffer.writeNumberField(#","limit":"#, UInt64(max(0, limit)))
        case .info: begin("info")
        case .batch(let requests):
            begin("batch")
            buffer.writeStaticString(#","requests":["#)
            for (index, request) in requests.enumerated() {
                if index > 0 { buffer.writeInteger(UInt8(ascii: ",")) }
                request.write(into: &buffer)
            }
            buffer.writeInteger(UInt8(ascii: "]"))
        }
        buffer.writeInteger(UInt8(ascii: "}"))
    }
}

extension ByteBuffer {
    /// `key` with its comma, quotation marks and colon.
    fileprivate mutating func writeTextField(_ key: StaticString, _ text: String?) {
        guard let text else { return }
        writeStaticString(key)
        JSONWriter.writeString(text, into: &self)
    }

    fileprivate mutating func writeNumberField(_ key: StaticString, _ number: UInt64?) {
        guard let number else { return }
        writeStaticString(key)
        JSONWriter.writeNumber(number, into: &self)
    }

    fileprivate mutating func writeMessage(_ message: BackendMessage) {
        writeTextField(#","messageId":"#, message.messageID?.text)
        writeStaticString(#","data":"#)
        writeBytes(message.data.bytes)
    }
}
