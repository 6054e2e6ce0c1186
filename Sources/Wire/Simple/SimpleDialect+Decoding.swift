internal import Model
package import NIOCore

extension SimpleDialect {
    /// Understands one text message, already known to be UTF-8. `maxRoomLength`: `rooms.maxNameLength`, bytes.
    package static func decode(_ message: ByteBuffer, maxRoomLength: Int) -> Result<SimpleMessage, DialectError> {
        message.withUnsafeReadableBytes { decode($0, maxRoomLength: maxRoomLength) }
    }

    /// The same over bytes in place.
    package static func decode(_ bytes: UnsafeRawBufferPointer, maxRoomLength: Int) -> Result<
        SimpleMessage, DialectError
    > {
        guard let fields = Fields(bytes) else { return .failure(DialectError(code: .invalidMessage)) }
        let request: RequestID?
        switch fields.request?.kind {
        case nil, .null: request = nil
        case .string, .number:
            guard let range = fields.request?.range, range.count <= RequestID.maxLength else {
                return .failure(DialectError(code: .invalidMessage))
            }
            request = RequestID(json: String(decoding: bytes[range], as: UTF8.self))
        case .object, .array, .boolean: return .failure(DialectError(code: .invalidMessage))
        }
        switch decode(fields, in: bytes, maxRoomLength: maxRoomLength) {
        case .success((let command, let data)):
            return .success(SimpleMessage(command: command, request: request, data: data))
        case .failure(let reason):
            return .failure(DialectError(code: reason.code, request: request))
        }
    }

    private static func decode(
        _ fields: Fields, in bytes: UnsafeRawBufferPointer, maxRoomLength: Int
    ) -> Result<(ClientCommand, Range<Int>), DialectError> {
        guard let type = fields.type, type.kind == .string else { return .failure(DialectError(code: .invalidMessage)) }
        func room() -> RoomName? {
            guard let slice = fields.room, let text = JSONString.text(slice, in: bytes) else { return nil }
            return (1...max(1, maxRoomLength)).contains(text.utf8.count) ? RoomName(text) : nil
        }
        func found(_ make: (RoomName) -> ClientCommand) -> Result<(ClientCommand, Range<Int>), DialectError> {
            guard let room = room() else { return .failure(DialectError(code: .invalidRoom)) }
            return .success((make(room), 0..<0))
        }
        if JSONString.equals(type, in: bytes, "sendToRoom") {
            guard let room = room() else { return .failure(DialectError(code: .invalidRoom)) }
            guard let data = fields.data else { return .failure(DialectError(code: .missingData)) }
            return .success((.send(room), data.range))
        }
        if JSONString.equals(type, in: bytes, "joinRoom") { return found(ClientCommand.join) }
        if JSONString.equals(type, in: bytes, "leaveRoom") { return found(ClientCommand.leave) }
        if JSONString.equals(type, in: bytes, "broadcast") {
            guard let data = fields.data else { return .failure(DialectError(code: .missingData)) }
            return .success((.broadcast, data.range))
        }
        return .failure(DialectError(code: .unknownType))
    }

    /// The members this dialect looks at.
    private struct Fields {
        var type: JSONSlice?
        var room: JSONSlice?
        var data: JSONSlice?
        var request: JSONSlice?

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
