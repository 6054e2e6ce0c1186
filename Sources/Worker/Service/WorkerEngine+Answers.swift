import Logging
import Model
import NIOCore
import Realtime
import Wire

/// What the hub says to what was asked of it.
extension WorkerEngine {
    func acknowledged(_ acknowledged: UInt64, settled: UInt64) {
        var answered: [(PendingRequest, ClientRefusal?)] = []
        realtime.acknowledge(
            acknowledged: acknowledged, settled: settled, now: turnTime, encode: Self.encode
        ) { answered.append(($0, $1)) }
        for (request, refusal) in answered { decided(request, refusal) }
        releaseHeld()
        hubLink?.markIfDue()
    }

    /// Takes further commands of those that waited for the hub, if it has caught up (or is gone).
    func releaseHeld() {
        guard !heldForHub.isEmpty, realtime.hasHubCaughtUp else { return }
        let keys = heldForHub
        heldForHub = []
        for key in keys { connections[key]?.goOnIfDue() }
    }

    /// The acknowledgement alone has decided on a request.
    private func decided(_ request: PendingRequest, _ refusal: ClientRefusal?) {
        switch request.purpose {
        case .connect, .identify:
            if request.wantsReply { admission.hubReplied(.admitted, serial: request.client) }
        case .backend(let ticket):
            backendCalls.end(ticket)?(.failure(refusal ?? ClientRefusal(.unavailable)))
        case .subscription(let room, _):
            if let refusal { subscriptionFailed(refusal, room, request.client) }
        case .continuation:
            if refusal != nil, let connection = client(request.client) { recoveryFailed(connection) }
        case .command(let command):
            guard let connection = client(request.client) else { return }
            if request.id != nil { connection.core.session.requestAnswered() }
            if let refusal {
                refuse(refusal, request: request.id, to: connection, about: command)
            } else if let id = request.id, let data = success(of: command) {
                connection.send { $0.sendReply(id, data) }
            }
            told(request, connection)
        }
    }

    /// A client has its answer, wholly.
    private func told(_ request: PendingRequest, _ connection: ConnectionHandler) {
        if request.isQuestion { connection.questionAnswered() } else { connection.goOnIfDue() }
    }

    func replied(_ sequence: UInt64, _ reply: HubReply) {
        let answer = realtime.replied(sequence: sequence, reply, now: turnTime, encode: Self.encode)
        hubLink?.markIfDue()
        guard let answer else { return }
        let request = answer.request
        switch request.purpose {
        case .connect, .identify:
            admission.hubReplied(reply, serial: request.client)
        case .backend(let ticket):
            guard let completion = backendCalls.end(ticket) else { return }
            switch reply {
            case .backend(let bytes): completion(.success(bytes))
            case .refused(let refusal): completion(.failure(refusal))
            default: completion(.failure(ClientRefusal(.unavailable)))
            }
        case .command, .subscription, .continuation:
            guard let connection = client(request.client) else { return }
            answered(answer, connection)
        }
    }

    private func answered(_ answer: HubAnswer, _ connection: ConnectionHandler) {
        let request = answer.request
        if case .command = request.purpose, request.id != nil { connection.core.session.requestAnswered() }
        switch answer.reply {
        case .refused(let refusal):
            refused(refusal, request, connection)
        case .joined(let result):
            joined(result, answer, connection)
        case .published(let position, let isRepetition):
            guard let id = request.id, let room = request.room else { return }
            connection.send { $0.sendReply(id, .published(room, position: position, isRepetition: isRepetition)) }
            told(request, connection)
        case .history(let page):
            guard let id = request.id else { return }
            connection.sendLongAnswer { $0.sendReply(id, .history(page)) }
            told(request, connection)
        case .presence(let members, let clients):
            guard let id = request.id, let room = request.room else { return }
            connection.sendLongAnswer { $0.sendReply(id, .presence(room, members: members, clients: clients)) }
            told(request, connection)
        case .admitted, .rejected, .backend:
            break
        }
    }

    private func refused(_ refusal: ClientRefusal, _ request: PendingRequest, _ connection: ConnectionHandler) {
        switch request.purpose {
        case .command(let command):
            refuseForHub(refusal, request: request.id, to: connection, about: command)
            told(request, connection)
        case .subscription(let room, _):
            subscriptionFailed(refusal, room, request.client)
        case .continuation:
            recoveryFailed(connection)
        case .connect, .identify, .backend:
            break
        }
    }

    // MARK: Joins

    private func joined(_ result: JoinResult, _ answer: HubAnswer, _ connection: ConnectionHandler) {
        let request = answer.request
        switch request.purpose {
        case .command:
            if let id = request.id { connection.sendLongAnswer { $0.sendReply(id, .joined(result)) } }
            countRecovery(result, request, connection)
        case .continuation:
            // The first page was promised to be the beginning of all of it.
            if case .failed(let reason) = result.recovery { tellGap(result.room, reason, connection) }
        case .subscription:
            guard answer.membership == .began else { break }
            connection.send { core in
                core.sendEvent { V1Dialect.writeJoined(result.room, position: result.position, into: &$0) }
            }
        case .connect, .identify, .backend:
            return
        }
        if let epoch = result.position?.epoch { connection.sendMissed(result.missed, room: result.room, epoch: epoch) }
        if case .partial(let position) = answer.membership {
            connection.recoveryGoesOn(result.room, from: position)
        } else {
            told(request, connection)
        }
        if trace.isActive { traceJoin(result, answer, connection) }
    }

    private func countRecovery(_ result: JoinResult, _ request: PendingRequest, _ connection: ConnectionHandler) {
        switch result.recovery {
        case .notAsked:
            break
        case .recovered:
            counters.resumed += 1
            connection.core.marks.insert(.resumed)
        case .failed(let reason):
            counters.notResumed += 1
            // Whoever wants no reply has to learn of it all the same.
            if request.id == nil { tellGap(result.room, reason, connection) }
        }
    }

    func tellGap(_ room: RoomName, _ reason: RecoveryFailure, _ connection: ConnectionHandler) {
        counters.gaps += 1
        connection.send { core in core.sendEvent { V1Dialect.writeGap(room, reason: reason, into: &$0) } }
    }

    /// Asks for what follows a page of missed messages; `false`: nobody wants it any more.
    func continueJoin(_ connection: ConnectionHandler, _ room: RoomName, from position: RoomPosition) -> Bool {
        let isWanted = realtime.continueJoin(
            connection.serial, room: room, from: position, now: turnTime, encode: Self.encode)
        hubLink?.markIfDue()
        return isWanted
    }

    /// A client has been given a part of what it missed and cannot be given the rest now.
    private func recoveryFailed(_ connection: ConnectionHandler) {
        counters.lossClosed += 1
        connection.close(
            .tryAgainLater, reason: "messages were lost", reconnectAfter: reconnectDelay(.tryAgainLater))
    }

    private func subscriptionFailed(_ refusal: ClientRefusal, _ room: RoomName, _ client: UInt64) {
        logger.info(
            "A client could not be made a member",
            metadata: [
                "client.id": "\(ClientID(boot: boot, serial: client))", "room.id": "\(room)",
                "reason": "\(refusal.code.rawValue)",
            ])
    }

    // MARK: Time

    /// Tells clients whose requests the hub did not confirm in time.
    func expireRequests() {
        guard let deadline = realtime.nextDeadline, deadline <= now else { return }
        var expired: [PendingRequest] = []
        realtime.expire(now: now, encode: Self.encode) { expired.append($0) }
        for request in expired {
            switch request.purpose {
            case .command, .backend: decided(request, ClientRefusal(.unavailable))
            case .subscription, .continuation, .connect, .identify: break
            }
        }
        releaseHeld()
        hubLink?.markIfDue()
    }

    /// In rooms where what is delivered counts as read.
    func markReadIfDue() {
        guard let due = realtime.nextReadMark, due <= now else { return }
        realtime.markRead(now: now, encode: Self.encode)
        hubLink?.markIfDue()
    }
}

extension PendingRequest {
    /// It counts as one of the client's open questions (``Backlog``).
    fileprivate var isQuestion: Bool {
        switch purpose {
        case .command(let command): command.hasLongAnswer
        case .continuation: true
        case .subscription, .connect, .identify, .backend: false
        }
    }
}
