import Model
import Realtime
import Testing

/// What the machine told, in order.
final class HubRecorder: HubOutput {
    struct Delivered: Equatable {
        var delivery: HubDelivery
        var payload: HubPayload
        var links: [Int]

        var text: String? {
            if case .bytes(let bytes) = payload { String(decoding: bytes, as: UTF8.self) } else { nil }
        }
    }

    var delivered: [Delivered] = []
    var replies: [(reply: HubReply, sequence: UInt64, link: Int)] = []
    var commands: [(command: HubCommand, link: Int)] = []
    /// Kinds of everything, in order: `reply`, `command`, or a delivery's.
    var order: [String] = []

    func deliver(_ delivery: HubDelivery, payload: HubPayload, to links: [Int]) {
        #expect(!links.isEmpty)
        delivered.append(Delivered(delivery: delivery, payload: payload, links: links))
        order.append("\(delivery.kind)")
    }

    func reply(_ reply: HubReply, sequence: UInt64, to link: Int) {
        replies.append((reply, sequence, link))
        order.append("reply")
    }

    func command(_ command: HubCommand, to link: Int) {
        commands.append((command, link))
        order.append("command")
    }

    func clear() {
        delivered = []
        replies = []
        commands = []
        order = []
    }
}

/// A hub's machine with a storage, driven as the driver does: stage, commit, carry out. Rooms that begin with `h` keep
/// history.
struct HubFixture {
    static let boot = BootID(rawValue: 99)

    var machine: HubStateMachine
    let told = HubRecorder()
    var storage: MemoryHistoryStorage?
    var now = MonotonicTime.zero
    /// Milliseconds since 1970.
    var wallTime: Int64 = 1_000_000
    private var sequences: [Int: UInt64] = [:]

    static func configuration(size: Int = 100, ttl: Duration = .seconds(3600)) -> WsdConfiguration {
        var configuration = WsdConfiguration()
        var history = RoomRule(match: "h*")
        history.historySize = size
        history.historyTTL = ttl
        configuration.rooms.rules = [history]
        return configuration
    }

    init(
        _ configuration: WsdConfiguration = configuration(), storage: MemoryHistoryStorage? = MemoryHistoryStorage(),
        expectedLinks: Int = 0, seed: UInt64 = 1
    ) {
        self.storage = storage
        machine = HubStateMachine(
            boot: Self.boot, configuration: configuration, expectedLinks: expectedLinks, storage: storage, seed: seed,
            now: .zero)
        _ = machine.isServing(now: now)
    }

    /// A hub with links 0, 1, … of the boots 10, 11, …; members of room `r` by link. All of them registered in time.
    init(members: [[UInt64]], _ configuration: WsdConfiguration = configuration()) {
        self.init(configuration, expectedLinks: members.count + 1)
        for (index, clients) in members.enumerated() { _ = link(UInt64(10 + index), ["r": clients]) }
        _ = machine.isServing(now: .zero + .seconds(1))
    }

    // MARK: Links

    @discardableResult
    mutating func link(
        _ boot: UInt64, _ rooms: [String: [UInt64]] = [:], positions: [String: RoomPosition] = [:],
        users: [UInt64: String?] = [:], mayReturn: Bool = false, replayThrough: UInt64 = 0
    ) -> Int {
        let link = machine.linkOpened(boot: BootID(rawValue: boot), slot: 1)
        sequences[link] = nil
        for (client, user) in users.sorted(by: { $0.key < $1.key }) {
            var registration = Self.registration(boot * 1000 + client, user)
            registration.mayReturn = mayReturn
            #expect(machine.registerClient(client, registration, link: link) == true)
        }
        for (room, clients) in rooms.sorted(by: { $0.key < $1.key }) {
            #expect(machine.register(clients, room: RoomName(room), link: link) == true)
        }
        for (room, position) in positions {
            #expect(machine.registerPosition(position, room: RoomName(room), link: link) == true)
        }
        let isTaken = machine.registrationEnded(
            link, replayThrough: replayThrough, now: now, wallTime: wallTime, output: told)
        #expect(isTaken)
        return link
    }

    static func registration(
        _ session: UInt64, _ user: String?, address: String = "10.0.0.1", origin: String = "https://a"
    ) -> ClientRegistration {
        ClientRegistration(
            session: SessionID(rawValue: session), user: user.map { UserName($0) },
            info: user.map { "{\"name\":\"\($0)\"}" }, addressKey: address, origin: origin)
    }

    mutating func end(_ link: Int) {
        machine.linkEnded(link, now: now, output: told)
    }

    // MARK: Operations

    /// One operation as a turn of its own; its sequence is the next one unless it is given.
    @discardableResult
    mutating func perform(
        _ request: HubRequest, client: UInt64 = 1, link: Int = 0, sequence: UInt64? = nil, data: String = "",
        wantsReply: Bool = true
    ) -> HubStateMachine.Outcome {
        turn([make(request, client: client, link: link, sequence: sequence, wantsReply: wantsReply)], data: [data])[0]
    }

    mutating func make(
        _ request: HubRequest, client: UInt64 = 1, link: Int = 0, sequence: UInt64? = nil, wantsReply: Bool = true
    ) -> (operation: HubOperation, link: Int) {
        let number = sequence ?? (sequences[link] ?? 0) + 1
        sequences[link] = max(number, sequences[link] ?? 0)
        var operation = HubOperation(sequence: number, client: client, request: request)
        operation.wantsReply = wantsReply
        return (operation, link)
    }

    @discardableResult
    mutating func turn(
        _ operations: [(operation: HubOperation, link: Int)], data: [String]
    ) -> [HubStateMachine.Outcome] {
        for ((operation, link), data) in zip(operations, data) where machine.needsStaging(operation.request) {
            machine.stage(operation, payload: Array(data.utf8), from: link, now: now, wallTime: wallTime)
        }
        commit()
        return operations.map { operation, link in
            machine.received(operation, from: link, now: now, wallTime: wallTime, output: told)
        }
    }

    mutating func commit() {
        guard !machine.stagedWrites.isEmpty, let storage else { return machine.stagingCommitted() }
        do {
            try storage.commit(machine.stagedWrites)
            machine.stagingCommitted()
        } catch {
            machine.stagingFailed()
        }
    }

    /// Calls of the backend from the control socket.
    mutating func backend(_ calls: BackendCall...) -> [BackendResult] {
        let sequence = machine.nextOwnSequence()
        machine.stage(calls, sequence: sequence, from: nil, now: now, wallTime: wallTime)
        commit()
        return machine.carryOut(
            calls, sequence: sequence, from: nil, isRepeated: false, now: now, wallTime: wallTime, output: told)
    }

    /// Lets time pass; whatever is due happens at its time.
    mutating func advance(_ duration: Duration) {
        let end = now + duration
        while machine.nextDeadline <= end {
            let step = max(machine.nextDeadline - now, .zero)
            now += step
            wallTime += step.milliseconds
            machine.timeElapsed(now: now, wallTime: wallTime, output: told)
            commit()
        }
        wallTime += (end - now).milliseconds
        now = end
    }

    // MARK: What was told

    /// `kind subject→links`, in short.
    var deliveries: [String] {
        told.delivered.map { delivered in
            let delivery = delivered.delivery
            return "\(delivery.kind) \(delivery.subject.serial)→\(delivered.links)"
        }
    }

    var lastReply: HubReply? { told.replies.last?.reply }

    var joined: JoinResult? {
        if case .joined(let result) = lastReply { result } else { nil }
    }

    var position: RoomPosition? {
        switch lastReply {
        case .published(let position, _): position
        case .joined(let result): result.position
        case .history(let page): page.position
        default: nil
        }
    }

    var refusal: ClientErrorCode? {
        if case .refused(let refusal) = lastReply { refusal.code } else { nil }
    }

    var rejection: CloseCode? {
        if case .rejected(let code, _) = lastReply { code } else { nil }
    }
}

extension HubRequest {
    static func join(_ room: String, since: RoomPosition? = nil, session: UInt64? = nil, presence: Bool = false) -> Self
    {
        var options = JoinOptions()
        options.since = since
        options.session = session.map { SessionID(rawValue: $0) }
        options.presence = presence
        return .join(RoomName(room), options)
    }

    static func plainJoin(_ room: String) -> Self { .join(RoomName(room), .plain) }

    static func leave(_ room: String) -> Self { .leave(RoomName(room)) }

    static func publish(_ room: String, id: String? = nil, includesSender: Bool = false) -> Self {
        .publish(RoomName(room), id.map { MessageID($0) }, includesSender: includesSender)
    }
}
