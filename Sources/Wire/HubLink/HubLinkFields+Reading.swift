internal import Model
internal import NIOCore

/// The counterpart of writing; `nil`: the bytes are not such a value.
extension ByteBuffer {
    @inline(__always)
    mutating func read<T: FixedWidthInteger>(_ type: T.Type = T.self) -> T? {
        readInteger(endianness: .little, as: type)
    }

    mutating func readName() -> String? {
        guard let length = read(UInt16.self) else { return nil }
        return readString(length: Int(length))
    }

    mutating func readLongText() -> String? {
        guard let length = read(UInt32.self) else { return nil }
        return readString(length: Int(length))
    }

    mutating func readRoom() -> RoomName? { readName().map { RoomName($0) } }

    mutating func readUser() -> UserName? { readName().map { UserName($0) } }

    mutating func readMessageID() -> MessageID? { readName().map { MessageID($0) } }

    /// `bits`: how many are in use; others must be 0.
    mutating func readFlags(_ bits: Int) -> HubLinkFlags? {
        guard let value = read(UInt8.self), bits >= 8 || value >> UInt8(bits) == 0 else { return nil }
        return HubLinkFlags(value: value)
    }

    mutating func readPosition() -> RoomPosition? {
        guard let (epoch, offset) = readMultipleIntegers(endianness: .little, as: (UInt64, UInt64).self) else {
            return nil
        }
        return RoomPosition(epoch: RoomEpoch(rawValue: epoch), offset: offset)
    }

    mutating func readClient() -> ClientID? {
        guard let (boot, serial) = readMultipleIntegers(endianness: .little, as: (UInt64, UInt64).self) else {
            return nil
        }
        return ClientID(boot: BootID(rawValue: boot), serial: serial)
    }

    /// Reads a value that stands only where its flag does; the outer `nil`: it does and is broken.
    mutating func readOptional<T>(_ isThere: Bool, _ read: (inout ByteBuffer) -> T?) -> T?? {
        guard isThere else { return .some(nil) }
        return read(&self).map { .some($0) }
    }

    /// A list behind its `u32` count. `least`: bytes of the shortest element; no more room is made than the bytes can fill.
    mutating func readList<T>(least: Int, _ element: (inout ByteBuffer) -> T?) -> [T]? {
        guard let count = read(UInt32.self), Int(count) <= readableBytes / least else { return nil }
        var list: [T] = []
        list.reserveCapacity(Int(count))
        for _ in 0..<count {
            guard let next = element(&self) else { return nil }
            list.append(next)
        }
        return list
    }

    mutating func readRegistration() -> ClientRegistration? {
        guard let session = read(UInt64.self), let flags = readFlags(3),
            let user = readOptional(flags[0], { $0.readUser() }),
            let info = readOptional(flags[1], { $0.readLongText() }), let address = readName(), let origin = readName()
        else { return nil }
        var registration = ClientRegistration(
            session: SessionID(rawValue: session), user: user, info: info, addressKey: address, origin: origin)
        registration.mayReturn = flags[2]
        return registration
    }
}

/// The bits of one byte, the lowest first.
struct HubLinkFlags {
    var value: UInt8

    subscript(_ bit: Int) -> Bool { value >> UInt8(truncatingIfNeeded: bit) & 1 == 1 }
}

// MARK: - Operations

extension ByteBuffer {
    /// What is left is the payload.
    mutating func readOperation() -> HubOperation? {
        guard
            let (sequence, client, published, wantsReply, code) = readMultipleIntegers(
                endianness: .little, as: (UInt64, UInt64, Int64, UInt8, UInt8).self),
            wantsReply <= 1, let kind = HubRequestCode(rawValue: code), let request = readRequest(kind)
        else { return nil }
        var operation = HubOperation(sequence: sequence, client: client, request: request)
        operation.wantsReply = wantsReply == 1
        operation.publishedAt = MonotonicTime(nanoseconds: published)
        return operation
    }

    private mutating func readRequest(_ kind: HubRequestCode) -> HubRequest? {
        switch kind {
        case .join: return readJoin()
        case .leave: return readRoom().map { .leave($0) }
        case .publish:
            guard let flags = readFlags(2), let room = readRoom(),
                let messageID = readOptional(flags[1], { $0.readMessageID() })
            else { return nil }
            return .publish(room, messageID, includesSender: flags[0])
        case .broadcast: return .broadcast
        case .direct:
            guard let user = readUser(), let flags = readFlags(1),
                let messageID = readOptional(flags[0], { $0.readMessageID() })
            else { return nil }
            return .direct(user, messageID)
        case .confirm: return .confirm
        case .connect: return readRegistration().map { .connect($0) }
        case .identify: return readRegistration().map { .identify($0) }
        case .disconnect: return readFlags(1).map { .disconnect(mayReturn: $0[0]) }
        case .history:
            guard let room = readRoom(), let flags = readFlags(2),
                let from = readOptional(flags[0], { $0.read(UInt64.self) }), let limit = read(UInt32.self)
            else { return nil }
            var query = HistoryQuery()
            query.from = from
            query.limit = Int(limit)
            query.reverse = flags[1]
            return .history(room, query)
        case .presence:
            guard let room = readRoom(), let flags = readFlags(1) else { return nil }
            return .presence(room, countOnly: flags[0])
        case .typing:
            guard let room = readRoom(), let flags = readFlags(1) else { return nil }
            return .typing(room, flags[0])
        case .read:
            guard let room = readRoom(), let offset = read(UInt64.self) else { return nil }
            return .read(room, offset: offset)
        case .backend: return .backend
        }
    }

    private mutating func readJoin() -> HubRequest? {
        guard let room = readRoom(), let flags = readFlags(4),
            let since = readOptional(flags[0], { $0.readPosition() }),
            let session = readOptional(flags[1], { $0.read(UInt64.self) })
        else { return nil }
        var options = JoinOptions()
        options.since = since
        options.session = session.map { SessionID(rawValue: $0) }
        options.presence = flags[2]
        options.isPlain = flags[3]
        return .join(room, options)
    }
}

// MARK: - What the hub tells

extension ByteBuffer {
    /// What is left is the payload.
    mutating func readDelivery() -> HubDelivery? {
        guard
            let (origin, sequence, code, bits, boot, serial, time, published) = readMultipleIntegers(
                endianness: .little, as: (UInt64, UInt64, UInt8, UInt8, UInt64, UInt64, Int64, Int64).self),
            let kind = HubDeliveryKind(rawValue: code), bits < 32, let room = readRoom()
        else { return nil }
        let flags = HubLinkFlags(value: bits)
        guard let user = readOptional(flags[1], { $0.readUser() }),
            let position = readOptional(flags[2], { $0.readPosition() }),
            let messageID = readOptional(flags[3], { $0.readMessageID() }),
            let offset = readOptional(flags[4], { $0.read(UInt64.self) })
        else { return nil }
        var delivery = HubDelivery(
            origin: BootID(rawValue: origin), sequence: sequence, kind: kind,
            subject: ClientID(boot: BootID(rawValue: boot), serial: serial), room: room)
        delivery.includesSubject = flags[0]
        delivery.user = user
        delivery.position = position
        delivery.messageID = messageID
        delivery.offset = offset ?? 0
        delivery.time = time
        delivery.publishedAt = MonotonicTime(nanoseconds: published)
        return delivery
    }

    mutating func readReply() -> HubReply? {
        guard let code = read(UInt8.self), let kind = HubReplyCode(rawValue: code) else { return nil }
        switch kind {
        case .refused:
            guard let code = readName().flatMap({ ClientErrorCode(rawValue: $0) }), let flags = readFlags(2),
                let message = readOptional(flags[0], { $0.readLongText() }),
                let retryAfter = readOptional(flags[1], { $0.read(Int64.self) })
            else { return nil }
            return .refused(
                ClientRefusal(code, message: message, retryAfter: retryAfter.map { .nanoseconds($0) }))
        case .published:
            guard let flags = readFlags(2), let position = readOptional(flags[0], { $0.readPosition() }) else {
                return nil
            }
            return .published(position: position, isRepetition: flags[1])
        case .joined: return readJoinResult().map { .joined($0) }
        case .history:
            guard let room = readRoom(), let position = readPosition(), let flags = readFlags(1),
                let entries = readEntries()
            else { return nil }
            return .history(HistoryPage(room: room, position: position, entries: entries, hasMore: flags[0]))
        case .presence:
            guard let flags = readFlags(1), let members = read(UInt32.self),
                let clients = readOptional(flags[0], { $0.readPresence() })
            else { return nil }
            return .presence(members: Int(members), clients: clients)
        case .admitted: return .admitted
        case .rejected:
            guard let code = read(UInt16.self), let reason = readName() else { return nil }
            return .rejected(CloseCode(rawValue: code), reason: reason)
        case .backend: return .backend(readBytes(length: readableBytes) ?? [])
        }
    }

    private mutating func readJoinResult() -> JoinResult? {
        guard let room = readRoom(), let flags = readFlags(5),
            let position = readOptional(flags[0], { $0.readPosition() }),
            let failure = readOptional(flags[1] && !flags[2], { $0.readName() }), let members = read(UInt32.self),
            let missed = readEntries(), let presence = readOptional(flags[4], { $0.readPresence() })
        else { return nil }
        var result = JoinResult(room: room)
        if let failure {
            guard let reason = RecoveryFailure(rawValue: failure) else { return nil }
            result.recovery = .failed(reason)
        } else if flags[1] {
            result.recovery = .recovered
        } else if flags[2] {
            return nil
        }
        result.position = position
        result.missed = missed
        result.isPartial = flags[3]
        result.members = Int(members)
        result.presence = presence
        return result
    }

    private mutating func readEntries() -> [HistoryEntry]? { readList(least: 37) { $0.readEntry() } }

    mutating func readEntry() -> HistoryEntry? {
        guard let (offset, time) = readMultipleIntegers(endianness: .little, as: (UInt64, Int64).self),
            let subject = readClient(), let flags = readFlags(2), let user = readOptional(flags[0], { $0.readUser() }),
            let messageID = readOptional(flags[1], { $0.readMessageID() }), let length = read(UInt32.self),
            let data = readBytes(length: Int(length))
        else { return nil }
        return HistoryEntry(offset: offset, time: time, subject: subject, user: user, messageID: messageID, data: data)
    }

    private mutating func readPresence() -> [PresenceEntry]? {
        readList(least: 17) {
            guard let client = $0.readClient(), let flags = $0.readFlags(2),
                let user = $0.readOptional(flags[0], { $0.readUser() }),
                let info = $0.readOptional(flags[1], { $0.readLongText() })
            else { return nil }
            return PresenceEntry(client: client, user: user, info: info)
        }
    }

    mutating func readCommand() -> HubCommand? {
        guard let code = read(UInt8.self), let kind = HubCommandCode(rawValue: code) else { return nil }
        switch kind {
        case .close:
            guard let client = read(UInt64.self), let reason = readName(), let code = read(UInt16.self) else {
                return nil
            }
            return .close(client: client, CloseCode(rawValue: code), reason: reason)
        case .subscribe:
            guard let client = read(UInt64.self), let room = readRoom() else { return nil }
            return .subscribe(client: client, room)
        case .unsubscribe:
            guard let client = read(UInt64.self), let room = readRoom() else { return nil }
            return .unsubscribe(client: client, room)
        case .roomEmpty: return readRoom().map { .roomEmpty($0) }
        case .membersMissed: return readRoom().map { .membersMissed($0) }
        }
    }
}
