internal import Model
internal import NIOCore

/// Fields of the hub link's frames. Optional ones stand behind a bit of the frame's or value's flags.
extension ByteBuffer {
    mutating func writeName(_ text: String) {
        writeText(text[...], maxBytes: Int(UInt16.max)) { buffer, count in
            buffer.writeInteger(UInt16(truncatingIfNeeded: count), endianness: .little)
        }
    }

    /// JSON or words of any length.
    mutating func writeLongText(_ text: String) {
        writeText(text[...], maxBytes: Int(UInt32.max)) { buffer, count in
            buffer.writeInteger(UInt32(truncatingIfNeeded: count), endianness: .little)
        }
    }

    private mutating func writeText(
        _ text: Substring, maxBytes: Int, length: (inout ByteBuffer, Int) -> Void
    ) {
        let bytes = text.utf8
        let count = min(bytes.count, maxBytes)
        length(&self, count)
        if count == bytes.count {
            writeSubstring(text)
        } else {
            writeBytes(bytes.prefix(count))
        }
    }

    mutating func writeFlags(_ flags: Bool...) {
        var bits: UInt8 = 0
        for (index, flag) in flags.enumerated() where flag { bits |= 1 << UInt8(index) }
        writeInteger(bits)
    }

    mutating func writePosition(_ position: RoomPosition) {
        writeMultipleIntegers(position.epoch.rawValue, position.offset, endianness: .little)
    }

    mutating func writeRegistration(_ registration: ClientRegistration) {
        writeInteger(registration.session.rawValue, endianness: .little)
        writeFlags(registration.user != nil, registration.info != nil, registration.mayReturn)
        if let user = registration.user { writeName(user.text) }
        if let info = registration.info { writeLongText(info) }
        writeName(registration.addressKey)
        writeName(registration.origin)
    }
}

// MARK: - Operations

extension ByteBuffer {
    mutating func writeRequest(_ request: HubRequest) {
        switch request {
        case .join(let room, let options): writeJoin(room, options)
        case .leave(let room): writeCode(.leave, room.text)
        case .publish(let room, let messageID, let includesSender):
            writeAtOnce(space: 2 + ByteCursor.nameRoom(room.text) + ByteCursor.nameRoom(messageID?.text)) {
                $0.putPublish(room, messageID, includesSender: includesSender)
            }
        case .broadcast: writeInteger(HubRequestCode.broadcast.rawValue)
        case .direct(let user, let messageID):
            writeCode(.direct, user.text)
            writeFlags(messageID != nil)
            if let messageID { writeName(messageID.text) }
        case .confirm: writeInteger(HubRequestCode.confirm.rawValue)
        case .connect(let registration):
            writeInteger(HubRequestCode.connect.rawValue)
            writeRegistration(registration)
        case .identify(let registration):
            writeInteger(HubRequestCode.identify.rawValue)
            writeRegistration(registration)
        case .disconnect(let mayReturn):
            writeInteger(HubRequestCode.disconnect.rawValue)
            writeFlags(mayReturn)
        case .history(let room, let query):
            writeCode(.history, room.text)
            writeFlags(query.from != nil, query.reverse)
            if let from = query.from { writeInteger(from, endianness: .little) }
            writeInteger(UInt32(clamping: query.limit), endianness: .little)
        case .presence(let room, let countOnly):
            writeCode(.presence, room.text)
            writeFlags(countOnly)
        case .typing(let room, let isTyping):
            writeCode(.typing, room.text)
            writeFlags(isTyping)
        case .read(let room, let offset):
            writeCode(.read, room.text)
            writeInteger(offset, endianness: .little)
        case .backend: writeInteger(HubRequestCode.backend.rawValue)
        }
    }

    private mutating func writeCode(_ code: HubRequestCode, _ name: String) {
        writeInteger(code.rawValue)
        writeName(name)
    }

    private mutating func writeJoin(_ room: RoomName, _ options: JoinOptions) {
        writeCode(.join, room.text)
        writeFlags(options.since != nil, options.session != nil, options.presence, options.isPlain)
        if let since = options.since { writePosition(since) }
        if let session = options.session { writeInteger(session.rawValue, endianness: .little) }
    }
}

// MARK: - What the hub tells

extension ByteBuffer {
    mutating func writeReply(_ reply: HubReply) {
        switch reply {
        case .refused(let refusal):
            writeInteger(HubReplyCode.refused.rawValue)
            writeName(refusal.code.rawValue)
            writeFlags(refusal.message != nil, refusal.retryAfter != nil)
            if let message = refusal.message { writeLongText(message) }
            if let retryAfter = refusal.retryAfter { writeInteger(retryAfter.nanoseconds, endianness: .little) }
        case .published(let position, let isRepetition):
            writeInteger(HubReplyCode.published.rawValue)
            writeFlags(position != nil, isRepetition)
            if let position { writePosition(position) }
        case .joined(let result):
            writeInteger(HubReplyCode.joined.rawValue)
            writeJoinResult(result)
        case .history(let page):
            writeInteger(HubReplyCode.history.rawValue)
            writeName(page.room.text)
            writePosition(page.position)
            writeFlags(page.hasMore)
            writeEntries(page.entries)
        case .presence(let members, let clients):
            writeInteger(HubReplyCode.presence.rawValue)
            writeFlags(clients != nil)
            writeInteger(UInt32(clamping: members), endianness: .little)
            if let clients { writePresence(clients) }
        case .admitted: writeInteger(HubReplyCode.admitted.rawValue)
        case .rejected(let code, let reason):
            writeMultipleIntegers(HubReplyCode.rejected.rawValue, code.rawValue, endianness: .little)
            writeName(reason)
        case .backend(let json):
            writeInteger(HubReplyCode.backend.rawValue)
            writeBytes(json)
        }
    }

    private mutating func writeJoinResult(_ result: JoinResult) {
        writeName(result.room.text)
        writeFlags(
            result.position != nil, result.recovery != .notAsked, result.recovery == .recovered, result.isPartial,
            result.presence != nil)
        if let position = result.position { writePosition(position) }
        if case .failed(let failure) = result.recovery { writeName(failure.rawValue) }
        writeInteger(UInt32(clamping: result.members), endianness: .little)
        writeEntries(result.missed)
        if let presence = result.presence { writePresence(presence) }
    }

    private mutating func writeEntries(_ entries: [HistoryEntry]) {
        writeInteger(UInt32(clamping: entries.count), endianness: .little)
        for entry in entries { writeEntry(entry) }
    }

    mutating func writeEntry(_ entry: HistoryEntry) {
        writeMultipleIntegers(
            entry.offset, entry.time, entry.subject.boot.rawValue, entry.subject.serial, endianness: .little)
        writeFlags(entry.user != nil, entry.messageID != nil)
        if let user = entry.user { writeName(user.text) }
        if let messageID = entry.messageID { writeName(messageID.text) }
        writeInteger(UInt32(clamping: entry.data.count), endianness: .little)
        writeBytes(entry.data)
    }

    private mutating func writePresence(_ clients: [PresenceEntry]) {
        writeInteger(UInt32(clamping: clients.count), endianness: .little)
        for entry in clients {
            writeMultipleIntegers(entry.client.boot.rawValue, entry.client.serial, endianness: .little)
            writeFlags(entry.user != nil, entry.info != nil)
            if let user = entry.user { writeName(user.text) }
            if let info = entry.info { writeLongText(info) }
        }
    }

    mutating func writeCommand(_ command: HubCommand) {
        func write(_ code: HubCommandCode, _ client: UInt64?, _ text: String) {
            writeInteger(code.rawValue)
            if let client { writeInteger(client, endianness: .little) }
            writeName(text)
        }
        switch command {
        case .close(let client, let code, let reason):
            write(.close, client, reason)
            writeInteger(code.rawValue, endianness: .little)
        case .subscribe(let client, let room): write(.subscribe, client, room.text)
        case .unsubscribe(let client, let room): write(.unsubscribe, client, room.text)
        case .roomEmpty(let room): write(.roomEmpty, nil, room.text)
        case .membersMissed(let room): write(.membersMissed, nil, room.text)
        }
    }
}

// MARK: - In one piece

extension ByteCursor {
    /// What every operation begins with; 25 bytes.
    mutating func putHead(_ operation: borrowing HubOperation) {
        putInteger(operation.sequence)
        putInteger(operation.client)
        putInteger(operation.publishedAt.nanoseconds)
        putInteger(UInt8(operation.wantsReply ? 1 : 0))
    }

    /// 2 bytes besides the names.
    mutating func putPublish(_ room: RoomName, _ messageID: MessageID?, includesSender: Bool) {
        putInteger(HubRequestCode.publish.rawValue)
        putInteger(UInt8(includesSender ? 1 : 0) | (messageID == nil ? 0 : 2))
        putName(room.text)
        if let messageID { putName(messageID.text) }
    }

    /// At most 74 bytes besides the names.
    mutating func putDelivery(_ delivery: borrowing HubDelivery) {
        var flags: UInt8 = delivery.includesSubject ? 1 : 0
        if delivery.user != nil { flags |= 2 }
        if delivery.position != nil { flags |= 4 }
        if delivery.messageID != nil { flags |= 8 }
        if delivery.offset != 0 { flags |= 16 }
        putInteger(delivery.origin.rawValue)
        putInteger(delivery.sequence)
        putInteger(delivery.kind.rawValue)
        putInteger(flags)
        putInteger(delivery.subject.boot.rawValue)
        putInteger(delivery.subject.serial)
        putInteger(delivery.time)
        putInteger(delivery.publishedAt.nanoseconds)
        putName(delivery.room.text)
        if let user = delivery.user { putName(user.text) }
        if let position = delivery.position {
            putInteger(position.epoch.rawValue)
            putInteger(position.offset)
        }
        if let messageID = delivery.messageID { putName(messageID.text) }
        if delivery.offset != 0 { putInteger(delivery.offset) }
    }
}
