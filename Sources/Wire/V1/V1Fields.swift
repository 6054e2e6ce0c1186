/// The keys of a client's message that the dialect looks at. Of a key given twice the last counts; `null` says the same as
/// leaving a key out, but for `data`.
struct V1Fields {
    private(set) var type: JSONSlice?
    private(set) var request: JSONSlice?
    private(set) var room: JSONSlice?
    private(set) var data: JSONSlice?
    private(set) var messageID: JSONSlice?
    private(set) var token: JSONSlice?
    private(set) var since: JSONSlice?
    private(set) var session: JSONSlice?
    private(set) var presence: JSONSlice?
    private(set) var user: JSONSlice?
    private(set) var from: JSONSlice?
    private(set) var limit: JSONSlice?
    private(set) var reverse: JSONSlice?
    private(set) var typing: JSONSlice?
    private(set) var offset: JSONSlice?
    private(set) var timeout: JSONSlice?

    /// `nil` where the text is no JSON object.
    init?(_ bytes: UnsafeRawBufferPointer) {
        var found = V1Fields()
        do {
            try JSONScanner.scanObject(bytes) { key, value in
                if let key = Key(key, in: bytes) { found.set(key, value) }
            }
        } catch {
            return nil
        }
        self = found
    }

    private init() {}

    private mutating func set(_ key: Key, _ slice: JSONSlice) {
        let value = JSONField.present(slice)
        switch key {
        case .type: type = value
        case .requestId: request = value
        case .room: room = value
        case .data: data = slice
        case .messageId: messageID = value
        case .token: token = value
        case .since: since = value
        case .session: session = value
        case .presence: presence = value
        case .user: user = value
        case .from: from = value
        case .limit: limit = value
        case .reverse: reverse = value
        case .typing: typing = value
        case .offset: offset = value
        case .timeout: timeout = value
        }
    }

    private enum Key: String {
        case type, requestId, room, data, messageId, token, since, session, presence, user, from, limit, reverse, typing
        case offset, timeout

        init?(_ key: JSONSlice, in bytes: UnsafeRawBufferPointer) {
            if key.hasEscapes {
                guard let text = JSONString.text(key, in: bytes) else { return nil }
                self.init(rawValue: text)
                return
            }
            func named(_ name: StaticString) -> Bool { JSONString.equals(key, in: bytes, name) }
            // By length first: this is done for each key of each message.
            switch key.range.count - 2 {
            case 4:
                if named("type") {
                    self = .type
                } else if named("room") {
                    self = .room
                } else if named("data") {
                    self = .data
                } else if named("user") {
                    self = .user
                } else if named("from") {
                    self = .from
                } else {
                    return nil
                }
            case 5:
                if named("token") {
                    self = .token
                } else if named("since") {
                    self = .since
                } else if named("limit") {
                    self = .limit
                } else {
                    return nil
                }
            case 6:
                if named("typing") {
                    self = .typing
                } else if named("offset") {
                    self = .offset
                } else {
                    return nil
                }
            case 7:
                if named("session") {
                    self = .session
                } else if named("reverse") {
                    self = .reverse
                } else if named("timeout") {
                    self = .timeout
                } else {
                    return nil
                }
            case 8:
                if named("presence") {
                    self = .presence
                } else {
                    return nil
                }
            case 9:
                if named("requestId") {
                    self = .requestId
                } else if named("messageId") {
                    self = .messageId
                } else {
                    return nil
                }
            default: return nil
            }
        }
    }
}
