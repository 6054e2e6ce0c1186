internal import Model

// MARK: - Typing

extension HubStateMachine {
    mutating func typed(
        _ operation: HubOperation, _ name: RoomName, _ isTyping: Bool, _ place: Place, _ context: Context
    ) {
        if let refusal = refusalByRate(operation.client, place.link, isReplay: place.isReplay, now: context.now) {
            return refuse(operation, refusal, place, context)
        }
        defer { done(operation, place, context) }
        guard let room = rooms.index(of: name), rooms.list[room].memberCount <= settings.announceMax,
            rooms.contains(operation.client, link: place.link, room: room)
        else { return }
        let key = TypingClock.Key(room: room, link: place.link, client: operation.client)
        let isNews =
            isTyping ? typing.began(key, timeout: settings.typingTimeout, now: context.now) : typing.ended(key)
        guard isNews else { return }
        tellTyping(
            isTyping, ClientID(boot: links[place.link].boot, serial: operation.client), key,
            origin: origin(of: operation, place), context)
    }

    /// A client that leaves types no more.
    mutating func stoppedTyping(_ client: UInt64, link: LinkIndex, boot: BootID, room: Int, _ context: Context) {
        let key = TypingClock.Key(room: room, link: link, client: client)
        guard typing.ended(key) else { return }
        tellTyping(false, ClientID(boot: boot, serial: client), key, origin: nextOwnOrigin(), context)
    }

    mutating func typingExpired(_ context: Context) {
        for key in typing.expire(now: context.now) where isOpen(key.link) {
            let subject = ClientID(boot: links[key.link].boot, serial: key.client)
            tellTyping(false, subject, key, origin: nextOwnOrigin(), context)
        }
    }

    private mutating func tellTyping(
        _ isTyping: Bool, _ subject: ClientID, _ key: TypingClock.Key, origin: OperationOrigin, _ context: Context
    ) {
        targets.removeAll(keepingCapacity: true)
        rooms.targets(of: key.room, except: (key.link, key.client), into: &targets)
        var delivery = HubDelivery(
            origin: origin.boot, sequence: origin.sequence, kind: isTyping ? .typingStarted : .typingStopped,
            subject: subject, room: rooms.list[key.room].name)
        delivery.user = registry.user(of: key.client, link: key.link)
        deliver(delivery, .none, context)
    }
}

// MARK: - Read marks

extension HubStateMachine {
    mutating func read(
        _ operation: HubOperation, _ name: RoomName, _ offset: UInt64, _ place: Place, _ context: Context
    ) {
        switch staging.take(link: place.link, sequence: operation.sequence, item: 0) {
        case .refused(let refusal): return refuse(operation, refusal, place, context)
        case .readMark: break
        case nil, .recorded, .repetition, .recordedBefore, .removal:
            // A staged one was counted when it was staged.
            if !keepsHistory(name),
                let refusal = refusalByRate(operation.client, place.link, isReplay: place.isReplay, now: context.now)
            {
                return refuse(operation, refusal, place, context)
            }
        }
        let user = registry.user(of: operation.client, link: place.link)
        let subject = ClientID(boot: links[place.link].boot, serial: operation.client)
        let isDurable = keepsHistory(name)
        let found = isDurable ? loaded(name, now: context.now, wallTime: context.wallTime) : rooms.index(of: name)
        guard let room = found else {
            // Without members there is nobody whom it would concern.
            if isDurable { return refuse(operation, ClientRefusal(.storageFailed), place, context) }
            return done(operation, place, context)
        }
        if let head = rooms.list[room].history?.head, offset > head {
            return refuse(operation, ClientRefusal(.invalidPosition), place, context)
        }
        let reader = user.map { RoomReader.user($0) } ?? .client(subject)
        guard rooms.list[room].readMarks.takes(reader) else {
            return refuse(operation, ClientRefusal(.unavailable), place, context)
        }
        // An anonymous client's mark goes with its membership.
        let isKept = user != nil || rooms.contains(operation.client, link: place.link, room: room)
        if isKept, rooms.list[room].readMarks.advance(reader, to: offset),
            rooms.list[room].memberCount <= settings.announceMax
        {
            targets.removeAll(keepingCapacity: true)
            rooms.targets(of: room, except: (place.link, operation.client), into: &targets)
            let origin = origin(of: operation, place)
            var delivery = HubDelivery(
                origin: origin.boot, sequence: origin.sequence, kind: .read, subject: subject, room: name)
            delivery.user = user
            delivery.offset = offset
            deliver(delivery, .none, context)
        }
        done(operation, place, context)
    }
}
