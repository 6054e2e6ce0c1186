internal import Model
package import NIOCore

/// The HTTP face of the backend's API, the same on the public port and on the control socket.
package enum BackendHTTP {
    /// What a call asks for.
    ///
    /// - Parameters:
    ///   - path: behind `<prefix>api/v1/`, still percent-encoded (a room's name may hold a slash), without the query.
    ///   - query: behind `?`, still percent-encoded; `nil`: none. A parameter that the call does not know is refused.
    ///   - idempotencyKey: value of the header `Idempotency-Key`: the `messageId` of a message that has none of its own;
    ///     entry `n` of a batch gets `KEY:n`.
    ///   - maxRoomLength: `rooms.maxNameLength`, bytes.
    package static func decode(
        method: String, path: String, query: String?, idempotencyKey: String?, body: ByteBuffer, maxRoomLength: Int
    ) -> Result<BackendRequest, BackendError> {
        do throws(BackendError) {
            let route = try BackendRoute(method: method, path: path, query: query ?? "")
            let request: BackendRequest
            if method == "POST" {
                request = try decode(route, body, maxRoomLength: maxRoomLength)
            } else {
                let none = UnsafeRawBufferPointer(start: nil, count: 0)
                request = try route.arguments.request(route.type, maxRoomLength: maxRoomLength, in: none)
            }
            guard let key = idempotencyKey else { return .success(request) }
            return .success(try request.named(key))
        } catch {
            return .failure(error)
        }
    }

    private static func decode(
        _ route: BackendRoute, _ body: ByteBuffer, maxRoomLength: Int
    ) throws(BackendError) -> BackendRequest {
        guard String(validating: body.readableBytesView, as: UTF8.self) != nil else {
            throw .invalid("The body is not UTF-8")
        }
        let body = body.readableBytes == 0 ? ByteBuffer(string: "{}") : body
        let result = body.withUnsafeReadableBytes { bytes -> Result<BackendRequest, BackendError> in
            do throws(BackendError) {
                var arguments = try BackendArguments(bytes)
                arguments.override(by: route.arguments)
                return .success(try arguments.request(route.type, maxRoomLength: maxRoomLength, in: bytes))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    /// Status and body (`application/json`) of the response.
    package static func encode(_ response: BackendResponse) -> (status: Int, body: ByteBuffer) {
        switch response {
        case .failure(let error): (error.code.status, response.encoded())
        case .encoded(let text): (status(of: text), response.encoded())
        case .published, .publishedMany, .clients, .presence, .presenceCount, .history, .historyRemoved, .rooms, .info,
            .batch:
            (200, response.encoded())
        }
    }

    /// An error's own status, otherwise 200.
    private static func status(of text: JSONText) -> Int {
        text.bytes.withUnsafeBytes { bytes in
            guard let error = member("error", of: bytes), error.kind == .object else { return 200 }
            let object = UnsafeRawBufferPointer(rebasing: bytes[error.range])
            let code = member("code", of: object).flatMap { JSONString.text($0, in: object) }
            return code.flatMap { BackendErrorCode(rawValue: $0) }?.status ?? 500
        }
    }

    private static func member(_ name: StaticString, of bytes: UnsafeRawBufferPointer) -> JSONSlice? {
        var found: JSONSlice?
        do {
            try JSONScanner.scanObject(bytes) { key, value in
                if JSONString.equals(key, in: bytes, name) { found = value }
            }
        } catch {
            return nil
        }
        return found
    }
}

extension BackendRequest {
    /// With the name of a request given to the messages in it that have none.
    fileprivate func named(_ key: String) throws(BackendError) -> BackendRequest {
        guard (1...MessageID.maxLength).contains(key.utf8.count) else {
            throw .invalid(
                "An Idempotency-Key is 1 to \(MessageID.maxLength) bytes long, with `:` and number in a batch")
        }
        func named(_ message: BackendMessage) -> BackendMessage {
            var message = message
            message.messageID = message.messageID ?? MessageID(key)
            return message
        }
        switch self {
        case .publish(let room, let message): return .publish(room, named(message))
        case .publishMany(let rooms, let message): return .publishMany(rooms, named(message))
        case .broadcast(let message): return .broadcast(named(message))
        case .sendToUser(let user, let message): return .sendToUser(user, named(message))
        case .batch(let requests):
            var entries: [BackendRequest] = []
            entries.reserveCapacity(requests.count)
            for (index, entry) in requests.enumerated() { entries.append(try entry.named("\(key):\(index)")) }
            return .batch(entries)
        case .presence, .presenceCount, .history, .removeHistory, .disconnectUser, .disconnectClient, .subscribe,
            .unsubscribe, .rooms, .info:
            return self
        }
    }
}
