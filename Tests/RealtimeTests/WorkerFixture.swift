import Model
import Realtime

/// A worker's machine whose members are the clients' serials and whose frames are the operations themselves.
struct WorkerFixture {
    typealias Worker = WorkerRealtime<UInt64, HubOperation>

    static let epoch = RoomEpoch(rawValue: 77)

    var worker: Worker
    var now = MonotonicTime.zero
    private var requests = 0

    /// Rooms that begin with `h` keep history, those with `r` are marked as read, too.
    init(heldBytes: Int = 1 << 20, roomsPerClient: Int = 3, clients: ClosedRange<UInt64> = 1...3) {
        worker = Worker(
            boot: BootID(rawValue: 1),
            limits: .init(roomsPerClient: roomsPerClient, heldBytes: heldBytes, requestTimeout: .seconds(5)),
            rules: Self.rules)
        for client in clients { connect(client, user: nil) }
    }

    static var rules: RoomRules {
        var configuration = WsdConfiguration()
        var history = RoomRule(match: "h*")
        history.historySize = 100
        var read = RoomRule(match: "r*")
        read.historySize = 100
        read.autoRead = true
        configuration.rooms.rules = [history, read]
        return RoomRules(configuration)
    }

    static func registration(user: String?) -> ClientRegistration {
        ClientRegistration(
            session: SessionID(rawValue: 9), user: user.map { UserName($0) }, addressKey: "10.0.0.1", origin: "")
    }

    mutating func connect(_ client: UInt64, user: String?) {
        _ = worker.connect(
            client, member: client, registration: Self.registration(user: user), wantsReply: false, now: now,
            encode: { ($0, 50) })
    }

    /// The hub is there, and everything so far is confirmed.
    mutating func bringUp() {
        _ = worker.beginLink()
        _ = worker.welcomed(isLate: false)
        _ = sent()
        acknowledge()
    }

    @discardableResult
    mutating func execute(
        _ command: ClientCommand, client: UInt64 = 1, request: String? = nil, bytes: Int = 0,
        includesSender: Bool = false
    ) -> CommandOutcome {
        worker.execute(
            command, client: client, request: request.map { RequestID(json: $0) }, includesSender: includesSender,
            payloadBytes: bytes, now: now, encode: { ($0, bytes + 30) })
    }

    mutating func join(
        _ room: String, client: UInt64 = 1, since: UInt64? = nil, request: String? = "j"
    ) -> CommandOutcome {
        var options = JoinOptions()
        options.since = since.map { RoomPosition(epoch: Self.epoch, offset: $0) }
        return execute(.join(RoomName(room), options), client: client, request: request)
    }

    mutating func joinPlain(_ room: String, client: UInt64 = 1, request: String? = nil) -> CommandOutcome {
        execute(.join(RoomName(room), .plain), client: client, request: request)
    }

    /// Operations that go out now.
    mutating func sent() -> [HubOperation] {
        var operations: [HubOperation] = []
        worker.takeUnsent { operations.append($0) }
        return operations
    }

    /// Confirms everything that was sent; the requests decided by it.
    @discardableResult
    mutating func acknowledge(
        upTo sequence: UInt64 = .max
    ) -> [(request: PendingRequest, refusal: ClientRefusal?)] {
        var answers: [(request: PendingRequest, refusal: ClientRefusal?)] = []
        worker.acknowledge(acknowledged: sequence, settled: sequence, now: now, encode: { ($0, 30) }) {
            answers.append(($0, $1))
        }
        return answers
    }

    mutating func reply(_ reply: HubReply, to sequence: UInt64) -> HubAnswer? {
        worker.replied(sequence: sequence, reply, now: now, encode: { ($0, 30) })
    }

    mutating func expire() -> [String?] {
        var told: [String?] = []
        worker.expire(now: now, encode: { ($0, 30) }) { told.append($0.id?.json) }
        return told
    }

    /// Receivers of a message of another worker's client; `nil`: dropped.
    mutating func deliver(
        _ room: String, offset: UInt64? = nil, sequence: UInt64 = 1, epoch: RoomEpoch = epoch
    ) -> [UInt64]? {
        var delivery = HubDelivery(
            origin: BootID(rawValue: 2), sequence: sequence, kind: .message,
            subject: ClientID(boot: BootID(rawValue: 2), serial: 1), room: RoomName(room))
        delivery.position = offset.map { RoomPosition(epoch: epoch, offset: $0) }
        return worker.receive(delivery, bytes: 10, now: now)?.members.sorted()
    }

    static func joined(
        _ room: String, at offset: UInt64?, missed: ClosedRange<UInt64>? = nil, isPartial: Bool = false,
        recovery: JoinResult.Recovery = .notAsked
    ) -> HubReply {
        var result = JoinResult(room: RoomName(room))
        result.position = offset.map { RoomPosition(epoch: epoch, offset: $0) }
        result.missed = (missed.map { Array($0) } ?? []).map {
            HistoryEntry(offset: $0, time: 0, subject: ClientID(boot: BootID(rawValue: 2), serial: 1), data: [])
        }
        result.isPartial = isPartial
        result.recovery = missed == nil ? recovery : .recovered
        return .joined(result)
    }
}

extension HubOperation {
    /// What it is, in short.
    var name: String {
        switch request {
        case .join(let room, let options): (options.isPlain ? "plain " : "join ") + room.text
        case .leave(let room): "leave \(room)"
        case .publish(let room, _, let includesSender): "publish \(room)" + (includesSender ? "+" : "")
        case .broadcast: "broadcast"
        case .direct(let user, _): "direct \(user)"
        case .confirm: "confirm"
        case .connect: "connect"
        case .identify: "identify"
        case .disconnect(let mayReturn): "disconnect" + (mayReturn ? "?" : "")
        case .history(let room, _): "history \(room)"
        case .presence(let room, _): "presence \(room)"
        case .typing(let room, _): "typing \(room)"
        case .read(let room, let offset): "read \(room) \(offset)"
        case .backend: "backend"
        }
    }
}
