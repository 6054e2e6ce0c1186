import Model
import NIOCore
import Wire

/// Every case of what the hub link carries, the optional parts absent and present.
enum HubLinkSamples {
    static let position = RoomPosition(epoch: RoomEpoch(rawValue: .max), offset: 42)

    static let registrations: [ClientRegistration] = [
        ClientRegistration(session: SessionID(rawValue: 7), addressKey: "", origin: ""),
        ClientRegistration(
            session: SessionID(rawValue: .max), user: UserName("ada"), info: #"{"name":"Ada ☂"}"#,
            addressKey: "2001:db8::/64", origin: "https://app.example.org"),
    ]

    static var requests: [HubRequest] {
        var full = JoinOptions()
        full.since = position
        full.session = SessionID(rawValue: 3)
        full.presence = true
        var query = HistoryQuery()
        query.from = .max
        query.limit = 0
        query.reverse = true
        return [
            .join(RoomName("räum"), .plain), .join(RoomName("r"), full), .join(RoomName("r"), JoinOptions()),
            .leave(RoomName("r")), .publish(RoomName("r"), nil, includesSender: false),
            .publish(RoomName("r"), MessageID("m-1"), includesSender: true), .broadcast,
            .direct(UserName("ada"), nil), .direct(UserName("ada"), MessageID("m")), .confirm,
            .connect(registrations[0]), .connect(registrations[1]), .identify(registrations[1]),
            .disconnect(mayReturn: false), .disconnect(mayReturn: true), .history(RoomName("r"), HistoryQuery()),
            .history(RoomName("r"), query), .presence(RoomName("r"), countOnly: true),
            .presence(RoomName("r"), countOnly: false), .typing(RoomName("r"), true), .typing(RoomName("r"), false),
            .read(RoomName("r"), offset: .max), .backend,
        ]
    }

    static var deliveries: [HubDelivery] {
        HubDeliveryKind.allCases.flatMap { kind -> [HubDelivery] in
            let bare = HubDelivery(
                origin: BootID(rawValue: .max), sequence: 77, kind: kind,
                subject: ClientID(boot: BootID(rawValue: 5), serial: 6), room: RoomName(""))
            var full = bare
            full.room = RoomName("räum")
            full.user = UserName("ada")
            full.includesSubject = true
            full.position = position
            full.offset = 9
            full.messageID = MessageID("m-1")
            full.time = 1_763_717_000_000
            full.publishedAt = MonotonicTime(nanoseconds: .max)
            return [bare, full]
        }
    }

    static let entries: [HistoryEntry] = [
        HistoryEntry(
            offset: 1, time: 5, subject: ClientID(boot: BootID(rawValue: 0), serial: 0), data: Array("null".utf8)),
        HistoryEntry(
            offset: .max, time: .min, subject: ClientID(boot: BootID(rawValue: .max), serial: .max),
            user: UserName("ada"), messageID: MessageID("m-1"), data: Array(#"{"text":"☂"}"#.utf8)),
    ]

    static let presence: [PresenceEntry] = [
        PresenceEntry(client: ClientID(boot: BootID(rawValue: 1), serial: 2), user: nil, info: nil),
        PresenceEntry(client: ClientID(boot: BootID(rawValue: 1), serial: 3), user: UserName("ada"), info: "{}"),
    ]

    static var replies: [HubReply] {
        let refusals = ClientErrorCode.allCases.map { HubReply.refused(ClientRefusal($0)) }
        var joined: [HubReply] = [.joined(JoinResult(room: RoomName("r")))]
        let recoveries = [JoinResult.Recovery.recovered] + RecoveryFailure.allCases.map { .failed($0) }
        for recovery in recoveries {
            var result = JoinResult(room: RoomName("r"))
            result.position = position
            result.recovery = recovery
            result.missed = entries
            result.isPartial = recovery == .recovered
            result.members = 12
            result.presence = recovery == .recovered ? presence : []
            joined.append(.joined(result))
        }
        return refusals + joined + [
            .refused(ClientRefusal(.refused, message: "Not today \"sir\"", retryAfter: .milliseconds(-400))),
            .published(position: nil, isRepetition: false), .published(position: position, isRepetition: true),
            .history(HistoryPage(room: RoomName("r"), position: position, entries: [], hasMore: false)),
            .history(HistoryPage(room: RoomName("r"), position: position, entries: entries, hasMore: true)),
            .presence(members: 2, clients: nil), .presence(members: 2, clients: presence), .admitted,
            .rejected(.tooManyForUser, reason: "Too many"), .backend([]), .backend(Array("{}".utf8)),
        ]
    }

    static let commands: [HubCommand] = [
        .close(client: 4, .replaced, reason: "replaced by a newer connection"),
        .close(client: 4, .normal, reason: ""), .subscribe(client: .max, RoomName("r")),
        .unsubscribe(client: 1, RoomName("r")), .roomEmpty(RoomName("r")), .membersMissed(RoomName("räum")),
    ]

    static let payload = ByteBuffer(string: "{\"a\":\n1}")

    static var worker: (ByteBuffer, [WorkerFrame]) {
        var buffer = ByteBuffer()
        var frames: [WorkerFrame] = []
        HubLinkEncoder.hello(boot: BootID(rawValue: 1 << 63), slot: 3, into: &buffer)
        frames.append(.hello(version: UInt16(WsdVersion.link), boot: BootID(rawValue: 1 << 63), slot: 3))
        for registration in registrations {
            HubLinkEncoder.client(9, registration, into: &buffer)
            frames.append(.client(9, registration))
        }
        HubLinkEncoder.register(room: RoomName("lobby"), clients: [1, .max, 3], into: &buffer)
        frames.append(.register(room: RoomName("lobby"), clients: [1, .max, 3]))
        HubLinkEncoder.position(room: RoomName("lobby"), position, into: &buffer)
        frames.append(.position(room: RoomName("lobby"), position))
        HubLinkEncoder.snapshotEnd(replayThrough: 41, into: &buffer)
        frames.append(.snapshotEnd(replayThrough: 41))
        for (index, request) in requests.enumerated() {
            var operation = HubOperation(sequence: 42 + UInt64(index), client: .max, request: request)
            operation.wantsReply = index.isMultiple(of: 2)
            operation.publishedAt = MonotonicTime(nanoseconds: Int64(index) - 3)
            let payload = index.isMultiple(of: 3) ? ByteBuffer() : payload
            HubLinkEncoder.operation(operation, payload: payload.readableBytesView, into: &buffer)
            frames.append(.operation(operation, payload: payload))
        }
        return (buffer, frames)
    }

    static var hub: (ByteBuffer, [HubFrame]) {
        var buffer = ByteBuffer()
        var frames: [HubFrame] = []
        HubLinkEncoder.welcome(boot: BootID(rawValue: 8), isLate: true, into: &buffer)
        frames.append(.welcome(version: UInt16(WsdVersion.link), boot: BootID(rawValue: 8), isLate: true))
        HubLinkEncoder.ack(acknowledged: 10, settled: 9, into: &buffer)
        frames.append(.ack(acknowledged: 10, settled: 9))
        for delivery in deliveries {
            HubLinkEncoder.delivery(delivery, payload: payload.readableBytesView, into: &buffer)
            frames.append(.delivery(delivery, payload: payload))
        }
        for (index, reply) in replies.enumerated() {
            HubLinkEncoder.reply(sequence: UInt64(index), reply, into: &buffer)
            frames.append(.reply(sequence: UInt64(index), reply))
        }
        for command in commands {
            HubLinkEncoder.command(command, into: &buffer)
            frames.append(.command(command))
        }
        return (buffer, frames)
    }
}
