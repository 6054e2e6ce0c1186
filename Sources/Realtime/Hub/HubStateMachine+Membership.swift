internal import Model

// MARK: - Joining

extension HubStateMachine {
    mutating func joined(
        _ operation: HubOperation, _ name: RoomName, _ options: JoinOptions, _ place: Place, _ context: Context
    ) {
        let result = joinResult(name, options, context)
        if options.isPlain, place.isReplay || place.isRepeated {
            // The snapshot has the membership. Nobody may have heard of it yet, unless its return was announced.
            if !place.isRepeated, let room = rooms.index(of: name) {
                announceReplay(.userJoined, operation, room, place, context)
            }
            return replyJoined(operation, result, options, name, place, context)
        }
        guard result != nil || options.isPlain else {
            return refuse(operation, ClientRefusal(.storageFailed), place, context)
        }
        if let result, result.isPartial {
            return context.output.reply(.joined(result), sequence: operation.sequence, to: place.link)
        }
        let room = index(of: name)
        let isNew = rooms.insert(operation.client, link: place.link, room: room)
        if isNew, place.isReplay || place.isRepeated {
            links[place.link].replayedJoins[name, default: []].insert(operation.client)
        }
        // Before the reply, which is not to hold the place that the client takes as well as the client.
        let isBack = isNew && returns(operation.client, options.session, room: room, place, context)
        replyJoined(operation, result, options, name, place, context)
        guard isNew else {
            if place.isReplay, !place.isRepeated { announceReplay(.userJoined, operation, room, place, context) }
            return
        }
        guard !isBack else { return }
        let origin = place.isRepeated ? nextOwnOrigin() : origin(of: operation, place)
        announce(.userJoined, operation.client, link: place.link, room: room, origin: origin, context)
    }

    /// The client takes the place of its session's former connection.
    private mutating func returns(
        _ client: UInt64, _ session: SessionID?, room: Int, _ place: Place, _ context: Context
    ) -> Bool {
        guard let session else { return false }
        return resumes(session, client, link: place.link, room: room)
            || takesOver(session, client, room: room, place, context)
    }

    /// `result` `nil`: the storage cannot be read, and the member is one all the same.
    private mutating func replyJoined(
        _ operation: HubOperation, _ result: JoinResult?, _ options: JoinOptions, _ name: RoomName, _ place: Place,
        _ context: Context
    ) {
        var result = result ?? JoinResult(room: name)
        guard !options.isPlain || operation.wantsReply || result.position != nil else { return }
        if let room = rooms.index(of: name) {
            result.members = rooms.list[room].presentCount
            if options.presence { result.presence = presence(in: room) }
        }
        switch result.recovery {
        case .notAsked: break
        case .recovered: counts.resumesRecovered += 1
        case .failed: counts.resumesFailed += 1
        }
        context.output.reply(.joined(result), sequence: operation.sequence, to: place.link)
    }

    /// The client is one that the others in the room still believe to be there: it takes that place, and they are told
    /// nothing.
    mutating func resumes(_ session: SessionID, _ client: UInt64, link: LinkIndex, room: Int) -> Bool {
        guard let former = rooms.list[room].lingering[session], former.user == registry.user(of: client, link: link),
            grace.returned(session, room: room)
        else { return false }
        rooms.list[room].lingering[session] = nil
        if former.client != ClientID(boot: links[link].boot, serial: client) {
            rooms.list[room].aliases[ClientRegistry.Key(link: link, client: client)] = former.client
        }
        counts.returned += 1
        return true
    }
}

extension HubStateMachine {
    /// The session's former connection is still believed to be alive (a network that broke without a word): the new one
    /// takes its place, and the others are told nothing.
    private mutating func takesOver(
        _ session: SessionID, _ client: UInt64, room: Int, _ place: Place, _ context: Context
    ) -> Bool {
        let key = ClientRegistry.Key(link: place.link, client: client)
        guard let former = registry.connection(of: session), former != key,
            registry.user(of: former.client, link: former.link) == registry.user(of: client, link: place.link),
            rooms.remove(former.client, link: former.link, room: room)
        else { return false }
        let boot = links[former.link].boot
        stoppedTyping(former.client, link: former.link, boot: boot, room: room, context)
        let alias = forgetMember(former.client, link: former.link, boot: boot, room: room)
        rooms.list[room].aliases[key] = alias ?? ClientID(boot: boot, serial: former.client)
        counts.returned += 1
        context.output.command(
            .close(client: former.client, .replaced, reason: "resumed by a newer connection"), to: former.link)
        return true
    }
}

// MARK: - Leaving

extension HubStateMachine {
    mutating func left(_ operation: HubOperation, _ name: RoomName, _ place: Place, _ context: Context) {
        defer { done(operation, place, context) }
        guard let room = rooms.index(of: name) else { return }
        if place.isReplay || place.isRepeated,
            links[place.link].replayedJoins[name]?.remove(operation.client) == nil
        {
            if !place.isRepeated { announceReplay(.userLeft, operation, room, place, context) }
            return
        }
        guard rooms.remove(operation.client, link: place.link, room: room) else { return }
        stoppedTyping(operation.client, link: place.link, boot: links[place.link].boot, room: room, context)
        announce(
            .userLeft, operation.client, link: place.link, room: room, origin: origin(of: operation, place), context)
        forgetMember(operation.client, link: place.link, boot: links[place.link].boot, room: room)
        emptied(room, context)
    }

    /// A member's connection is gone, and it is taken out of the room already. `size`: members there would be with it.
    /// `mayReturn` `nil`: as its registration says.
    mutating func departed(
        _ client: UInt64, link: LinkIndex, boot: BootID, room: Int, size: Int, mayReturn: Bool?, _ context: Context
    ) {
        stoppedTyping(client, link: link, boot: boot, room: room, context)
        let alias = forgetMember(client, link: link, boot: boot, room: room)
        guard size <= settings.announceMax else { return }
        let registration = registry.client(client, link: link)?.registration
        let subject = alias ?? ClientID(boot: boot, serial: client)
        if let registration, mayReturn ?? registration.mayReturn, settings.presenceGrace > .zero {
            rooms.list[room].lingering[registration.session] = HubRooms.Lingering(
                client: subject, user: registration.user, info: registration.info)
            grace.departed(
                registration.session, room: room, deadline: context.now + settings.presenceGrace)
            return
        }
        tellLeft(subject, registration?.user, room: room, context)
    }

    /// To all members that are left.
    mutating func tellLeft(_ subject: ClientID, _ user: UserName?, room: Int, _ context: Context) {
        targets.removeAll(keepingCapacity: true)
        rooms.targets(of: room, except: nil, into: &targets)
        guard !targets.isEmpty else { return }
        let origin = nextOwnOrigin()
        var delivery = HubDelivery(
            origin: origin.boot, sequence: origin.sequence, kind: .userLeft, subject: subject,
            room: rooms.list[room].name)
        delivery.user = user
        deliver(delivery, .none, context)
    }

    /// What is known of a member in the room; its alias.
    @discardableResult
    private mutating func forgetMember(_ client: UInt64, link: LinkIndex, boot: BootID, room: Int) -> ClientID? {
        rooms.list[room].readMarks.forget(ClientID(boot: boot, serial: client))
        guard !rooms.list[room].aliases.isEmpty else { return nil }
        return rooms.list[room].aliases.removeValue(forKey: ClientRegistry.Key(link: link, client: client))
    }

    /// After members have gone: a room that nobody is in, or is expected back in, is empty.
    mutating func emptied(_ room: Int, _ context: Context) {
        guard rooms.list[room].isInUse, rooms.list[room].presentCount == 0 else { return }
        if settings.tellsRoomEmpty, rooms.list[room].rule.webhooks,
            let link = links.indices.first(where: { links[$0].isOpen && links[$0].isRegistered })
        {
            context.output.command(.roomEmpty(rooms.list[room].name), to: link)
        }
        rooms.release(room)
    }
}

// MARK: - Announcing

extension HubStateMachine {
    /// Tells the others of a join or leave that has happened, in rooms that are not too big for it.
    mutating func announce(
        _ kind: HubDeliveryKind, _ client: UInt64, link: LinkIndex, room: Int, origin: OperationOrigin,
        _ context: Context
    ) {
        let after = rooms.list[room].memberCount
        guard (kind == .userLeft ? after + 1 : after) <= settings.announceMax else { return }
        targets.removeAll(keepingCapacity: true)
        rooms.targets(of: room, except: (link, client), into: &targets)
        guard !targets.isEmpty else { return }
        let registration = registry.client(client, link: link)?.registration
        let alias = rooms.list[room].aliases[ClientRegistry.Key(link: link, client: client)]
        var delivery = HubDelivery(
            origin: origin.boot, sequence: origin.sequence, kind: kind,
            subject: alias ?? ClientID(boot: links[link].boot, serial: client), room: rooms.list[room].name)
        delivery.user = registration?.user
        let info = kind == .userJoined ? registration?.info : nil
        deliver(delivery, info.map { .bytes(Array($0.utf8)) } ?? .none, context)
    }

    /// What happened under the last hub; nobody may have heard of it. Not where this one has told it in its own way.
    private mutating func announceReplay(
        _ kind: HubDeliveryKind, _ operation: HubOperation, _ room: Int, _ place: Place, _ context: Context
    ) {
        guard !links[place.link].isReturning else { return }
        announce(
            kind, operation.client, link: place.link, room: room, origin: origin(of: operation, place), context)
    }

    /// Who is in a room, up to ``HubLimits/presenceBytes``. In no particular order.
    func presence(in room: Int) -> [PresenceEntry] {
        var entries: [PresenceEntry] = []
        var budget = HubLimits.presenceBytes
        func add(_ client: ClientID, _ user: UserName?, _ info: String?) -> Bool {
            budget -= 64 + (user?.text.utf8.count ?? 0) + (info?.utf8.count ?? 0)
            guard budget >= 0 else { return false }
            entries.append(PresenceEntry(client: client, user: user, info: info))
            return true
        }
        for entry in rooms.list[room].links {
            for client in entry.members {
                let registration = registry.client(client, link: entry.link)?.registration
                let alias = rooms.list[room].aliases[ClientRegistry.Key(link: entry.link, client: client)]
                let id = alias ?? ClientID(boot: links[entry.link].boot, serial: client)
                guard add(id, registration?.user, registration?.info) else { return entries }
            }
        }
        for former in rooms.list[room].lingering.values {
            guard add(former.client, former.user, former.info) else { return entries }
        }
        return entries
    }
}
