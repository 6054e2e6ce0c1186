internal import Model
internal import NIOCore

/// What a call of the backend's API says, wherever it stood: in the body, the path or the query.
struct BackendArguments {
    var type: String?
    var room: String?
    var rooms: [String]?
    var data: JSONText?
    var messageID: String?
    var user: String?
    var sender: String?
    var client: String?
    var code: UInt64?
    var reason: String?
    var prefix: String?
    var limit: UInt64?
    var from: UInt64?
    var reverse: Bool?
    /// Texts of the entries of a batch.
    var requests: [JSONSlice]?

    init() {}

    /// The keys of one JSON object; unknown ones are ignored, `null` (but for `data`) says the same as leaving a key out.
    init(_ bytes: UnsafeRawBufferPointer) throws(BackendError) {
        var pairs: [(JSONSlice, JSONSlice)] = []
        do throws(JSONError) {
            try JSONScanner.scanObject(bytes) { pairs.append(($0, $1)) }
        } catch {
            switch error {
            case .invalid(let offset): throw .invalid("The JSON is broken at byte \(offset)")
            case .tooDeep: throw .invalid("The JSON is nested deeper than \(JSONScanner.maxDepth)")
            case .notAnObject, .notAnArray: throw .invalid("A call is a JSON object")
            }
        }
        for (key, value) in pairs {
            guard let name = JSONString.text(key, in: bytes), name == "data" || value.kind != .null else { continue }
            try set(name, value, bytes)
        }
    }

    private mutating func set(
        _ name: String, _ value: JSONSlice, _ bytes: UnsafeRawBufferPointer
    ) throws(BackendError) {
        func text() throws(BackendError) -> String {
            guard let text = JSONString.text(value, in: bytes) else { throw .invalid("`\(name)` must be a string") }
            return text
        }
        func number() throws(BackendError) -> UInt64 {
            guard let number = JSONField.unsigned(value, in: bytes) else {
                throw .invalid("`\(name)` must be a whole number, 0 or more")
            }
            return number
        }
        switch name {
        case "type": type = try text()
        case "room": room = try text()
        case "data": data = JSONText(unchecked: UnsafeRawBufferPointer(rebasing: bytes[value.range]))
        case "messageId": messageID = try text()
        case "user": user = try text()
        case "sender": sender = try text()
        case "client": client = try text()
        case "code": code = try number()
        case "reason": reason = try text()
        case "prefix": prefix = try text()
        case "limit": limit = try number()
        case "from": from = try number()
        case "reverse":
            guard let flag = JSONField.boolean(value, in: bytes) else {
                throw .invalid("`reverse` must be true or false")
            }
            reverse = flag
        case "rooms":
            rooms = []
            for element in try Self.elements(name, value, bytes, most: BackendRequest.maxRooms) {
                guard let room = JSONString.text(element, in: bytes) else { throw .invalid("`rooms` holds strings") }
                rooms?.append(room)
            }
        case "requests": requests = try Self.elements(name, value, bytes, most: BackendRequest.maxBatch)
        default: break
        }
    }

    private static func elements(
        _ name: String, _ value: JSONSlice, _ bytes: UnsafeRawBufferPointer, most: Int
    ) throws(BackendError) -> [JSONSlice] {
        var found: [JSONSlice] = []
        var count = 0
        do {
            try JSONScanner.scanArray(UnsafeRawBufferPointer(rebasing: bytes[value.range])) { element in
                count += 1
                guard count <= most else { return }
                var element = element
                let start = element.range.lowerBound + value.range.lowerBound
                element.range = start..<start + element.range.count
                found.append(element)
            }
        } catch {
            throw .invalid("`\(name)` must be an array")
        }
        guard count <= most else { throw .invalid("`\(name)` holds \(count) entries; \(most) is the limit") }
        return found
    }
}

extension BackendError {
    static func invalid(_ message: String) -> BackendError { BackendError(.invalidRequest, message) }
}

// MARK: - The request they make

extension BackendArguments {
    /// - Parameter bytes: what `requests` lies in.
    func request(
        _ type: String, maxRoomLength: Int, in bytes: UnsafeRawBufferPointer, isEntry: Bool = false
    ) throws(BackendError) -> BackendRequest {
        func room() throws(BackendError) -> RoomName { try Self.checked(self.room, maxRoomLength) }
        switch type {
        case "publish": return .publish(try room(), try message(sender: user))
        case "publishMany":
            guard let names = rooms, !names.isEmpty else { throw .invalid("Name at least one room in `rooms`") }
            var checked: [RoomName] = []
            for name in names { checked.append(try Self.checked(name, maxRoomLength)) }
            return .publishMany(checked, try message(sender: user))
        case "broadcast": return .broadcast(try message(sender: user))
        case "send": return .sendToUser(try userName(user, "user"), try message(sender: sender))
        case "presence": return .presence(try room())
        case "presenceCount": return .presenceCount(try room())
        case "history": return .history(try room(), try historyQuery())
        case "removeHistory": return .removeHistory(try room())
        case "disconnect": return try disconnect()
        case "subscribe": return .subscribe(try userName(user, "user"), try room())
        case "unsubscribe": return .unsubscribe(try userName(user, "user"), try room())
        case "rooms":
            let limit = limit ?? 100
            guard (1...UInt64(BackendRequest.maxRooms)).contains(limit) else {
                throw .invalid("`limit` is from 1 to \(BackendRequest.maxRooms)")
            }
            return .rooms(prefix: prefix ?? "", limit: Int(limit))
        case "info": return .info
        case "batch" where !isEntry: return .batch(try entries(maxRoomLength, in: bytes))
        case "batch": throw .invalid("A batch holds no batch")
        default: throw .invalid("`\(type)` is no type of call")
        }
    }

    private func entries(_ maxRoomLength: Int, in bytes: UnsafeRawBufferPointer) throws(BackendError)
        -> [BackendRequest]
    {
        guard let requests else { throw .invalid("Put the calls into the array `requests`") }
        var made: [BackendRequest] = []
        made.reserveCapacity(requests.count)
        for slice in requests {
            do throws(BackendError) {
                let entry = UnsafeRawBufferPointer(rebasing: bytes[slice.range])
                let arguments = try BackendArguments(entry)
                guard let type = arguments.type else { throw .invalid("`type` is missing") }
                made.append(try arguments.request(type, maxRoomLength: maxRoomLength, in: entry, isEntry: true))
            } catch {
                throw .invalid("Entry \(made.count) of the batch: \(error.message)")
            }
        }
        return made
    }

    private static func checked(_ text: String?, _ maxRoomLength: Int) throws(BackendError) -> RoomName {
        guard let text, (1...max(1, maxRoomLength)).contains(text.utf8.count) else {
            throw .invalid("Name a room of 1 to \(maxRoomLength) bytes")
        }
        return RoomName(text)
    }

    private func userName(_ text: String?, _ key: String) throws(BackendError) -> UserName {
        guard let text, (1...UserName.maxLength).contains(text.utf8.count) else {
            throw .invalid("`\(key)` must be a user's name of 1 to \(UserName.maxLength) bytes")
        }
        return UserName(text)
    }

    private func message(sender: String?) throws(BackendError) -> BackendMessage {
        guard let data else { throw .invalid("`data` is missing; `null` would be data") }
        var message = BackendMessage(data: data)
        if let messageID {
            guard (1...MessageID.maxLength).contains(messageID.utf8.count) else {
                throw .invalid("`messageId` is 1 to \(MessageID.maxLength) bytes long")
            }
            message.messageID = MessageID(messageID)
        }
        if let sender { message.sender = try userName(sender, "user") }
        return message
    }

    private func historyQuery() throws(BackendError) -> HistoryQuery {
        var query = HistoryQuery()
        query.from = from
        if let limit {
            guard limit <= UInt64(HistoryQuery.maxLimit) else {
                throw .invalid("`limit` is from 0 to \(HistoryQuery.maxLimit)")
            }
            query.limit = Int(limit)
        }
        query.reverse = reverse ?? false
        return query
    }

    private func disconnect() throws(BackendError) -> BackendRequest {
        var close = BackendClose()
        if let code {
            guard code == 1000 || (3000...4999).contains(code) else {
                throw .invalid("`code` is 1000, or from 3000 to 4999")
            }
            close.code = CloseCode(rawValue: UInt16(code))
        }
        if let reason {
            guard reason.utf8.count <= BackendClose.maxReason else {
                throw .invalid("`reason` is \(BackendClose.maxReason) bytes long at most")
            }
            close.reason = reason
        }
        if let client {
            guard let id = ClientID(client) else { throw .invalid("`\(client)` is no client id") }
            return .disconnectClient(id, close)
        }
        return .disconnectUser(try userName(user, "user"), close)
    }
}
