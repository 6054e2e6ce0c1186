import Model
import Realtime
import Testing

/// A worker's machine against a small hub with one room of history that others publish to, through cut links and hubs that die: every client
/// gets each message behind its `since` once and in order.
struct WorkerResumeTests {
    @Test(arguments: 1...60 as ClosedRange<UInt64>)
    func everyMemberSeesEachMessageOnceAndInOrder(seed: UInt64) {
        var world = ResumeWorld(seed: seed)
        for _ in 0..<3_000 { world.step() }
        world.settle()
        #expect(world.problems == [], "seed \(seed)")
        #expect(world.delivered > 100)
        #expect(world.resumed > 5)
    }
}

private struct ResumeWorld {
    struct Member {
        /// What the client has seen last; `nil`: it never was a member.
        var seen: UInt64?
        var isLive = false
        var isAsked = false
    }

    enum Answer {
        case reply(UInt64, HubReply)
        case ack(UInt64)
        case delivery(UInt64)
    }

    static let pageSize = 10

    var generator: SeededGenerator
    var fixture = WorkerFixture(roomsPerClient: 1, clients: 1...4)
    var clients: [UInt64: Member] = [:]
    var problems: [String] = []
    var delivered = 0
    var resumed = 0
    /// The hub: its head, its members of this worker, what it has carried out of this link, and what it has said.
    var head: UInt64 = 0
    var members: Set<UInt64> = []
    var carriedOut: UInt64 = 0
    /// Operations up to here are older than the snapshot, whose memberships count, but for those joins themselves.
    var replayThrough: UInt64 = 0
    var replayed: Set<UInt64> = []
    var toHub: [HubOperation] = []
    var toWorker: [Answer] = []
    var isLinked = false

    let room = RoomName("hall")

    init(seed: UInt64) {
        generator = SeededGenerator(seed: seed)
        for client in 1...4 as ClosedRange<UInt64> { clients[client] = Member() }
    }

    mutating func step() {
        fixture.now = fixture.now + .milliseconds(20)
        switch Int.random(in: 0..<100, using: &generator) {
        case 0: breakLink(hubDies: Bool.random(using: &generator))
        case 1..<10: connect()
        case 10..<20: ask()
        case 20..<24: leave()
        case 24..<44: publish()
        case 44..<70: hubWorks(Int.random(in: 1...4, using: &generator))
        default: workerWorks(Int.random(in: 1...4, using: &generator))
        }
        for request in expired() { clients[request.client] = Member(seen: clients[request.client]?.seen) }
    }

    /// No more faults, and everyone is in.
    mutating func settle() {
        for _ in 0..<200 {
            connect()
            hubWorks(1000)
            workerWorks(1000)
        }
        for client in clients.keys.sorted() where clients[client]?.isLive == false { join(client) }
        for _ in 0..<500 {
            hubWorks(1000)
            workerWorks(1000)
        }
        for _ in 0..<50 {
            publish()
            hubWorks(1000)
            workerWorks(1000)
        }
        for (client, member) in clients where member.seen != head {
            problems.append("client \(client) has seen \(member.seen ?? 0) of \(head)")
        }
    }

    private mutating func expired() -> [PendingRequest] {
        var told: [PendingRequest] = []
        fixture.worker.expire(now: fixture.now, encode: { ($0, 30) }) { told.append($0) }
        return told
    }

    // MARK: Clients

    private mutating func ask() {
        guard let client = clients.keys.sorted().randomElement(using: &generator) else { return }
        if clients[client]?.isLive == true, Int.random(in: 0..<4, using: &generator) > 0 { return }
        join(client)
    }

    private mutating func join(_ client: UInt64) {
        guard let member = clients[client], !member.isAsked else { return }
        guard fixture.join("hall", client: client, since: member.seen ?? 0) == .accepted else { return }
        clients[client] = Member(seen: member.seen ?? 0, isLive: false, isAsked: true)
    }

    private mutating func leave() {
        guard let client = clients.keys.sorted().randomElement(using: &generator) else { return }
        fixture.execute(.leave(room), client: client)
        clients[client]?.isLive = false
    }

    private mutating func give(_ client: UInt64, _ offset: UInt64) {
        delivered += 1
        if let seen = clients[client]?.seen, offset != seen + 1 {
            problems.append("client \(client) got \(offset) after \(seen)")
        }
        clients[client]?.seen = offset
    }

    // MARK: Link

    private mutating func connect() {
        guard !isLinked else { return }
        isLinked = true
        toHub = []
        toWorker = []
        members = []
        replayThrough = fixture.worker.beginLink()
        replayed = []
        fixture.worker.forEachRoom { _, clients in members = Set(clients) }
        var position = head
        fixture.worker.forEachPosition { position = $1.offset }
        if position < head { for offset in position + 1...head { toWorker.append(.delivery(offset)) } }
        toHub = fixture.sent()
        _ = fixture.worker.welcomed(isLate: false)
    }

    private mutating func breakLink(hubDies: Bool) {
        guard isLinked else { return }
        isLinked = false
        fixture.worker.linkLost()
        members = []
        if hubDies { carriedOut = 0 }
    }

    private mutating func workerWorks(_ count: Int) {
        guard isLinked else { return }
        for _ in 0..<count {
            guard !toWorker.isEmpty else { break }
            switch toWorker.removeFirst() {
            case .delivery(let offset):
                for client in fixture.deliver("hall", offset: offset) ?? [] { give(client, offset) }
            case .ack(let sequence):
                for (request, refusal) in fixture.acknowledge(upTo: sequence) where request.join != nil {
                    if refusal != nil { clients[request.client] = Member(seen: clients[request.client]?.seen) }
                }
            case .reply(let sequence, let reply):
                take(sequence, reply)
            }
        }
        toHub += fixture.sent()
    }

    private mutating func take(_ sequence: UInt64, _ reply: HubReply) {
        guard let answer = fixture.reply(reply, to: sequence) else { return }
        let client = answer.request.client
        if answer.request.id != nil { clients[client]?.isAsked = false }
        guard case .joined(let result) = answer.reply else { return }
        for entry in result.missed { give(client, entry.offset) }
        switch answer.membership {
        case .began:
            resumed += 1
            clients[client]?.isLive = true
        case .partial(let position):
            fixture.worker.continueJoin(client, room: room, from: position, now: fixture.now) { ($0, 30) }
        case .withdrawn, .ended, .unchanged:
            break
        }
    }

    // MARK: Hub

    private mutating func publish() {
        head += 1
        if isLinked, !members.isEmpty { toWorker.append(.delivery(head)) }
    }

    private mutating func hubWorks(_ count: Int) {
        guard isLinked, !toHub.isEmpty else { return }
        for operation in toHub.prefix(count) {
            guard operation.sequence > carriedOut else { continue }
            carriedOut = operation.sequence
            let isReplay = operation.sequence <= replayThrough
            switch operation.request {
            case .join(_, let options):
                joined(operation, options, isReplay: isReplay)
            case .leave where !isReplay || replayed.remove(operation.client) != nil:
                members.remove(operation.client)
            default:
                break
            }
        }
        toHub.removeFirst(min(count, toHub.count))
        toWorker.append(.ack(carriedOut))
    }

    private mutating func joined(_ operation: HubOperation, _ options: JoinOptions, isReplay: Bool) {
        var missed: ClosedRange<UInt64>?
        var isPartial = false
        if let since = options.since?.offset, since < head {
            let end = min(head, since + UInt64(Self.pageSize))
            missed = since + 1...end
            isPartial = end < head
        }
        if !isPartial, members.insert(operation.client).inserted, isReplay { replayed.insert(operation.client) }
        let reply = WorkerFixture.joined("hall", at: head, missed: missed, isPartial: isPartial, recovery: .recovered)
        toWorker.append(.reply(operation.sequence, reply))
    }
}
