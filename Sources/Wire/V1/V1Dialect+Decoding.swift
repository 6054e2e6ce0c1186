internal import Model
package import NIOCore

extension V1Dialect {
    /// Understands one text message, already known to be UTF-8: one object, or an array of 1…``maxBatch`` of them.
    /// Calls `each` for every object in order. Of an array that is no JSON, empty or too long nothing is carried out: `each`
    /// gets one error.
    ///
    /// - Parameter maxRoomLength: `rooms.maxNameLength`, bytes.
    package static func decode(
        _ message: ByteBuffer, maxRoomLength: Int, each: (Result<DialectMessage, DialectError>) -> Void
    ) {
        message.withUnsafeReadableBytes { decode($0, maxRoomLength: maxRoomLength, each: each) }
    }

    /// The same over bytes in place.
    package static func decode(
        _ bytes: UnsafeRawBufferPointer, maxRoomLength: Int, each: (Result<DialectMessage, DialectError>) -> Void
    ) {
        guard isArray(bytes) else { return each(decodeObject(bytes, maxRoomLength: maxRoomLength)) }
        var elements: [Range<Int>] = []
        var count = 0
        do {
            try JSONScanner.scanArray(bytes) { element in
                count += 1
                if count <= maxBatch { elements.append(element.range) }
            }
        } catch {
            count = 0
        }
        guard (1...maxBatch).contains(count) else { return each(.failure(DialectError(code: .invalidMessage))) }
        for range in elements {
            let element = UnsafeRawBufferPointer(rebasing: bytes[range])
            var decoded = decodeObject(element, maxRoomLength: maxRoomLength)
            if case .success(var message) = decoded, !message.data.isEmpty {
                let start = message.data.lowerBound + range.lowerBound
                message.data = start..<start + message.data.count
                decoded = .success(message)
            }
            each(decoded)
        }
    }

    private static func isArray(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let first = bytes.first { $0 != 0x20 && $0 != 0x0A && $0 != 0x0D && $0 != 0x09 }
        return first == UInt8(ascii: "[")
    }

    private static func decodeObject(
        _ bytes: UnsafeRawBufferPointer, maxRoomLength: Int
    ) -> Result<DialectMessage, DialectError> {
        guard let fields = V1Fields(bytes) else { return .failure(DialectError(code: .invalidMessage)) }
        guard case .success(let request) = RequestID.read(fields.request, in: bytes) else {
            return .failure(DialectError(code: .invalidMessage))
        }
        let reader = V1Reader(fields: fields, bytes: bytes, maxRoomLength: maxRoomLength, request: request)
        do throws(DialectError) {
            return .success(try reader.message())
        } catch {
            return .failure(error)
        }
    }
}

extension RequestID {
    /// `nil` inside: there is none. Fails for anything but a string or number that is not too long.
    static func read(_ slice: JSONSlice?, in bytes: UnsafeRawBufferPointer) -> Result<RequestID?, DialectError> {
        switch slice?.kind {
        case nil, .null: return .success(nil)
        case .string, .number:
            guard let range = slice?.range, range.count <= RequestID.maxLength else { break }
            return .success(RequestID(json: String(decoding: bytes[range], as: UTF8.self)))
        case .object, .array, .boolean: break
        }
        return .failure(DialectError(code: .invalidMessage))
    }
}

/// Makes a command of the keys of one message.
private struct V1Reader {
    let fields: V1Fields
    let bytes: UnsafeRawBufferPointer
    let maxRoomLength: Int
    let request: RequestID?

    func message() throws(DialectError) -> DialectMessage {
        guard let type = fields.type, type.kind == .string else { throw refusal(.invalidMessage) }
        func named(_ name: StaticString) -> Bool { JSONString.equals(type, in: bytes, name) }
        if named("publish") {
            let command = ClientCommand.publish(try room(), messageID: try messageID())
            return DialectMessage(command: command, request: request, data: try data())
        }
        if named("join") { return plain(.join(try room(), try joinOptions())) }
        if named("leave") { return plain(.leave(try room())) }
        if named("typing") { return plain(.typing(try room(), try boolean(fields.typing) ?? true)) }
        if named("read") { return plain(.read(try room(), offset: try offset(fields.offset))) }
        if named("send") {
            let command = ClientCommand.direct(try user(), messageID: try messageID())
            return DialectMessage(command: command, request: request, data: try data())
        }
        if named("broadcast") { return DialectMessage(command: .broadcast, request: request, data: try data()) }
        if named("ping") { return plain(.ping) }
        if named("auth") { return plain(.authenticate(token: try token())) }
        if named("history") { return plain(.history(try room(), try historyQuery())) }
        if named("presence") { return plain(.presence(try room(), countOnly: false)) }
        if named("presenceCount") { return plain(.presence(try room(), countOnly: true)) }
        return try call(type)
    }

    private func call(_ type: JSONSlice) throws(DialectError) -> DialectMessage {
        guard request != nil, let name = JSONField.text(type, maxBytes: V1Dialect.maxTypeLength, in: bytes) else {
            throw refusal(.unknownType)
        }
        var timeout: Duration?
        if let slice = fields.timeout {
            guard let milliseconds = JSONField.unsigned(slice, in: bytes) else { throw refusal(.invalidMessage) }
            timeout = .milliseconds(Int64(min(milliseconds, UInt64(V1Dialect.maxTimeout.milliseconds))))
        }
        return DialectMessage(
            command: .call(type: name, timeout: timeout), request: request, data: fields.data?.range ?? 0..<0)
    }

    private func plain(_ command: ClientCommand) -> DialectMessage {
        DialectMessage(command: command, request: request, data: 0..<0)
    }

    private func refusal(_ code: ClientErrorCode) -> DialectError { DialectError(code: code, request: request) }
}

// MARK: - Values

extension V1Reader {
    private func room() throws(DialectError) -> RoomName {
        guard let text = JSONField.text(fields.room, maxBytes: maxRoomLength, in: bytes) else {
            throw refusal(.invalidRoom)
        }
        return RoomName(text)
    }

    private func data() throws(DialectError) -> Range<Int> {
        guard let data = fields.data else { throw refusal(.missingData) }
        return data.range
    }

    private func messageID() throws(DialectError) -> MessageID? {
        guard let slice = fields.messageID else { return nil }
        guard let text = JSONField.text(slice, maxBytes: MessageID.maxLength, in: bytes) else {
            throw refusal(.invalidMessageID)
        }
        return MessageID(text)
    }

    private func user() throws(DialectError) -> UserName {
        guard let text = JSONField.text(fields.user, maxBytes: UserName.maxLength, in: bytes) else {
            throw refusal(.invalidUser)
        }
        return UserName(text)
    }

    private func token() throws(DialectError) -> String {
        guard let text = JSONField.text(fields.token, maxBytes: V1Dialect.maxTokenLength, in: bytes) else {
            throw refusal(.invalidToken)
        }
        return text
    }

    private func boolean(_ slice: JSONSlice?) throws(DialectError) -> Bool? {
        guard let slice else { return nil }
        guard let value = JSONField.boolean(slice, in: bytes) else { throw refusal(.invalidMessage) }
        return value
    }

    private func offset(_ slice: JSONSlice?) throws(DialectError) -> UInt64 {
        guard let slice, let offset = JSONField.unsigned(slice, in: bytes) else { throw refusal(.invalidPosition) }
        return offset
    }

    private func historyQuery() throws(DialectError) -> HistoryQuery {
        var query = HistoryQuery()
        if let from = fields.from { query.from = try offset(from) }
        if let limit = fields.limit {
            guard let value = JSONField.unsigned(limit, in: bytes) else { throw refusal(.invalidMessage) }
            query.limit = Int(min(value, UInt64(HistoryQuery.maxLimit)))
        }
        query.reverse = try boolean(fields.reverse) ?? false
        return query
    }

    private func joinOptions() throws(DialectError) -> JoinOptions {
        var options = JoinOptions()
        if let since = fields.since { options.since = try position(since) }
        // One that is no session has the effect of one that is not known: none.
        if let session = fields.session, let text = JSONString.text(session, in: bytes) {
            options.session = SessionID(text)
        }
        options.presence = try boolean(fields.presence) ?? false
        return options
    }

    /// `{"epoch":"…","offset":…}`.
    private func position(_ slice: JSONSlice) throws(DialectError) -> RoomPosition {
        guard slice.kind == .object else { throw refusal(.invalidPosition) }
        let object = UnsafeRawBufferPointer(rebasing: bytes[slice.range])
        var epoch: JSONSlice?
        var offset: JSONSlice?
        try? JSONScanner.scanObject(object) { key, value in
            if JSONString.equals(key, in: object, "epoch") { epoch = value }
            if JSONString.equals(key, in: object, "offset") { offset = value }
        }
        guard let epoch, let offset, let text = JSONString.text(epoch, in: object), let life = RoomEpoch(text),
            let number = JSONField.unsigned(offset, in: object)
        else { throw refusal(.invalidPosition) }
        return RoomPosition(epoch: life, offset: number)
    }
}
