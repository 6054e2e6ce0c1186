package import Model

// MARK: - Rooms and messages

extension WorkerRealtime {
    /// Carries out a client's command; the client has to be known (``connect(_:member:registration:wantsReply:now:encode:)``).
    /// `encode` is called at most once. `includesSender`: a publication's sender gets it, too (`wsd.v1.json`).
    /// `payloadBytes`: of the publication. ``ClientCommand/authenticate(token:)`` and ``ClientCommand/call(type:timeout:)``
    /// are not the hub's and are refused here.
    package mutating func execute(
        _ command: ClientCommand, client: UInt64, request: RequestID?, includesSender: Bool = false,
        payloadBytes: Int = 0, now: MonotonicTime, encode: Encode
    ) -> CommandOutcome {
        var pending = PendingRequest(client: client, id: request, purpose: .command(command))
        let operation: HubRequest
        switch command {
        case .publish(let room, let id):
            pending.wantsReply = request != nil && publishWantsReply
            operation = .publish(room, id, includesSender: includesSender)
        case .broadcast:
            pending.wantsReply = request != nil && limits.hubLimitsRates
            operation = .broadcast
        case .direct(let user, let id):
            pending.wantsReply = request != nil && limits.hubLimitsRates
            operation = .direct(user, id)
        case .history(let room, let query):
            guard request != nil else { return .done }
            pending.wantsReply = true
            operation = .history(room, query)
        case .presence(let room, let countOnly):
            guard request != nil else { return .done }
            pending.wantsReply = true
            operation = .presence(room, countOnly: countOnly)
        case .typing(let room, let isTyping):
            if link == .down { return request == nil ? .done : .refused(.unavailable) }
            operation = .typing(room, isTyping)
        case .read(let room, let offset):
            if link == .down { return request == nil ? .done : .refused(.unavailable) }
            operation = .read(room, offset: offset)
        case .join(let room, let options):
            return join(room, options, pending, now: now, encode: encode)
        case .leave(let room):
            return leave(room, pending, now: now, encode: encode)
        case .ping:
            return .done
        case .authenticate, .call:
            return .refused(.unknownType)
        }
        let sequence = submit(operation, pending, payloadBytes: payloadBytes, now: now, encode: encode)
        return sequence == nil ? .refused(.unavailable) : .accepted
    }

    /// Makes a client a member that did not ask for it (the backend, a token's `rooms`). The answer's request has the
    /// purpose ``PendingRequest/Purpose/subscription(_:_:)``: tell the client. ``CommandOutcome/done``: it is a member.
    package mutating func subscribe(
        _ client: UInt64, to room: RoomName, isPlain: Bool, now: MonotonicTime, encode: Encode
    ) -> CommandOutcome {
        guard !rooms.isKnown(client, in: room) else { return .done }
        let options = isPlain ? JoinOptions.plain : JoinOptions()
        let pending = PendingRequest(client: client, id: nil, purpose: .subscription(room, options))
        return join(room, options, pending, now: now, encode: encode)
    }

    /// Ends a membership without being asked; `false`: there was none.
    package mutating func unsubscribe(
        _ client: UInt64, from room: RoomName, now: MonotonicTime, encode: Encode
    ) -> Bool {
        guard rooms.leave(room, client: client) else { return false }
        appendLeave(client, room, now: now, encode: encode)
        return true
    }

    /// Asks for what follows a page of missed messages (``HubAnswer/Membership/partial(_:)``). `false`: the join is no
    /// longer wanted.
    @discardableResult
    package mutating func continueJoin(
        _ client: UInt64, room: RoomName, from position: RoomPosition, now: MonotonicTime, encode: Encode
    ) -> Bool {
        guard let join = rooms.pendingJoin(of: client, in: room), join.sequence == 0 else { return false }
        var options = JoinOptions()
        options.since = position
        let pending = PendingRequest(
            client: client, id: nil, purpose: .continuation(room, options), wantsReply: true)
        // The client has its answer: this page has to come, however long the hub is away.
        let sequence = append(
            .join(room, options), pending, deadline: nil, expires: false, now: now, encode: encode)
        rooms.setPending(client, in: room, sequence: sequence)
        return true
    }

    private mutating func join(
        _ room: RoomName, _ options: JoinOptions, _ waiting: PendingRequest, now: MonotonicTime, encode: Encode
    ) -> CommandOutcome {
        let client = waiting.client
        guard let member = clients[client]?.member else { return .refused(.unavailable) }
        let isKnown = rooms.isKnown(client, in: room)
        if options.isPlain, rooms.contains(client, in: room) { return confirm(waiting, now: now, encode: encode) }
        guard isKnown || rooms.roomCount(of: client) < limits.roomsPerClient else { return .refused(.tooManyRooms) }
        guard held.hasRoom(for: 0) else { return .refused(.unavailable) }
        var waiting = waiting
        waiting.wantsReply = !options.isPlain
        // The backend's wish does not run out: nobody would repeat it.
        let deadline: MonotonicTime? =
            if case .subscription = waiting.purpose { nil } else { now + limits.requestTimeout }
        let sequence = append(
            .join(room, options), waiting, deadline: deadline, expires: !options.isPlain,
            wantsReply: rooms.rule(for: room).keepsHistory, now: now, encode: encode)
        if options.isPlain {
            _ = rooms.join(room, client: client, member: member)
            reads.joined(client, room: room)
        } else if !isKnown || options.since != nil {
            rooms.beginJoin(room, client: client, member: member, sequence: sequence)
        }
        return .accepted
    }

    private mutating func leave(
        _ room: RoomName, _ pending: PendingRequest, now: MonotonicTime, encode: Encode
    ) -> CommandOutcome {
        guard rooms.leave(room, client: pending.client) else { return confirm(pending, now: now, encode: encode) }
        append(
            .leave(room), pending, isWaiting: pending.id != nil,
            deadline: pending.id.map { _ in now + limits.requestTimeout }, expires: false, now: now, encode: encode)
        return .accepted
    }

    /// Nothing is to be changed, but while earlier operations are unconfirmed an answer has to wait for them.
    private mutating func confirm(_ pending: PendingRequest, now: MonotonicTime, encode: Encode) -> CommandOutcome {
        guard pending.id != nil, held.pendingBytes > 0 || link != .up else { return .done }
        return submit(.confirm, pending, now: now, encode: encode) == nil ? .refused(.unavailable) : .accepted
    }
}

// MARK: - Clients

extension WorkerRealtime {
    /// A connection was accepted. `wantsReply`: the hub is to say whether it may be; how long to wait for that is the
    /// driver's. ``CommandOutcome/refused(_:)``: the hub is away and will not be asked, but told with the snapshot.
    package mutating func connect(
        _ client: UInt64, member: Member, registration: ClientRegistration, wantsReply: Bool, now: MonotonicTime,
        encode: Encode
    ) -> CommandOutcome {
        clients.insert(client, member: member, registration: registration)
        let pending = PendingRequest(client: client, id: nil, purpose: .connect, wantsReply: wantsReply)
        return register(.connect(registration), pending, former: nil, now: now, encode: encode)
    }

    /// A connection is now someone. As ``connect(_:member:registration:wantsReply:now:encode:)``.
    package mutating func identify(
        _ client: UInt64, registration: ClientRegistration, wantsReply: Bool, now: MonotonicTime, encode: Encode
    ) -> CommandOutcome {
        let former = clients[client]?.registration
        guard clients.update(client, registration: registration) else { return .refused(.unavailable) }
        let pending = PendingRequest(client: client, id: nil, purpose: .identify, wantsReply: wantsReply)
        return register(.identify(registration), pending, former: former, now: now, encode: encode)
    }

    private mutating func register(
        _ request: HubRequest, _ pending: PendingRequest, former: ClientRegistration?, now: MonotonicTime,
        encode: Encode
    ) -> CommandOutcome {
        // While a link is there the hub has to hear of it; the snapshot of the next one tells it anyway.
        guard link != .down || held.hasRoom(for: 0) else { return .refused(.unavailable) }
        let sequence = append(request, pending, deadline: nil, expires: false, now: now, encode: encode)
        if pending.wantsReply { clients.waits(pending.client, for: sequence, former: former) }
        return .accepted
    }

    /// The client's registration holds, whatever the hub says later: it was away, and that counts as admitted.
    package mutating func registrationHolds(_ client: UInt64) {
        clients.decided(client)
    }

    /// The connection is gone, and with it all its memberships. `mayReturn`: the others are to miss it only after the
    /// grace time. Nothing happens for a client that is not known. `encode` is called for each of its rooms, too.
    package mutating func disconnect(_ client: UInt64, mayReturn: Bool, now: MonotonicTime, encode: Encode) {
        guard clients.remove(client) else { return }
        let left = rooms.rooms(of: client)
        rooms.removeClient(client)
        if !mayReturn { for room in left { appendLeave(client, room, now: now, encode: encode) } }
        append(
            .disconnect(mayReturn: mayReturn), PendingRequest(client: client, id: nil, purpose: .connect),
            isWaiting: false, deadline: nil, expires: false, now: now, encode: encode)
        // For the next hub, should this one be lost before it has told the others: that one does not know the rooms.
        if mayReturn { for room in left { appendLeave(client, room, now: now, encode: encode) } }
    }

    /// Hands a call of the backend's HTTP API to the hub; the answer's request has the purpose
    /// ``PendingRequest/Purpose/backend(ticket:)``. `false`: the bound is reached.
    package mutating func callBackend(
        ticket: UInt64, payloadBytes: Int, now: MonotonicTime, encode: Encode
    ) -> Bool {
        let pending = PendingRequest(client: 0, id: nil, purpose: .backend(ticket: ticket), wantsReply: true)
        return submit(.backend, pending, payloadBytes: payloadBytes, now: now, encode: encode) != nil
    }

    /// All of this worker's connections of a user.
    package func connections(of user: UserName) -> [Member] { clients.members(of: user) }
}
