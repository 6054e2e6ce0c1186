import Logging
import Model
import NIOCore
import Realtime
import Webhooks
import Wire

extension WorkerEngine {
    /// Decides on a client's command and carries it out; `data` is the publication's or the call's.
    func execute(_ command: ClientCommand, request: RequestID?, data: ByteBuffer, from connection: ConnectionHandler) {
        var command = command
        let room = command.room
        let serial = connection.serial
        let verdict = policy.admit(
            &command, of: &connection.core.session, now: turnTime,
            isMember: room.map { realtime.isMember(serial, of: $0) } ?? false)
        switch verdict {
        case .granted: carryOut(command, request: request, data: data, from: connection)
        case .refused(let refusal): refuse(refusal, request: request, to: connection, about: command)
        case .abusive: abused(connection)
        }
    }

    /// A message that cannot be read counts as one all the same.
    func unreadable(_ code: ClientErrorCode, request: RequestID?, from connection: ConnectionHandler) {
        switch policy.admitMessage(of: &connection.core.session, now: turnTime) {
        case .granted: refuse(ClientRefusal(code), request: request, to: connection)
        case .refused(let refusal): refuse(refusal, request: request, to: connection)
        case .abusive: abused(connection)
        }
    }

    private func carryOut(
        _ command: ClientCommand, request: RequestID?, data: ByteBuffer, from connection: ConnectionHandler
    ) {
        switch command {
        case .authenticate(let token):
            connection.suspend(.identity(request))
            admission.authenticate(token: token, serial: connection.serial)
        case .call(let type, let timeout):
            call(type, data: data, timeout: timeout, request: request, from: connection)
        case .join(let room, _)
        where application.hooks.contains(.join) && isHooked(room) && !isMember(connection, room):
            let call = WebhookCall.join(
                client: connection.core.session.id, user: connection.core.session.user, room: room)
            ask(call, request: request, for: connection) { [unowned self] _ in
                submit(command, request: request, data: data, from: connection)
            }
        case .publish(let room, let id) where application.hooks.contains(.publish) && isHooked(room):
            // The frame's buffer is used again before the answer comes.
            let kept = ByteBuffer(bytes: data.readableBytesView)
            let call = WebhookCall.publish(
                client: connection.core.session.id, user: connection.core.session.user, room: room, messageID: id,
                data: kept)
            ask(call, request: request, for: connection) { [unowned self] answer in
                submit(command, request: request, data: answer.data ?? kept, from: connection)
            }
        default:
            submit(command, request: request, data: data, from: connection)
        }
    }

    private func isHooked(_ room: RoomName) -> Bool { policy.rule(for: room).webhooks }

    private func isMember(_ connection: ConnectionHandler, _ room: RoomName) -> Bool {
        realtime.isMember(connection.serial, of: room)
    }

    /// Gives a command that may be to the hub.
    private func submit(
        _ command: ClientCommand, request: RequestID?, data: ByteBuffer, from connection: ConnectionHandler
    ) {
        let outcome = realtime.execute(
            command, client: connection.serial, request: request,
            includesSender: connection.core.purpose == .v1, payloadBytes: data.readableBytes, now: turnTime
        ) { Self.encode($0, data: data) }
        switch outcome {
        case .accepted:
            if request != nil { connection.core.session.requestAccepted() }
            accepted(command, connection)
            hubLink?.markIfDue()
        case .done:
            if let request, let data = success(of: command) { connection.send { $0.sendReply(request, data) } }
        case .refused(let refusal):
            refuse(refusal, request: request, to: connection, about: command)
            return
        }
        if trace.isActive { traceCommand(command, data, connection) }
    }

    private func accepted(_ command: ClientCommand, _ connection: ConnectionHandler) {
        if command.hasLongAnswer { connection.questionAsked() }
        switch command {
        case .publish, .broadcast, .direct:
            counters.publications += 1
        case .join(_, let options):
            if options.since != nil || options.session != nil, !connection.core.marks.contains(.reconnected) {
                connection.core.marks.insert(.reconnected)
                counters.reconnects += 1
            }
        default:
            break
        }
    }

    /// What a command's success is answered with where the hub has nothing to say to it.
    func success(of command: ClientCommand) -> V1ReplyData? {
        switch command {
        case .join(let room, _), .leave(let room), .typing(let room, _), .read(let room, _): .room(room)
        case .publish(let room, _): .published(room, position: nil, isRepetition: false)
        case .broadcast: .broadcast
        case .direct(let user, _): .sent(user)
        case .ping: .time(Int64(wallTime() * 1000))
        case .history, .presence, .authenticate, .call: nil
        }
    }

    // MARK: Refusals

    /// Tells a client why not.
    func refuse(
        _ refusal: ClientRefusal, request: RequestID?, to connection: ConnectionHandler,
        about command: ClientCommand? = nil
    ) {
        errors[refusal.code, default: 0] += 1
        if refusal.code == .rateLimited { counters.rateLimited += 1 }
        connection.send { $0.sendRefusal(refusal, request: request) }
        if trace.isActive { traceFailure(refusal, command, connection) }
    }

    /// The hub found a client above its user's or its address's rate.
    func refuseForHub(
        _ refusal: ClientRefusal, request: RequestID?, to connection: ConnectionHandler, about command: ClientCommand?
    ) {
        guard case .abusive = policy.refusedByHub(refusal, of: &connection.core.session, now: turnTime) else {
            return refuse(refusal, request: request, to: connection, about: command)
        }
        abused(connection)
    }

    private func abused(_ connection: ConnectionHandler) {
        counters.rateLimited += 1
        logClose("Client goes on above its rate limit: closed", connection)
        connection.close(.rateLimitAbuse, reason: "rate limit exceeded")
    }

    // MARK: Encoding

    static func encode(_ operation: HubOperation) -> (frame: ByteBuffer, bytes: Int) {
        encode(operation, data: ByteBuffer())
    }

    static func encode(_ operation: HubOperation, data: ByteBuffer) -> (frame: ByteBuffer, bytes: Int) {
        var frame = ByteBuffer()
        HubLinkEncoder.operation(operation, payload: data.readableBytesView, into: &frame)
        return (frame, frame.readableBytes)
    }
}
