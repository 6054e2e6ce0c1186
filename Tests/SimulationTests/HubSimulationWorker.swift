import Model
import NIOCore
import Realtime
import Wire

/// A worker's machine driven over simulated links.
final class SimulatedWorker {
    let boot: BootID
    private(set) var realtime: WorkerRealtime<SimulatedClient, ByteBuffer>
    private(set) var clients: [SimulatedClient] = []
    private(set) var link: SimulatedLink?
    private let storage: SimulatedStorage
    private let historySize: Int
    private var decoder = HubLinkDecoder(maxPayload: 1024)
    private var output = ByteBuffer()
    private var nextSerial: UInt64 = 1
    private(set) var faults: [String] = []
    /// Milliseconds at which a hub said welcome.
    private(set) var welcomes: [Int] = []
    private var now = MonotonicTime.zero
    /// Pages of missed messages that clients have read, and where they go on.
    private var continuations: [(client: SimulatedClient, room: RoomName, position: RoomPosition)] = []
    /// Called before a client is closed because deliveries were lost.
    var closing: (SimulatedClient) -> Void = { _ in }
    /// Called with each answer.
    var answered: (SimulatedClient, PendingRequest, Result<HubReply?, ClientRefusal>) -> Void = { _, _, _ in }

    init(boot: BootID, configuration: WsdConfiguration, storage: SimulatedStorage, historySize: Int) {
        self.boot = boot
        self.storage = storage
        self.historySize = historySize
        realtime = WorkerRealtime(
            boot: boot, limits: .init(roomsPerClient: 3, heldBytes: 1 << 20, requestTimeout: .milliseconds(800)),
            rules: RoomRules(configuration))
    }

    // MARK: Clients

    func addClient(_ agent: SimulatedAgent? = nil, session: SessionID, now: MonotonicTime) -> SimulatedClient {
        let client = SimulatedClient(id: ClientID(boot: boot, serial: nextSerial), agent: agent)
        nextSerial += 1
        clients.append(client)
        var registration = ClientRegistration(session: session, user: agent?.user, addressKey: "a", origin: "")
        registration.mayReturn = agent != nil
        _ = realtime.connect(
            client.id.serial, member: client, registration: registration, wantsReply: false, now: now,
            encode: { self.encode($0, "") })
        agent?.connected(client, session: session)
        return client
    }

    func removeClient(_ client: SimulatedClient, mayReturn: Bool = false, now: MonotonicTime) {
        client.isGone = true
        client.agent?.disconnected()
        clients.removeAll { $0 === client }
        continuations.removeAll { $0.client === client }
        realtime.disconnect(client.id.serial, mayReturn: mayReturn, now: now, encode: { self.encode($0, "") })
    }

    func execute(
        _ command: ClientCommand, _ client: SimulatedClient, request: String, data: String, now: MonotonicTime
    ) -> CommandOutcome {
        realtime.execute(
            command, client: client.id.serial, request: RequestID(json: request), includesSender: client.agent != nil,
            payloadBytes: data.utf8.count, now: now, encode: { self.encode($0, data) })
    }

    private func encode(_ operation: HubOperation, _ data: String) -> (frame: ByteBuffer, bytes: Int) {
        var frame = ByteBuffer()
        let isPublication =
            switch operation.request {
            case .publish, .broadcast, .direct: true
            default: false
            }
        let payload = ByteBuffer(string: isPublication ? data : "")
        HubLinkEncoder.operation(operation, payload: payload.readableBytesView, into: &frame)
        return (frame, frame.readableBytes)
    }

    // MARK: The link

    func connect(_ link: SimulatedLink) {
        self.link = link
        decoder = HubLinkDecoder(maxPayload: 1024)
        output = ByteBuffer()
        let replayThrough = realtime.beginLink()
        HubLinkEncoder.hello(boot: boot, slot: 1, into: &output)
        realtime.forEachClient { HubLinkEncoder.client($0, $1, into: &output) }
        realtime.forEachRoom { HubLinkEncoder.register(room: $0, clients: $1, into: &output) }
        realtime.forEachPosition { HubLinkEncoder.position(room: $0, $1, into: &output) }
        HubLinkEncoder.snapshotEnd(replayThrough: replayThrough, into: &output)
        realtime.takeUnsent { output.writeImmutableBuffer($0) }
    }

    func write(limit: Int) {
        guard let link else { return }
        realtime.takeUnsent { output.writeImmutableBuffer($0) }
        _ = link.write(from: .worker, &output, limit: limit)
    }

    func read(limit: Int, now: MonotonicTime) {
        self.now = now
        guard let link else { return }
        guard let bytes = link.read(at: .worker, limit: limit) else { return disconnect() }
        decoder.append(bytes)
        do {
            while let frame = try decoder.nextHubFrame() { take(frame) }
        } catch {
            faults.append("\(error)")
        }
    }

    /// Ends requests that have waited too long, and lets clients go on that have read what they missed.
    func elapse(now: MonotonicTime) {
        self.now = now
        var expired: [PendingRequest] = []
        realtime.expire(now: now, encode: { self.encode($0, "") }) { expired.append($0) }
        for request in expired { tell(request, .failure(ClientRefusal(.unavailable))) }
        let ready = continuations
        continuations = []
        for (client, room, position) in ready {
            realtime.continueJoin(
                client.id.serial, room: room, from: position, now: now, encode: { self.encode($0, "") })
        }
    }

    func crash() {
        link?.close(.worker)
        link = nil
        for client in clients {
            client.isGone = true
            client.agent?.disconnected()
        }
    }

    private func disconnect() {
        link?.close(.worker)
        link = nil
        realtime.linkLost()
    }

    private func take(_ frame: HubFrame) {
        switch frame {
        case .welcome(_, _, let isLate):
            welcomes.append(Int((now - .zero).milliseconds))
            guard realtime.welcomed(isLate: isLate) else { return }
            // Deliveries are lost: members must not go on as if nothing had happened.
            var losing: [SimulatedClient] = []
            realtime.forEachLosingMember { losing.append($0) }
            for client in losing {
                closing(client)
                removeClient(client, mayReturn: client.agent != nil, now: now)
            }
        case .ack(let acknowledged, let settled):
            var decided: [(PendingRequest, ClientRefusal?)] = []
            realtime.acknowledge(
                acknowledged: acknowledged, settled: settled, now: now, encode: { self.encode($0, "") },
                answer: { decided.append(($0, $1)) })
            for (request, refusal) in decided { tell(request, refusal.map { .failure($0) } ?? .success(nil)) }
        case .delivery(let delivery, let payload):
            deliver(delivery, data: String(buffer: payload))
        case .reply(let sequence, let reply):
            let answer = realtime.replied(sequence: sequence, reply, now: now, encode: { self.encode($0, "") })
            if let answer { take(answer) }
        case .command(.membersMissed(let room)):
            for client in realtime.membersMissed(room) where client.places[room] != nil {
                client.checkGap(room, storage, historySize: historySize, "gap")
                client.places[room] = .afterGap
            }
        case .command(.close(let serial, .replaced, _)):
            // Its agent has come back on another connection; the hub had not heard of this one's end.
            if client(serial) != nil { faults.append("a connection in use was replaced") }
        case .command(let command):
            faults.append("unexpected \(command)")
        }
    }

    private func take(_ answer: HubAnswer) {
        if let client = client(answer.request.client), case .joined(let result) = answer.reply {
            switch answer.membership {
            case .began:
                read(result, client)
                client.joined(result, storage: storage, historySize: historySize)
            case .partial(let position):
                read(result, client)
                continuations.append((client, result.room, position))
            case .unchanged, .withdrawn, .ended:
                break
            }
        }
        if case .refused(let refusal) = answer.reply {
            tell(answer.request, .failure(refusal))
        } else {
            tell(answer.request, .success(answer.reply))
        }
    }

    /// The client is given what it missed.
    private func read(_ result: JoinResult, _ client: SimulatedClient) {
        guard let epoch = result.position?.epoch else { return }
        for entry in result.missed {
            let data = String(decoding: entry.data, as: UTF8.self)
            message(data, result.room, RoomPosition(epoch: epoch, offset: entry.offset), client)
        }
    }

    private func message(
        _ data: String, _ room: RoomName, _ position: RoomPosition?, _ client: SimulatedClient, isExcluded: Bool = false
    ) {
        if let position {
            if storage.recorded[room]?[position] != data { faults.append("\(room) \(position.offset) is \(data), too") }
            client.moved(room, to: position)
        }
        if !isExcluded { client.messages.append((room, data)) }
    }

    private func deliver(_ delivery: HubDelivery, data: String) {
        guard let receivers = realtime.receive(delivery, bytes: data.utf8.count, now: now) else { return }
        for client in receivers.isEveryone ? clients : receivers.members {
            let isExcluded = client.id.serial == receivers.excluded
            switch delivery.kind {
            case .message: message(data, delivery.room, delivery.position, client, isExcluded: isExcluded)
            case _ where isExcluded: break
            case .broadcast: client.messages.append((nil, data))
            case .userJoined: client.presence.append("+\(delivery.subject) \(delivery.room)")
            case .userLeft: client.presence.append("-\(delivery.subject) \(delivery.room)")
            case .typingStarted, .typingStopped, .read, .direct: break
            }
        }
    }

    private func client(_ serial: UInt64) -> SimulatedClient? { clients.first { $0.id.serial == serial } }

    private func tell(_ request: PendingRequest, _ outcome: Result<HubReply?, ClientRefusal>) {
        if let client = client(request.client) { answered(client, request, outcome) }
    }
}
