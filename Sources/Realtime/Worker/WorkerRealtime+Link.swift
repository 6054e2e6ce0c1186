package import Model

// MARK: - The hub link

extension WorkerRealtime {
    /// A link is connected. Send `hello`, the snapshot, `snapshotEnd` with the number returned, then what
    /// ``takeUnsent(_:)`` gives, all in this turn of the event loop.
    package mutating func beginLink() -> UInt64 {
        link = .registering
        held.linkLost()
        return held.lastSequence
    }

    /// The snapshot: each connected client, unless the hub is still to decide on it: that is asked again.
    package func forEachClient(_ body: (UInt64, ClientRegistration) -> Void) { clients.forEach(body) }

    /// The snapshot: each room with its live members' serials.
    package func forEachRoom(_ body: (RoomName, [UInt64]) -> Void) { rooms.forEachRoom(body) }

    /// The snapshot: how far the live members of rooms with history have been delivered these.
    package func forEachPosition(_ body: (RoomName, RoomPosition) -> Void) { rooms.forEachPosition(body) }

    /// There are operations to send on the present link.
    package var hasUnsent: Bool { link != .down && held.hasUnsent }

    package mutating func takeUnsent(_ body: (Frame) -> Void) {
        guard link != .down else { return }
        held.takeUnsent(body)
    }

    /// The hub said welcome. `isLate`: it took operations before it knew this worker's members, either because only
    /// the link had broken or because this worker came long after the others. `true`: deliveries may be lost, those of
    /// ``forEachLosingMember(_:)`` have to be closed.
    package mutating func welcomed(isLate: Bool) -> Bool {
        link = .up
        defer { wasWelcome = true }
        return wasWelcome && isLate
    }

    /// Clients that are members of a room that cannot catch up: one without history.
    package func forEachLosingMember(_ body: (Member) -> Void) {
        for client in rooms.unrecoverableClients() {
            if let member = clients[client]?.member { body(member) }
        }
    }

    /// The hub's command of that name: the members of the room have to be told of the gap; its next message says where
    /// the room is now.
    package mutating func membersMissed(_ room: RoomName) -> [Member] {
        rooms.forgetPosition(of: room)
        return rooms.members(of: room)
    }

    package mutating func linkLost() {
        link = .down
        held.linkLost()
    }
}

// MARK: - Deliveries

extension WorkerRealtime {
    /// Whom a delivery is for; `nil`: it is not new, or for nobody here. `bytes`: of its payload.
    ///
    /// A message of a room with history is new above the room's position here, anything else above what was last seen
    /// of its origin.
    package mutating func receive(_ delivery: HubDelivery, bytes: Int, now: MonotonicTime) -> Receivers<Member>? {
        if delivery.position == nil, !filter.admit(origin: delivery.origin, sequence: delivery.sequence) { return nil }
        let excluded = delivery.includesSubject || delivery.subject.boot != boot ? 0 : delivery.subject.serial
        switch delivery.kind {
        case .broadcast:
            return Receivers(members: [], isEveryone: true, excluded: excluded)
        case .direct:
            let members = clients.members(of: UserName(delivery.room.text))
            return members.isEmpty ? nil : Receivers(members: members, excluded: excluded)
        case .message, .userJoined, .userLeft, .typingStarted, .typingStopped, .read:
            guard let index = rooms.index(of: delivery.room), !rooms.rooms[index].members.isEmpty else { return nil }
            if let position = delivery.position {
                guard rooms.isNew(position, index) else { return nil }
                rooms.advance(index, to: position)
                if rooms.rules[rooms.rooms[index].rule].autoRead {
                    reads.delivered(delivery.room, offset: position.offset, now: now)
                }
            }
            if delivery.kind == .message { rooms.count(bytes: bytes, index) }
            return Receivers(members: rooms.rooms[index].members, excluded: excluded)
        }
    }

    /// When ``markRead(now:encode:)`` is next due.
    package var nextReadMark: MonotonicTime? { link == .up ? reads.due : nil }

    /// In rooms with `autoRead`: tells the hub what users have been delivered. While the hub is away it is kept, the
    /// latest of each room. `encode` is called for each operation. A client that left before counts as not having read.
    package mutating func markRead(now: MonotonicTime, encode: Encode) {
        guard link == .up else { return }
        let due = reads.take(now: now) { rooms.serials(of: $0) }
        for (room, offset, serials) in due {
            var told: Set<UserName> = []
            for client in serials {
                guard let user = clients.user(of: client), told.insert(user).inserted else { continue }
                let pending = PendingRequest(client: client, id: nil, purpose: .command(.read(room, offset: offset)))
                guard held.hasRoom(for: 0) else { return }
                append(
                    .read(room, offset: offset), pending, isWaiting: false, deadline: nil, expires: false, now: now,
                    encode: encode)
            }
        }
    }
}

// MARK: - Answers

extension WorkerRealtime {
    /// A join whose answer got lost with a link is sent again this often.
    package static var maxJoinAttempts: Int { 3 }

    /// The hub's reply to an operation; `nil`: nobody waits for it any more. `encode` is called at most once.
    package mutating func replied(
        sequence: UInt64, _ reply: HubReply, now: MonotonicTime, encode: Encode
    ) -> HubAnswer? {
        let request = held.takeRequest(sequence)
        if case .refused = reply { held.withdraw(sequence) }
        if case .admitted = reply, let client = request?.client, clients.isWaiting(client, for: sequence) {
            clients.decided(client)
        }
        var reply = reply
        var membership = HubAnswer.Membership.unchanged
        if let join = request?.join, let client = request?.client, !join.options.isPlain {
            membership = joinReplied(client, join.room, sequence, &reply, now: now, encode: encode)
        }
        // Behind this reply come deliveries above its position, for the members that are here already, too.
        if case .joined(let result) = reply, !result.isPartial, let position = result.position,
            let index = rooms.index(of: result.room)
        {
            rooms.advance(index, to: position)
        }
        return request.map { HubAnswer(request: $0, reply: reply, membership: membership) }
    }

    private mutating func joinReplied(
        _ client: UInt64, _ room: RoomName, _ sequence: UInt64, _ reply: inout HubReply, now: MonotonicTime,
        encode: Encode
    ) -> HubAnswer.Membership {
        let pending = rooms.pendingJoin(of: client, in: room)
        guard case .joined(var result) = reply else {
            guard let pending, pending.sequence == sequence else { return .unchanged }
            _ = rooms.leave(room, client: client)
            if pending.isKnownToHub { appendLeave(client, room, now: now, encode: encode) }
            return .ended
        }
        guard pending?.sequence == sequence else {
            if rooms.contains(client, in: room) { return .unchanged }
            result.missed = []
            result.isPartial = false
            result.recovery = .notAsked
            reply = .joined(result)
            return .withdrawn
        }
        if result.isPartial, let epoch = result.position?.epoch, let last = result.missed.last?.offset {
            rooms.setPending(client, in: room, sequence: 0)
            return .partial(RoomPosition(epoch: epoch, offset: last))
        }
        rooms.completeJoin(room, client: client)
        if result.recovery == .recovered, let position = result.position, rooms.rule(for: room).autoRead {
            reads.delivered(room, offset: position.offset, now: now)
        } else {
            reads.joined(client, room: room)
        }
        return .began
    }

    /// The hub's `ack`. Calls `answer` for each request that is decided by it: with `nil` where it succeeded and an
    /// answer is asked for or the worker itself waits; with the refusal where the answer was lost with a link. A
    /// ``PendingRequest/Purpose/continuation(_:_:)`` that is refused has left a gap: the client has to be closed (1013).
    package mutating func acknowledge(
        acknowledged: UInt64, settled: UInt64, now: MonotonicTime, encode: Encode,
        answer: (PendingRequest, ClientRefusal?) -> Void
    ) {
        var lost: [(sequence: UInt64, request: PendingRequest, deadline: MonotonicTime?)] = []
        held.acknowledge(acknowledged: acknowledged, settled: settled) { sequence, request, deadline in
            if request.wantsReply {
                lost.append((sequence, request, deadline))
            } else if request.id != nil || request.command == nil {
                answer(request, nil)
            }
        }
        for (sequence, request, deadline) in lost {
            switch request.purpose {
            case .connect, .identify:
                // Otherwise the snapshot of the new link has registered it.
                guard !repeatRegistration(sequence, request, now: now, encode: encode) else { continue }
                answer(request, nil)
            case .command(.join), .subscription, .continuation:
                guard !repeatJoin(sequence, request, deadline, now: now, encode: encode) else { continue }
                answer(request, ClientRefusal(.unavailable))
            case .command, .backend:
                answer(request, ClientRefusal(.unavailable))
            }
        }
    }

    /// Carried out, but the reply was lost: asks again. `false`: it is no longer wanted, or was asked too often; the
    /// client is no member then.
    private mutating func repeatJoin(
        _ sequence: UInt64, _ request: PendingRequest, _ deadline: MonotonicTime?, now: MonotonicTime, encode: Encode
    ) -> Bool {
        guard let (room, options) = request.join, let pending = rooms.pendingJoin(of: request.client, in: room),
            pending.sequence == sequence
        else { return false }
        guard pending.attempts < Self.maxJoinAttempts else {
            endPendingJoin(request.client, room, now: now, encode: encode)
            return false
        }
        let repetition = append(
            .join(room, options), request, deadline: deadline, expires: false, now: now, encode: encode)
        rooms.setPending(request.client, in: room, sequence: repetition, isRepetition: true)
        return true
    }

    /// Asks for the decision again. `false`: nobody waits for it.
    private mutating func repeatRegistration(
        _ sequence: UInt64, _ request: PendingRequest, now: MonotonicTime, encode: Encode
    ) -> Bool {
        guard clients.isWaiting(request.client, for: sequence), let client = clients[request.client] else {
            return false
        }
        let again: HubRequest =
            request.purpose == .connect ? .connect(client.registration) : .identify(client.registration)
        let repetition = append(again, request, deadline: nil, expires: false, now: now, encode: encode)
        clients.waits(request.client, forAnother: repetition)
        return true
    }

    private mutating func endPendingJoin(_ client: UInt64, _ room: RoomName, now: MonotonicTime, encode: Encode) {
        _ = rooms.leave(room, client: client)
        appendLeave(client, room, now: now, encode: encode)
    }

    /// Ends the waiting of requests the hub has not confirmed in time. `tell` is called for each client that has to
    /// be told ``ClientErrorCode/unavailable``: as the answer to its request, or as an error event where it asked for
    /// none; and for calls of the backend. What was never sent is dropped, but for leaves and plain joins. A plain join
    /// stays in force and reaches the hub later, asking again is harmless; any other join is over, a leave follows it
    /// (`encode` is called for each).
    package mutating func expire(now: MonotonicTime, encode: Encode, tell: (PendingRequest) -> Void) {
        for (sequence, request, dropped) in held.expire(now: now) {
            if let join = request.join, !join.options.isPlain,
                let pending = rooms.pendingJoin(of: request.client, in: join.room), pending.sequence == sequence
            {
                _ = rooms.leave(join.room, client: request.client)
                if !dropped || pending.isKnownToHub {
                    appendLeave(request.client, join.room, now: now, encode: encode)
                }
            }
            if request.id != nil || isToldUnasked(request, dropped: dropped) { tell(request) }
        }
    }

    private func isToldUnasked(_ request: PendingRequest, dropped: Bool) -> Bool {
        switch request.purpose {
        case .command(.join), .backend: true
        case .command(.publish), .command(.broadcast), .command(.direct): dropped
        case .command, .subscription, .continuation, .connect, .identify: false
        }
    }

    /// When ``expire(now:encode:tell:)`` is next due.
    package var nextDeadline: MonotonicTime? { held.nextDeadline }
}
