package import Model

extension HubStateMachine {
    /// Carries out calls of the backend, which were staged under the same `sequence` and `link`. One result for each.
    /// `isRepeated`: ``received(_:from:now:wallTime:output:)`` said ``Outcome/duplicate``; nothing is sent again.
    package mutating func carryOut(
        _ calls: [BackendCall], sequence: UInt64, from link: LinkIndex?, isRepeated: Bool, now: MonotonicTime,
        wallTime: Int64, output: any HubOutput
    ) -> [BackendResult] {
        let context = Context(now: now, wallTime: wallTime, output: output)
        let boot = link.flatMap { isOpen($0) ? links[$0].boot : nil } ?? boot
        var budget = HubLimits.answerBytes
        return calls.enumerated().map { item, call in
            let origin = OperationOrigin(boot: boot, sequence: sequence, item: item)
            let decision = staging.take(link: link ?? -1, sequence: sequence, item: item)
            switch call {
            case .publish(let room, let data, let id, let user):
                return publish(room, data, id, user, origin, decision, isRepeated: isRepeated, context)
            case .broadcast(let data, let user):
                if !isRepeated {
                    counts.publications += 1
                    targetEverybody()
                    deliver(delivery(.broadcast, user, origin, context), .bytes(data), context)
                }
                return .connections(registry.count)
            case .direct(let receiver, let data, let id, let user):
                if !isRepeated {
                    counts.publications += 1
                    targets.removeAll(keepingCapacity: true)
                    registry.links(of: receiver, into: &targets)
                    var delivery = delivery(.direct, user, origin, context)
                    delivery.room = RoomName(receiver.text)
                    delivery.messageID = id
                    delivery.includesSubject = true
                    deliver(delivery, .bytes(data), context)
                }
                return .connections(registry.connectionCount(of: receiver))
            case .removeHistory(let room): return removeHistory(room, decision, isRepeated: isRepeated)
            case .presence, .history, .rooms, .user, .info:
                guard budget > 0 else { return .refused(Self.tooMuch) }
                let result = answer(call, context)
                budget -= cost(of: result)
                return result
            case .disconnectUser, .disconnectClient, .subscribe, .unsubscribe:
                return .connections(command(call, context))
            }
        }
    }

    private static var tooMuch: ClientRefusal {
        ClientRefusal(.unavailable, message: "The answer is too long: ask for less at once")
    }

    /// Of what was asked, in bytes of ``HubLimits/answerBytes``.
    private func cost(of result: BackendResult) -> Int {
        switch result {
        case .history(let page): page.entries.reduce(0) { $0 + $1.data.count + HubLimits.entryOverhead }
        case .presence(_, let clients):
            (clients ?? []).reduce(0) { $0 + ($1.info?.utf8.count ?? 0) + HubLimits.entryOverhead }
        case .rooms, .info: rooms.list.count * HubLimits.roomCost
        case .published, .connections, .historyRemoved, .user, .refused: HubLimits.entryOverhead
        }
    }

    private mutating func publish(
        _ room: RoomName, _ data: [UInt8], _ id: MessageID?, _ user: UserName?, _ origin: OperationOrigin,
        _ decision: Staging.Outcome?, isRepeated: Bool, _ context: Context
    ) -> BackendResult {
        let members = memberCount(of: room)
        if isRepeated {
            guard keepsHistory(room) else { return .published(position: nil, isRepetition: true, members: members) }
            guard let found = recorded(room, id, origin, context) else {
                return .refused(ClientRefusal(.unavailable))
            }
            return .published(position: found.position, isRepetition: true, members: members)
        }
        if let decision {
            switch carryOut(decision, deliveredAs(origin), context.now, context) {
            case .success(let result):
                return .published(position: result.position, isRepetition: result.isRepetition, members: members)
            case .failure(let refusal): return .refused(refusal)
            }
        }
        if keepsHistory(room) { return .refused(ClientRefusal(.storageFailed)) }
        counts.publications += 1
        if let index = rooms.index(of: room) {
            targets.removeAll(keepingCapacity: true)
            rooms.targets(of: index, except: nil, into: &targets)
            var delivery = delivery(.message, user, origin, context)
            delivery.room = room
            delivery.messageID = id
            deliver(delivery, .bytes(data), context)
        }
        return .published(position: nil, isRepetition: false, members: members)
    }

    /// Receivers drop what is not above the last sequence of its origin: only the first of a batch can have the
    /// operation's own.
    private mutating func deliveredAs(_ origin: OperationOrigin) -> OperationOrigin {
        origin.item == 0 && origin.boot != boot ? origin : nextOwnOrigin()
    }

    private mutating func delivery(
        _ kind: HubDeliveryKind, _ user: UserName?, _ origin: OperationOrigin, _ context: Context
    ) -> HubDelivery {
        let origin = deliveredAs(origin)
        var delivery = HubDelivery(
            origin: origin.boot, sequence: origin.sequence, kind: kind, subject: ClientID(boot: boot, serial: 0),
            room: RoomName(""))
        delivery.user = user
        delivery.time = context.wallTime
        delivery.publishedAt = context.now
        return delivery
    }

    private mutating func removeHistory(
        _ room: RoomName, _ decision: Staging.Outcome?, isRepeated: Bool
    ) -> BackendResult {
        guard keepsHistory(room) else { return .refused(ClientRefusal(.noHistory)) }
        switch decision {
        case .removal(let index, let offset):
            return .historyRemoved(count: rooms.list[index].history?.remove(through: offset) ?? 0)
        case .refused(let refusal):
            return .refused(refusal)
        case nil, .recorded, .repetition, .recordedBefore, .readMark:
            return isRepeated ? .historyRemoved(count: 0) : .refused(ClientRefusal(.storageFailed))
        }
    }

    private mutating func answer(_ call: BackendCall, _ context: Context) -> BackendResult {
        switch call {
        case .presence(let room, let countOnly):
            guard let index = rooms.index(of: room) else { return .presence(members: 0, clients: countOnly ? nil : []) }
            return .presence(
                members: rooms.list[index].presentCount, clients: countOnly ? nil : presence(in: index))
        case .history(let room, let query):
            switch historyPage(room, query, context) {
            case .success(let page): return .history(page)
            case .failure(let refusal): return .refused(refusal)
            }
        case .rooms(let prefix, let limit): return roomList(prefix, limit)
        case .user(let user):
            return .user(
                registry.connections(of: user).map { key in
                    UserConnection(
                        client: ClientID(boot: links[key.link].boot, serial: key.client),
                        info: registry.client(key.client, link: key.link)?.registration.info,
                        rooms: rooms.rooms(of: key.client, link: key.link).map { rooms.list[$0].name })
                })
        case .info, .publish, .broadcast, .direct, .removeHistory, .disconnectUser, .disconnectClient, .subscribe,
            .unsubscribe:
            return .info(figures)
        }
    }

    private func roomList(_ prefix: String, _ limit: Int) -> BackendResult {
        func precedes(_ one: RoomSummary, _ other: RoomSummary) -> Bool {
            one.name.text.utf8.lexicographicallyPrecedes(other.name.text.utf8)
        }
        let limit = min(max(limit, 0), HubLimits.roomsInAnswer)
        var found: [RoomSummary] = []
        var count = 0
        /// What is not before it is not among the first `limit`.
        var bar: RoomSummary?
        forEachSummary { room in
            guard room.members > 0 || room.messages > 0, room.name.text.utf8.starts(with: prefix.utf8) else { return }
            count += 1
            if let bar, !precedes(room, bar) { return }
            found.append(room)
            guard found.count > 2 * limit else { return }
            found.sort(by: precedes)
            found.removeLast(found.count - limit)
            bar = found.last
        }
        found.sort(by: precedes)
        return .rooms(Array(found.prefix(limit)), hasMore: count > limit)
    }

    /// How many connections it concerns.
    private func command(_ call: BackendCall, _ context: Context) -> Int {
        func all(of user: UserName, _ command: (UInt64) -> HubCommand) -> Int {
            let connections = registry.connections(of: user)
            for key in connections { context.output.command(command(key.client), to: key.link) }
            return connections.count
        }
        switch call {
        case .disconnectUser(let user, let code, let reason):
            return all(of: user) { .close(client: $0, code, reason: reason) }
        case .disconnectClient(let client, let code, let reason):
            guard let link = linkOfBoot[client.boot], registry.client(client.serial, link: link) != nil else {
                return 0
            }
            context.output.command(.close(client: client.serial, code, reason: reason), to: link)
            return 1
        case .subscribe(let user, let room): return all(of: user) { .subscribe(client: $0, room) }
        case .unsubscribe(let user, let room): return all(of: user) { .unsubscribe(client: $0, room) }
        case .publish, .broadcast, .direct, .presence, .history, .removeHistory, .rooms, .user, .info: return 0
        }
    }
}
