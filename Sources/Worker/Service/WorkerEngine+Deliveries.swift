import Logging
import Model
import NIOCore
import Realtime
import Webhooks
import Wire

/// What comes from the hub unasked.
extension WorkerEngine {
    func deliver(_ delivery: HubDelivery, payload: ByteBuffer) {
        guard let receivers = realtime.receive(delivery, bytes: payload.readableBytes, now: now) else { return }
        counters.deliveries += 1
        var encoded = EncodedDelivery(delivery, payload: payload, typingTimeout: limits.typingTimeout)
        let connections = receivers.isEveryone ? self.connections.all : receivers.members
        var count = 0
        for connection in connections where connection.serial != receivers.excluded {
            if connection.deliver(&encoded) { count += 1 }
        }
        counters.messagesOut &+= count
        if count > 0, delivery.publishedAt != .zero { latencies.append(delivery.publishedAt) }
        if trace.isActive { traceDelivery(delivery, payload, count) }
    }

    func commanded(_ command: HubCommand) {
        switch command {
        case .close(let serial, let code, let reason):
            client(serial)?.close(code, reason: reason, reconnectAfter: reconnectDelay(code))
        case .subscribe(let serial, let room):
            if let connection = client(serial) { subscribe(connection, to: room) }
        case .unsubscribe(let serial, let room):
            guard let connection = client(serial),
                realtime.unsubscribe(serial, from: room, now: turnTime, encode: Self.encode)
            else { return }
            hubLink?.markIfDue()
            connection.send { core in core.sendEvent { V1Dialect.writeLeft(room, into: &$0) } }
            if trace.isActive { traceLeft(room, connection) }
        case .roomEmpty(let room):
            if application.hooks.contains(.roomEmpty) { application.tell(.roomEmpty(room)) }
        case .membersMissed(let room):
            membersMissed(room)
        }
    }

    /// Makes a client a member that did not ask for it.
    func subscribe(_ connection: ConnectionHandler, to room: RoomName) {
        let outcome = realtime.subscribe(
            connection.serial, to: room, isPlain: connection.core.purpose != .v1, now: turnTime, encode: Self.encode)
        hubLink?.markIfDue()
        guard case .refused(let refusal) = outcome else { return }
        logger.info(
            "A client could not be made a member",
            metadata: [
                "client.id": "\(connection.core.session.id)", "room.id": "\(room)",
                "reason": "\(refusal.code.rawValue)",
            ])
    }

    // MARK: Losses

    /// Deliveries for the members of rooms without history were lost: they come again and ask for what they need, rather
    /// than going on with a gap that nobody knows of.
    func closeLosingMembers() {
        var losing: [ConnectionHandler] = []
        realtime.forEachLosingMember { losing.append($0) }
        closeForLoss(losing)
    }

    /// What members of a room with history missed is no longer kept. They are told, where their dialect can.
    private func membersMissed(_ room: RoomName) {
        let members = realtime.membersMissed(room)
        closeForLoss(members.filter { $0.core.purpose != .v1 })
        for member in members where member.core.purpose == .v1 { tellGap(room, .expired, member) }
        if trace.isActive { traceGap(room, members.count) }
    }

    private func closeForLoss(_ clients: [ConnectionHandler]) {
        let code = CloseCode.tryAgainLater
        let closed = clients.count {
            $0.close(code, reason: "messages were lost", reconnectAfter: reconnectDelay(code))
        }
        counters.lossClosed += closed
        guard closed > 0 else { return }
        logger.warning("Deliveries were lost: clients in rooms are closed", metadata: ["clients": "\(closed)"])
    }
}
