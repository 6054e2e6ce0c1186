import Model
import NIOCore
import Realtime
import Webhooks
import Wire

/// What is told to those who follow a client, a room or a user. Everything here is called only while somebody does, but
/// for the two that ask themselves.
extension WorkerEngine {
    /// Begins to follow. Returns how many clients fit now; `nil`: there are too many traces, or the filter is none.
    func beginTrace(_ id: Int, _ filter: TraceFilter) -> Int? {
        guard trace.begin(id, filter) else { return nil }
        return matching(ClientFilter(id: filter.client, room: filter.room, user: filter.user)).count
    }

    /// At the end of a tick.
    func reportTraces() {
        guard trace.isActive else { return }
        counters.traceEventsDropped &+= trace.take(isWritable: supervisor.isReading()) {
            supervisor.trace($0.id, $0.events, $0.dropped)
        }
    }

    func traceIdentity(_ connection: ConnectionHandler, _ kind: TraceEvent.Kind) {
        var event = event(kind, connection)
        event.detail = "\(connection.core.purpose.name) from \(connection.info.address)"
        trace.record(event, about: subject(connection))
    }

    /// A command that was carried out, as far as the worker can tell. A join with a position is told with its answer.
    func traceCommand(_ command: ClientCommand, _ data: ByteBuffer, _ connection: ConnectionHandler) {
        var event: TraceEvent
        var payload: ByteBuffer?
        switch command {
        case .join(_, let options) where options.isPlain:
            event = self.event(.joined, connection)
        case .leave:
            event = self.event(.left, connection)
        case .publish:
            event = self.event(.published, connection)
            payload = data
        case .broadcast:
            event = self.event(.published, connection)
            event.detail = "to everybody"
            payload = data
        case .direct(let user, _):
            event = self.event(.published, connection)
            event.detail = "to user \(user)"
            payload = data
        case .join, .authenticate, .history, .presence, .typing, .read, .ping, .call:
            return
        }
        event.room = command.room?.text
        event.bytes = payload?.readableBytes
        trace.record(event, about: subject(connection, room: command.room), payload: payload)
    }

    func traceJoin(_ result: JoinResult, _ answer: HubAnswer, _ connection: ConnectionHandler) {
        var event = event(.joined, connection)
        event.room = result.room.text
        event.offset = result.position?.offset
        switch result.recovery {
        case .notAsked: break
        case .recovered:
            event.detail = answer.membership == .began ? "resumed" : "resuming"
            event.count = result.missed.count
        case .failed(let reason): event.detail = "not resumed: \(reason.rawValue)"
        }
        trace.record(event, about: subject(connection, room: result.room))
    }

    func traceLeft(_ room: RoomName, _ connection: ConnectionHandler) {
        var event = event(.left, connection)
        event.room = room.text
        event.detail = "by the backend"
        trace.record(event, about: subject(connection, room: room))
    }

    func traceFailure(_ refusal: ClientRefusal, _ command: ClientCommand?, _ connection: ConnectionHandler) {
        var event = event(.failed, connection)
        event.code = refusal.code.rawValue
        event.detail = refusal.words
        event.room = command?.room?.text
        trace.record(event, about: subject(connection, room: command?.room))
    }

    func traceWebhook(_ call: WebhookCall, _ outcome: WebhookOutcome, _ connection: ConnectionHandler) {
        var event = event(.webhook, connection)
        event.code = call.kind.rawValue
        event.detail =
            switch outcome {
            case .answered: "answered"
            case .refused(let message, _): message.map { "refused: \($0)" } ?? "refused"
            case .failed(let policy): "failed (\(policy.rawValue))"
            }
        let room: RoomName? =
            switch call {
            case .join(_, _, let room), .publish(_, _, let room, _, _): room
            case .connect, .rpc: nil
            }
        event.room = room?.text
        trace.record(event, about: subject(connection, room: room))
    }

    func traceDelivery(_ delivery: HubDelivery, _ payload: ByteBuffer, _ count: Int) {
        var event = TraceEvent(time: wallTime(), worker: child.slot.number, kind: .delivered)
        event.client = delivery.subject.serial == 0 ? nil : delivery.subject.description
        event.user = delivery.user?.text
        event.count = count
        event.offset = delivery.position?.offset
        event.bytes = payload.readableBytes
        event.detail = delivery.kind.traceName
        let isDirect = delivery.kind == .direct
        let room = isDirect || delivery.kind == .broadcast ? nil : delivery.room
        event.room = room?.text
        if isDirect { event.detail = "direct to user \(delivery.room)" }
        let subject = TraceBook.Subject(
            client: delivery.subject.serial == 0 ? nil : delivery.subject, user: delivery.user, room: room)
        let realtime = realtime
        trace.record(event, about: subject, payload: payload) { client, user in
            if let client, client.boot != realtime.boot { return false }
            let serials = client.map { [$0.serial] } ?? user.map { realtime.clients.serials(of: $0) } ?? []
            return serials.contains { serial in
                if let user, realtime.clients.user(of: serial) != user { return false }
                switch delivery.kind {
                case .broadcast: return realtime.clients[serial] != nil
                case .direct: return realtime.clients.user(of: serial) == UserName(delivery.room.text)
                default: return realtime.rooms.contains(serial, in: delivery.room)
                }
            }
        }
    }

    func traceGap(_ room: RoomName, _ members: Int) {
        var event = TraceEvent(time: wallTime(), worker: child.slot.number, kind: .gap)
        event.room = room.text
        event.count = members
        trace.record(event, about: TraceBook.Subject(room: room))
    }

    /// We close a connection.
    func traceClose(_ connection: ConnectionHandler, _ code: CloseCode, _ reason: String) {
        guard trace.isActive, !connection.core.marks.contains(.closeTraced) else { return }
        connection.core.marks.insert(.closeTraced)
        var event = event(.closed, connection)
        event.code = "\(code.rawValue)"
        event.detail = reason
        trace.record(event, about: subject(connection))
    }

    /// A connection is gone.
    func traceEnd(_ connection: ConnectionHandler) {
        guard trace.isActive, !connection.core.marks.contains(.closeTraced) else { return }
        var event = event(.closed, connection)
        event.code = connection.core.farewell.map { "\($0.rawValue)" }
        event.detail = connection.core.farewell == nil ? "the connection broke" : "closed by the client"
        trace.record(event, about: subject(connection))
    }

    private func event(_ kind: TraceEvent.Kind, _ connection: ConnectionHandler) -> TraceEvent {
        var event = TraceEvent(time: wallTime(), worker: child.slot.number, kind: kind)
        event.client = connection.core.session.id.description
        event.user = connection.core.session.user?.text
        return event
    }

    private func subject(_ connection: ConnectionHandler, room: RoomName? = nil) -> TraceBook.Subject {
        TraceBook.Subject(client: connection.core.session.id, user: connection.core.session.user, room: room)
    }
}

extension HubDeliveryKind {
    fileprivate var traceName: String {
        switch self {
        case .message: "message"
        case .broadcast: "broadcast"
        case .userJoined: "userJoined"
        case .userLeft: "userLeft"
        case .typingStarted, .typingStopped: "typing"
        case .read: "read"
        case .direct: "direct"
        }
    }
}
