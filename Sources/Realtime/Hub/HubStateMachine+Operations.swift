package import Model

extension HubStateMachine {
    /// Where an operation stands in its link's order.
    struct Place {
        var link: LinkIndex
        /// It happened before the snapshot, which therefore has what it led to.
        var isReplay: Bool
        /// This hub carried it out before the link broke; only what was to be told to the worker itself is missing.
        var isRepeated: Bool
    }

    /// Carries out one operation of a worker. Replies: where `wantsReply` says so, to every refusal, to every join with
    /// options, and to a plain join of a room with history, so that the worker knows its position. ``HubRequest/backend``
    /// is only put in its place: go on with ``carryOut(_:sequence:from:isRepeated:now:wallTime:output:)``.
    package mutating func received(
        _ operation: HubOperation, from link: LinkIndex, now: MonotonicTime, wallTime: Int64, output: any HubOutput
    ) -> Outcome {
        guard isRegistered(link), !isGathering else { return .outOfOrder }
        let context = Context(now: now, wallTime: wallTime, output: output)
        let isReplay = operation.sequence <= links[link].replayThrough
        links[link].receivedSequence = max(links[link].receivedSequence, operation.sequence)
        guard operation.sequence > links[link].lastSequence else {
            repeated(operation, Place(link: link, isReplay: isReplay, isRepeated: true), context)
            return .duplicate
        }
        links[link].lastSequence = operation.sequence
        if !isReplay, !links[link].replayedJoins.isEmpty { links[link].replayedJoins = [:] }
        carryOut(operation, Place(link: link, isReplay: isReplay, isRepeated: false), context)
        return .done
    }

    private mutating func carryOut(_ operation: HubOperation, _ place: Place, _ context: Context) {
        switch operation.request {
        case .join(let room, let options): joined(operation, room, options, place, context)
        case .leave(let room): left(operation, room, place, context)
        case .publish(let room, let id, let includesSender):
            published(operation, room, id, includesSender: includesSender, place, context)
        case .broadcast: broadcast(operation, place, context)
        case .direct(let user, let id): direct(operation, to: user, id, place, context)
        case .connect(let registration): connected(operation, registration, place, context)
        case .identify(let registration): identified(operation, registration, place, context)
        case .disconnect(let mayReturn): disconnected(operation, mayReturn: mayReturn, place, context)
        case .history(let room, let query):
            switch historyPage(room, query, context) {
            case .success(let page): reply(.history(page), operation, place, context)
            case .failure(let refusal): refuse(operation, refusal, place, context)
            }
        case .presence(let room, let countOnly):
            let index = rooms.index(of: room)
            let members = index.map { rooms.list[$0].presentCount } ?? 0
            let clients = countOnly ? nil : index.map { presence(in: $0) } ?? []
            reply(.presence(members: members, clients: clients), operation, place, context)
        case .typing(let room, let isTyping): typed(operation, room, isTyping, place, context)
        case .read(let room, let offset): read(operation, room, offset, place, context)
        case .confirm: done(operation, place, context)
        case .backend: break
        }
    }

    /// The worker did not hear what became of it.
    private mutating func repeated(_ operation: HubOperation, _ place: Place, _ context: Context) {
        switch operation.request {
        case .publish, .broadcast, .direct, .typing, .read:
            if let refusal = links[place.link].refusals.refusal(of: operation.sequence) {
                context.output.reply(.refused(refusal), sequence: operation.sequence, to: place.link)
                return
            }
            guard case .publish(let room, let id, _) = operation.request, keepsHistory(room) else {
                return done(operation, place, context)
            }
            guard let found = recorded(room, id, origin(of: operation, place), context) else {
                return context.output.reply(
                    .refused(ClientRefusal(.unavailable)), sequence: operation.sequence, to: place.link)
            }
            reply(.published(position: found.position, isRepetition: found.isRepetition), operation, place, context)
        case .join, .leave, .confirm, .connect, .identify, .disconnect, .history, .presence, .backend:
            carryOut(operation, place, context)
        }
    }

    /// What became of a publication that this hub took, as far as it can still be found out; `nil`: it cannot. In memory
    /// alone, positions of operations are not kept.
    mutating func recorded(
        _ room: RoomName, _ id: MessageID?, _ origin: OperationOrigin, _ context: Context
    ) -> (position: RoomPosition?, isRepetition: Bool)? {
        if let position = try? storage?.position(recordedFor: origin) { return (position, false) }
        if let id, let index = loaded(room, now: context.now, wallTime: context.wallTime),
            let history = rooms.list[index].history, let known = history.identifiers.offset(of: id)
        {
            return (RoomPosition(epoch: history.epoch, offset: known.offset), true)
        }
        return storage == nil ? (nil, false) : nil
    }

    // MARK: Replies

    /// The operation is carried out, and there is nothing more to say of it.
    func done(_ operation: HubOperation, _ place: Place, _ context: Context) {
        reply(.published(position: nil, isRepetition: false), operation, place, context)
    }

    func reply(_ reply: HubReply, _ operation: HubOperation, _ place: Place, _ context: Context) {
        guard operation.wantsReply else { return }
        context.output.reply(reply, sequence: operation.sequence, to: place.link)
    }

    mutating func refuse(_ operation: HubOperation, _ refusal: ClientRefusal, _ place: Place, _ context: Context) {
        links[place.link].refusals.append(refusal, of: operation.sequence)
        context.output.reply(.refused(refusal), sequence: operation.sequence, to: place.link)
    }

    /// `nil`: the client may send a message. Counts it.
    mutating func refusalByRate(
        _ client: UInt64, _ link: LinkIndex, isReplay: Bool, now: MonotonicTime
    ) -> ClientRefusal? {
        guard settings.limits.userRate != nil || settings.limits.addressRate != nil, !isReplay,
            let registration = registry.client(client, link: link)?.registration,
            let wait = rates.message(
                user: registration.user, address: registration.addressKey, limits: settings.limits, now: now)
        else { return nil }
        counts.rateLimited += 1
        return ClientRefusal(.rateLimited, retryAfter: wait)
    }

    // MARK: Messages

    private mutating func published(
        _ operation: HubOperation, _ name: RoomName, _ id: MessageID?, includesSender: Bool, _ place: Place,
        _ context: Context
    ) {
        if let decision = staging.take(link: place.link, sequence: operation.sequence, item: 0) {
            switch carryOut(decision, origin(of: operation, place), operation.publishedAt, context) {
            case .success(let result):
                reply(
                    .published(position: result.position, isRepetition: result.isRepetition), operation, place, context)
            case .failure(let refusal): refuse(operation, refusal, place, context)
            }
            return
        }
        let index = rooms.index(of: name)
        let keepsHistory = index.map { rooms.list[$0].rule.keepsHistory }
        if settings.keepsHistory, keepsHistory ?? settings.rules.rule(for: name).keepsHistory {
            return refuse(operation, ClientRefusal(.storageFailed), place, context)
        }
        if let refusal = refusalByRate(operation.client, place.link, isReplay: place.isReplay, now: context.now) {
            return refuse(operation, refusal, place, context)
        }
        counts.publications += 1
        if let index {
            targets.removeAll(keepingCapacity: true)
            rooms.targets(of: index, except: includesSender ? nil : (place.link, operation.client), into: &targets)
            var delivery = message(.message, operation, place, context)
            delivery.room = name
            delivery.messageID = id
            delivery.includesSubject = includesSender
            deliver(delivery, .ofOperation, context)
        }
        done(operation, place, context)
    }

    private mutating func broadcast(_ operation: HubOperation, _ place: Place, _ context: Context) {
        if let refusal = refusalByRate(operation.client, place.link, isReplay: place.isReplay, now: context.now) {
            return refuse(operation, refusal, place, context)
        }
        counts.publications += 1
        targetEverybody()
        deliver(message(.broadcast, operation, place, context), .ofOperation, context)
        done(operation, place, context)
    }

    private mutating func direct(
        _ operation: HubOperation, to user: UserName, _ id: MessageID?, _ place: Place, _ context: Context
    ) {
        if let refusal = refusalByRate(operation.client, place.link, isReplay: place.isReplay, now: context.now) {
            return refuse(operation, refusal, place, context)
        }
        counts.publications += 1
        targets.removeAll(keepingCapacity: true)
        registry.links(of: user, into: &targets)
        var delivery = message(.direct, operation, place, context)
        delivery.room = RoomName(user.text)
        delivery.messageID = id
        delivery.includesSubject = true
        deliver(delivery, .ofOperation, context)
        done(operation, place, context)
    }

    func origin(of operation: HubOperation, _ place: Place) -> OperationOrigin {
        OperationOrigin(boot: links[place.link].boot, sequence: operation.sequence)
    }

    private func message(
        _ kind: HubDeliveryKind, _ operation: HubOperation, _ place: Place, _ context: Context
    ) -> HubDelivery {
        let boot = links[place.link].boot
        var delivery = HubDelivery(
            origin: boot, sequence: operation.sequence, kind: kind,
            subject: ClientID(boot: boot, serial: operation.client), room: RoomName(""))
        delivery.user = registry.user(of: operation.client, link: place.link)
        delivery.time = context.wallTime
        delivery.publishedAt = operation.publishedAt
        return delivery
    }

    mutating func targetEverybody() {
        targets.removeAll(keepingCapacity: true)
        for index in links.indices where links[index].isOpen && links[index].isRegistered { targets.append(index) }
    }

    /// To ``targets``.
    func deliver(_ delivery: HubDelivery, _ payload: HubPayload, _ context: Context) {
        guard !targets.isEmpty else { return }
        context.output.deliver(delivery, payload: payload, to: targets)
    }

    /// Puts in force what was staged; `publishedAt`: when the worker took it in.
    mutating func carryOut(
        _ decision: Staging.Outcome, _ origin: OperationOrigin, _ publishedAt: MonotonicTime, _ context: Context
    ) -> Result<(position: RoomPosition, isRepetition: Bool), ClientRefusal> {
        switch decision {
        case .recorded(let index, let offset):
            guard let epoch = rooms.list[index].history?.epoch else { break }
            // What is before it and was not carried out (its link is gone) is recorded all the same.
            while let head = rooms.list[index].history?.head, head + 1 < offset {
                guard putInForce(index, nextOwnOrigin(), publishedAt, context) else { break }
            }
            guard putInForce(index, origin, publishedAt, context) else { break }
            return .success((RoomPosition(epoch: epoch, offset: offset), false))
        case .repetition(let position, _):
            counts.repetitions += 1
            return .success((position, true))
        case .recordedBefore(let position):
            return .success((position, false))
        case .refused(let refusal):
            return .failure(refusal)
        case .removal, .readMark:
            break
        }
        return .failure(ClientRefusal(.storageFailed))
    }

    /// Delivers the first of a room's staged messages; `false`: there is none.
    private mutating func putInForce(
        _ index: Int, _ origin: OperationOrigin, _ publishedAt: MonotonicTime, _ context: Context
    ) -> Bool {
        let size = rooms.list[index].rule.historySize
        guard let entry = rooms.list[index].history?.advance(size: size),
            let position = rooms.list[index].history?.position
        else { return false }
        counts.publications += 1
        counts.recorded += 1
        sweep.lastRecord = context.now
        targets.removeAll(keepingCapacity: true)
        rooms.targets(of: index, except: nil, into: &targets)
        // A link whose snapshot is not whole gets it when that is, in its place behind what was missed.
        targets.removeAll { !links[$0].isRegistered }
        var delivery = HubDelivery(
            origin: origin.boot, sequence: origin.sequence, kind: .message, subject: entry.subject,
            room: rooms.list[index].name)
        delivery.user = entry.user
        delivery.includesSubject = entry.includesSubject
        delivery.position = position
        delivery.messageID = entry.messageID
        delivery.time = entry.time
        delivery.publishedAt = publishedAt
        deliver(delivery, .bytes(entry.data), context)
        return true
    }
}

/// What a link's latest refused operations were refused with: needed again when the link breaks before it has been told.
struct Refusals {
    /// Above, the oldest is forgotten.
    static let capacity = 256

    private var list: [(sequence: UInt64, refusal: ClientRefusal)] = []
    private var next = 0
    /// Everything refused up to here is forgotten.
    private var forgotten: UInt64 = 0

    mutating func append(_ refusal: ClientRefusal, of sequence: UInt64) {
        guard list.count == Self.capacity else { return list.append((sequence, refusal)) }
        forgotten = list[next].sequence
        list[next] = (sequence, refusal)
        next = (next + 1) % Self.capacity
    }

    /// `nil`: it was not refused. What is not known any more was, to be safe.
    func refusal(of sequence: UInt64) -> ClientRefusal? {
        if sequence <= forgotten { return ClientRefusal(.unavailable) }
        return list.first { $0.sequence == sequence }?.refusal
    }
}
