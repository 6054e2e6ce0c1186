import Logging
import Model
import NIOCore
import Realtime
import WebSocketProtocol
import Wire

extension WorkerEngine {
    // MARK: From clients

    /// Carries out a client's command; `data` is the publication's.
    func execute(_ command: ClientCommand, request: RequestID?, data: ByteBuffer, from connection: ConnectionHandler) {
        let outcome = realtime.execute(
            command, client: connection.core.session.id.serial, member: connection, request: request,
            payloadBytes: data.readableBytes, now: now
        ) { Self.encode($0, data: data) }
        switch outcome {
        case .accepted:
            if case .send = command { counters.publications += 1 }
            if case .broadcast = command { counters.publications += 1 }
            if request != nil { connection.send { $0.requestAccepted() } }
            hubLink?.markIfDue()
        case .done:
            if let request { connection.send { $0.sendAnswer(request, room: command.room) } }
        case .refused(let code):
            connection.send { $0.sendError(code, request: request) }
        }
    }

    func leaveRooms(_ client: UInt64) {
        realtime.clientClosed(client) { Self.encode($0, data: ByteBuffer()) }
        hubLink?.markIfDue()
    }

    private static func encode(_ operation: HubOperation, data: ByteBuffer) -> (frame: ByteBuffer, bytes: Int) {
        var frame = ByteBuffer()
        HubLinkEncoder.operation(
            sequence: operation.sequence, kind: operation.kind, client: operation.client, room: operation.room,
            payload: data.readableBytesView, into: &frame)
        return (frame, frame.readableBytes)
    }

    /// Tells clients whose requests the hub did not confirm in time.
    func expireRequests() {
        guard let deadline = realtime.nextDeadline, deadline <= now else { return }
        var expired: [PendingRequest] = []
        realtime.expire(now: now) { expired.append($0) }
        for request in expired {
            client(request.client)?.send {
                if request.id != nil { $0.requestAnswered() }
                $0.sendError(.unavailable, request: request.id)
            }
        }
    }

    /// Deliveries for the members of rooms were lost: they come again and ask for what they need, rather than going
    /// on with a gap that nobody knows of.
    func closeMembers() {
        let members = connections.all.filter { realtime.rooms.roomCount(of: $0.core.session.id.serial) > 0 }
        let closed = members.count { $0.close(.tryAgainLater, reason: "messages were lost") }
        counters.lossClosed += closed
        guard closed > 0 else { return }
        logger.warning("Deliveries were lost: clients in rooms are closed", metadata: ["clients": "\(closed)"])
    }

    // MARK: From the hub

    func acknowledged(_ acknowledged: UInt64, settled: UInt64) {
        var answered: [PendingRequest] = []
        realtime.acknowledge(acknowledged: acknowledged, settled: settled) { answered.append($0) }
        for request in answered {
            guard let id = request.id else { continue }
            client(request.client)?.send {
                $0.requestAnswered()
                $0.sendAnswer(id, room: request.command.room)
            }
        }
    }

    func deliver(_ delivery: HubDelivery, payload: ByteBuffer) {
        guard realtime.admit(delivery) else { return }
        counters.deliveries += 1
        let frame: ByteBuffer
        switch delivery.kind {
        case .message, .broadcast:
            frame = FrameWriter.frame(.text, payload)
        case .userJoined, .userLeft:
            var text = ByteBuffer()
            SimpleDialect.writePresence(
                joined: delivery.kind == .userJoined, user: delivery.subject, room: delivery.room, into: &text)
            frame = FrameWriter.frame(.text, text)
        }
        // Zero is no client's serial.
        let excluded = delivery.subject.boot == boot ? delivery.subject.serial : 0
        let receivers = delivery.kind == .broadcast ? connections.all : realtime.rooms.members(of: delivery.room)
        var count = 0
        for receiver in receivers
        where receiver.core.session.id.serial != excluded && receiver.core.purpose == .simple {
            if receiver.deliver(frame) { count += 1 }
        }
        counters.messagesOut &+= count
    }
}
