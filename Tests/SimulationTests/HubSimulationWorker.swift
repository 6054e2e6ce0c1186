import Model
import NIOCore
import Realtime
import Wire

/// What one simulated client was told, and what is known of its wishes.
final class SimulatedClient {
    let id: ClientID
    /// Data of the publications received, in order, with their room (`nil`: a broadcast).
    var messages: [(room: RoomName?, data: String)] = []
    /// Presence events received: `+` or `-`, client, room.
    var presence: [String] = []
    /// Rooms joined and confirmed, and since which step.
    var confirmed: [RoomName: Int] = [:]
    /// The request of the latest join of each room.
    var latestJoin: [RoomName: String] = [:]
    /// Answers that are awaited; the value is the step of the request.
    var awaited: [String: Int] = [:]
    var isGone = false

    init(id: ClientID) { self.id = id }
}

/// A worker's machine driven over simulated links.
final class SimulatedWorker {
    let boot: BootID
    private(set) var realtime: WorkerRealtime<SimulatedClient, ByteBuffer>
    private(set) var clients: [SimulatedClient] = []
    private(set) var link: SimulatedLink?
    private var decoder = HubLinkDecoder(maxPayload: 1024)
    private var output = ByteBuffer()
    private var nextSerial: UInt64 = 1
    private(set) var faults: [String] = []
    /// Called before a client is closed because deliveries were lost.
    var closing: (SimulatedClient) -> Void = { _ in }
    /// Called with each answer: client, request, succeeded.
    var answered: (SimulatedClient, PendingRequest, Bool) -> Void = { _, _, _ in }

    init(boot: BootID) {
        self.boot = boot
        realtime = WorkerRealtime(
            boot: boot, limits: .init(roomsPerClient: 3, heldBytes: 1 << 20, requestTimeout: .milliseconds(800)))
    }

    func addClient() -> SimulatedClient {
        let client = SimulatedClient(id: ClientID(boot: boot, serial: nextSerial))
        nextSerial += 1
        clients.append(client)
        return client
    }

    func removeClient(_ client: SimulatedClient) {
        client.isGone = true
        clients.removeAll { $0 === client }
        realtime.clientClosed(client.id.serial) { encode($0, "") }
    }

    func execute(
        _ command: ClientCommand, _ client: SimulatedClient, request: String, data: String, now: MonotonicTime
    ) -> CommandOutcome {
        realtime.execute(
            command, client: client.id.serial, member: client, request: RequestID(json: request),
            payloadBytes: data.utf8.count, now: now, encode: { encode($0, data) })
    }

    private func encode(_ operation: HubOperation, _ data: String) -> (frame: ByteBuffer, bytes: Int) {
        var frame = ByteBuffer()
        HubLinkEncoder.operation(
            sequence: operation.sequence, kind: operation.kind, client: operation.client, room: operation.room,
            payload: ByteBuffer(string: data).readableBytesView, into: &frame)
        return (frame, frame.readableBytes)
    }

    func connect(_ link: SimulatedLink) {
        self.link = link
        decoder = HubLinkDecoder(maxPayload: 1024)
        output = ByteBuffer()
        let replayThrough = realtime.beginLink()
        HubLinkEncoder.hello(boot: boot, slot: 1, into: &output)
        realtime.forEachRoom { HubLinkEncoder.register(room: $0, clients: $1, into: &output) }
        HubLinkEncoder.snapshotEnd(replayThrough: replayThrough, into: &output)
        realtime.takeUnsent { output.writeImmutableBuffer($0) }
    }

    func write(limit: Int) {
        guard let link else { return }
        realtime.takeUnsent { output.writeImmutableBuffer($0) }
        _ = link.write(from: .worker, &output, limit: limit)
    }

    func read(limit: Int) {
        guard let link else { return }
        guard let bytes = link.read(at: .worker, limit: limit) else { return disconnect() }
        decoder.append(bytes)
        do {
            while let frame = try decoder.nextHubFrame() { take(frame) }
        } catch {
            faults.append("\(error)")
        }
    }

    func expire(now: MonotonicTime) {
        var expired: [PendingRequest] = []
        realtime.expire(now: now) { expired.append($0) }
        for request in expired { tell(request, succeeded: false) }
    }

    func crash() {
        link?.close(.worker)
        link = nil
        for client in clients { client.isGone = true }
    }

    private func disconnect() {
        link?.close(.worker)
        link = nil
        realtime.linkLost()
    }

    private func take(_ frame: HubFrame) {
        switch frame {
        case .welcome(_, _, let isLate):
            guard realtime.welcomed(isLate: isLate) else { return }
            // Deliveries are lost: members must not go on as if nothing had happened.
            for client in clients {
                closing(client)
                removeClient(client)
            }
        case .ack(let acknowledged, let settled):
            var succeeded: [PendingRequest] = []
            realtime.acknowledge(acknowledged: acknowledged, settled: settled) { succeeded.append($0) }
            for request in succeeded { tell(request, succeeded: true) }
        case .delivery(let frame):
            guard realtime.admit(frame.delivery) else { return }
            deliver(frame.delivery, data: String(buffer: frame.payload))
        }
    }

    private func deliver(_ delivery: HubDelivery, data: String) {
        let receivers = delivery.kind == .broadcast ? clients : realtime.rooms.members(of: delivery.room)
        let told = receivers.filter { $0.id != delivery.subject }
        for client in told {
            switch delivery.kind {
            case .broadcast: client.messages.append((nil, data))
            case .message: client.messages.append((delivery.room, data))
            case .userJoined: client.presence.append("+\(delivery.subject) \(delivery.room)")
            case .userLeft: client.presence.append("-\(delivery.subject) \(delivery.room)")
            }
        }
    }

    private func tell(_ request: PendingRequest, succeeded: Bool) {
        guard let client = clients.first(where: { $0.id.serial == request.client }) else { return }
        answered(client, request, succeeded)
    }
}
