internal import Model
package import NIOCore

extension SimpleDialect {
    /// Understands one text message, already known to be UTF-8. `maxRoomLength`: `rooms.maxNameLength`, bytes.
    package static func decode(_ message: ByteBuffer, maxRoomLength: Int) -> Result<DialectMessage, DialectError> {
        message.withUnsafeReadableBytes { decode($0, maxRoomLength: maxRoomLength) }
    }

    /// The same over bytes in place.
    package static func decode(
        _ bytes: UnsafeRawBufferPointer, maxRoomLength: Int
    ) -> Result<DialectMessage, DialectError> {
        guard let fields = Fields(bytes), case .success(let request) = RequestID.read(fields.request, in: bytes) else {
            return .failure(DialectError(code: .invalidMessage))
        }
        do throws(DialectError) {
            return .success(try message(fields, request, in: bytes, maxRoomLength: maxRoomLength))
        } catch {
            return .failure(error)
        }
    }

    private static func message(
        _ fields: Fields, _ request: RequestID?, in bytes: UnsafeRawBufferPointer, maxRoomLength: Int
    ) throws(DialectError) -> DialectMessage {
        func refusal(_ code: ClientErrorCode) -> DialectError { DialectError(code: code, request: request) }
        func room() throws(DialectError) -> RoomName {
            guard let text = JSONField.text(fields.room, maxBytes: maxRoomLength, in: bytes) else {
                throw refusal(.invalidRoom)
            }
            return RoomName(text)
        }
        func data() throws(DialectError) -> Range<Int> {
            guard let data = fields.data else { throw refusal(.missingData) }
            return data.range
        }
        func message(_ command: ClientCommand, _ data: Range<Int> = 0..<0) -> DialectMessage {
            DialectMessage(command: command, request: request, data: data)
        }

        guard let type = fields.type, type.kind == .string else { throw refusal(.invalidMessage) }
        if JSONString.equals(type, in: bytes, "sendToRoom") {
            return message(.publish(try room(), messageID: nil), try data())
        }
        if JSONString.equals(type, in: bytes, "joinRoom") { return message(.join(try room(), .plain)) }
        if JSONString.equals(type, in: bytes, "leaveRoom") { return message(.leave(try room())) }
        if JSONString.equals(type, in: bytes, "broadcast") { return message(.broadcast, try data()) }
        if JSONString.equals(type, in: bytes, "auth") {
            guard let token = JSONField.text(fields.token, maxBytes: V1Dialect.maxTokenLength, in: bytes) else {
                throw refusal(.invalidToken)
            }
            return message(.authenticate(token: token))
        }
        guard request != nil, let name = JSONField.text(type, maxBytes: V1Dialect.maxTypeLength, in: bytes) else {
            throw refusal(.unknownType)
        }
        return message(.call(type: name, timeout: nil), fields.data?.range ?? 0..<0)
    }

    /// The members this dialect looks at.
    private struct Fields {
        var type: JSONSlice?
        var room: JSONSlice?
        var data: JSONSlice?
        var request: JSONSlice?
        var token: JSONSlice?

        /// `nil` where the text is no JSON object.
        init?(_ bytes: UnsafeRawBufferPointer) {
            var found = Fields()
            do {
                try JSONScanner.scanObject(bytes) { key, value in
                    if JSONString.equals(key, in: bytes, "type") {
                        found.type = value
                    } else if JSONString.equals(key, in: bytes, "roomId") {
                        found.room = value
                    } else if JSONString.equals(key, in: bytes, "data") {
                        found.data = value
                    } else if JSONString.equals(key, in: bytes, "requestId") {
                        found.request = value
                    } else if JSONString.equals(key, in: bytes, "token") {
                        found.token = value
                    }
                }
            } catch {
                return nil
            }
            self = found
        }

        private init() {}
    }
}
