internal import DequeModule
package import Model

/// What is decided of a turn's operations before they are carried out.
struct Staging {
    enum Outcome {
        case recorded(room: Int, offset: UInt64)
        /// `isStaged`: of a message of this turn.
        case repetition(RoomPosition, isStaged: Bool)
        /// The last hub recorded it.
        case recordedBefore(RoomPosition)
        case removal(room: Int, through: UInt64)
        case readMark
        case refused(ClientRefusal)
    }

    struct Decision {
        /// -1: the hub itself.
        var link: Int
        var sequence: UInt64
        var item: Int
        var outcome: Outcome
    }

    var writes: [HistoryWrite] = []
    /// In the order of the operations.
    private var decisions: Deque<Decision> = []
    /// Rooms with something staged.
    private var touched: [Int] = []
    /// Rooms that are to be dropped from the storage.
    private var dropping: Set<RoomName> = []

    var isEmpty: Bool { decisions.isEmpty }

    mutating func decide(_ outcome: Outcome, link: Int, sequence: UInt64, item: Int) {
        decisions.append(Decision(link: link, sequence: sequence, item: item, outcome: outcome))
    }

    mutating func touch(_ room: Int) {
        if touched.last != room { touched.append(room) }
    }

    mutating func drop(_ room: RoomName) {
        dropping.insert(room)
        writes.append(.drop(room))
    }

    /// A room is needed again before it has been dropped.
    mutating func spare(_ room: RoomName) {
        guard !dropping.isEmpty, dropping.remove(room) != nil else { return }
        writes.removeAll { $0 == .drop(room) }
    }

    /// What was decided of an operation.
    mutating func take(link: Int, sequence: UInt64, item: Int) -> Outcome? {
        guard !decisions.isEmpty else { return nil }
        func fits(_ decision: Decision) -> Bool {
            decision.sequence == sequence && decision.link == link && decision.item == item
        }
        if fits(decisions[0]) { return decisions.removeFirst().outcome }
        guard let place = decisions.firstIndex(where: fits) else { return nil }
        return decisions.remove(at: place).outcome
    }

    mutating func forget(_ link: Int) {
        decisions.removeAll { $0.link == link }
    }

    /// The rooms concerned.
    mutating func committed() -> [Int] {
        writes.removeAll(keepingCapacity: true)
        dropping = []
        defer { touched.removeAll(keepingCapacity: true) }
        return touched
    }

    /// Nothing of it is recorded. The rooms concerned, and how many publications are refused.
    mutating func failed() -> (rooms: [Int], refused: Int) {
        var refused = 0
        for index in decisions.indices {
            switch decisions[index].outcome {
            case .recorded, .repetition(_, isStaged: true):
                refused += 1
                decisions[index].outcome = .refused(ClientRefusal(.storageFailed))
            case .removal, .readMark:
                decisions[index].outcome = .refused(ClientRefusal(.storageFailed))
            case .repetition(_, isStaged: false), .recordedBefore, .refused:
                break
            }
        }
        return (committed(), refused)
    }
}

extension HubStateMachine {
    /// What has to be committed before the staged operations are carried out.
    package var stagedWrites: [HistoryWrite] { staging.writes }

    package mutating func stagingCommitted() {
        for room in staging.committed() { rooms.list[room].history?.stagingCommitted() }
    }

    package mutating func stagingFailed() {
        let failed = staging.failed()
        counts.storageFailures += failed.refused
        for room in failed.rooms { rooms.list[room].history?.stagingFailed() }
    }

    /// Whether an operation has to be staged before it is carried out (for ``HubRequest/backend``: its calls are).
    package func needsStaging(_ request: HubRequest) -> Bool {
        guard settings.keepsHistory else { return false }
        switch request {
        case .publish(let room, _, _), .join(let room, _), .read(let room, _): return keepsHistory(room)
        case .backend: return true
        case .leave, .broadcast, .direct, .confirm, .connect, .identify, .disconnect, .history, .presence, .typing:
            return false
        }
    }

    func keepsHistory(_ room: RoomName) -> Bool {
        guard settings.keepsHistory else { return false }
        return rooms.index(of: room).map { rooms.list[$0].rule.keepsHistory }
            ?? settings.rules.rule(for: room).keepsHistory
    }

    /// Prepares an operation; ``received(_:from:now:wallTime:output:)`` carries it out. `payload`: the data of a
    /// publication, else empty. `wallTime`: milliseconds since 1970.
    package mutating func stage(
        _ operation: HubOperation, payload: [UInt8], from link: LinkIndex, now: MonotonicTime, wallTime: Int64
    ) {
        guard isRegistered(link), !isGathering, operation.sequence > links[link].lastSequence else { return }
        let isReplay = operation.sequence <= links[link].replayThrough
        let outcome: Staging.Outcome?
        switch operation.request {
        case .publish(let room, let id, let includesSender):
            guard keepsHistory(room) else { return }
            if let refusal = refusalByRate(operation.client, link, isReplay: isReplay, now: now) {
                outcome = .refused(refusal)
                break
            }
            outcome = stageMessage(
                StagedMessage(
                    room: room, subject: ClientID(boot: links[link].boot, serial: operation.client),
                    user: registry.user(of: operation.client, link: link), messageID: id, data: payload,
                    includesSubject: includesSender,
                    origin: OperationOrigin(boot: links[link].boot, sequence: operation.sequence)),
                isReplay: isReplay, now: now, wallTime: wallTime)
        case .read(let room, let offset):
            guard keepsHistory(room) else { return }
            if let refusal = refusalByRate(operation.client, link, isReplay: isReplay, now: now) {
                outcome = .refused(refusal)
            } else {
                outcome = stageRead(room, operation.client, link, offset, now: now, wallTime: wallTime)
            }
        case .join(let room, _):
            guard keepsHistory(room), let index = loaded(room, now: now, wallTime: wallTime) else { return }
            stageBegin(index, wallTime)
            return
        case .leave, .broadcast, .direct, .confirm, .connect, .identify, .disconnect, .history, .presence, .typing,
            .backend:
            return
        }
        if let outcome { staging.decide(outcome, link: link, sequence: operation.sequence, item: 0) }
    }

    /// Prepares calls of the backend; ``carryOut(_:sequence:from:isRepeated:now:wallTime:output:)`` carries them out.
    /// `sequence`: that of the worker's operation, or ``nextOwnSequence()`` with `link` `nil` (the control socket's).
    package mutating func stage(
        _ calls: [BackendCall], sequence: UInt64, from link: LinkIndex?, now: MonotonicTime, wallTime: Int64
    ) {
        var isReplay = false
        if let link {
            guard isRegistered(link), !isGathering, sequence > links[link].lastSequence else { return }
            isReplay = sequence <= links[link].replayThrough
        }
        let origin = link.map { links[$0].boot } ?? boot
        for (item, call) in calls.enumerated() {
            let outcome: Staging.Outcome
            switch call {
            case .publish(let room, let data, let id, let user):
                guard keepsHistory(room) else { continue }
                outcome = stageMessage(
                    StagedMessage(
                        room: room, subject: ClientID(boot: boot, serial: 0), user: user, messageID: id, data: data,
                        includesSubject: true, origin: OperationOrigin(boot: origin, sequence: sequence, item: item)),
                    isReplay: isReplay, now: now, wallTime: wallTime)
            case .removeHistory(let room):
                guard keepsHistory(room) else { continue }
                outcome = stageRemoval(room, now: now, wallTime: wallTime)
            case .broadcast, .direct, .presence, .history, .rooms, .disconnectUser, .disconnectClient, .subscribe,
                .unsubscribe, .user, .info:
                continue
            }
            staging.decide(outcome, link: link ?? -1, sequence: sequence, item: item)
        }
    }
}

// MARK: - One by one

extension HubStateMachine {
    struct StagedMessage {
        var room: RoomName
        var subject: ClientID
        var user: UserName?
        var messageID: MessageID?
        var data: [UInt8]
        var includesSubject: Bool
        var origin: OperationOrigin
    }

    private mutating func stageMessage(
        _ message: StagedMessage, isReplay: Bool, now: MonotonicTime, wallTime: Int64
    ) -> Staging.Outcome {
        guard let index = loaded(message.room, now: now, wallTime: wallTime) else { return storageRefusal() }
        if isReplay, let storage {
            do {
                if let position = try storage.position(recordedFor: message.origin) { return .recordedBefore(position) }
            } catch {
                return storageRefusal()
            }
        }
        let window = settings.idempotencyWindow
        let known = message.messageID.flatMap { id -> (offset: UInt64, isStaged: Bool)? in
            rooms.list[index].history?.identifiers.forget(before: wallTime - window)
            return rooms.list[index].history?.identifiers.offset(of: id)
        }
        if let known, let epoch = rooms.list[index].history?.epoch {
            return .repetition(RoomPosition(epoch: epoch, offset: known.offset), isStaged: known.isStaged)
        }
        stageBegin(index, wallTime)
        let rule = rooms.list[index].rule
        guard
            let entry = rooms.list[index].history?.stage(
                time: wallTime, subject: message.subject, user: message.user, messageID: message.messageID,
                data: message.data, includesSubject: message.includesSubject)
        else { return storageRefusal() }
        staging.touch(index)
        if storage != nil {
            staging.writes.append(
                .append(
                    message.room, entry, origin: message.origin, until: settings.until(rule, from: entry.time)))
            if let offset = rooms.list[index].history?.stageTrim(size: rule.historySize, isThorough: false) {
                staging.writes.append(.trim(message.room, through: offset))
            }
        }
        return .recorded(room: index, offset: entry.offset)
    }

    private mutating func storageRefusal() -> Staging.Outcome {
        counts.storageFailures += 1
        return .refused(ClientRefusal(.storageFailed))
    }

    /// The storage learns the epoch of a new history before anything of it is told.
    private mutating func stageBegin(_ index: Int, _ wallTime: Int64) {
        guard storage != nil, let epoch = rooms.list[index].history?.epoch,
            rooms.list[index].history?.stageBegin() == true
        else { return }
        staging.touch(index)
        let until = settings.until(rooms.list[index].rule, from: wallTime)
        staging.writes.append(.begin(rooms.list[index].name, epoch, until: until))
    }

    private mutating func stageRemoval(_ room: RoomName, now: MonotonicTime, wallTime: Int64) -> Staging.Outcome {
        guard let index = loaded(room, now: now, wallTime: wallTime), let history = rooms.list[index].history else {
            return storageRefusal()
        }
        let offset = history.stagedPosition.offset
        if storage != nil, history.isStored || history.hasStaged { staging.writes.append(.trim(room, through: offset)) }
        return .removal(room: index, through: offset)
    }

    /// `nil`: there is nothing to be recorded.
    private mutating func stageRead(
        _ room: RoomName, _ client: UInt64, _ link: LinkIndex, _ offset: UInt64, now: MonotonicTime, wallTime: Int64
    ) -> Staging.Outcome? {
        guard let user = registry.user(of: client, link: link) else { return nil }
        guard let index = loaded(room, now: now, wallTime: wallTime), let history = rooms.list[index].history else {
            return .refused(ClientRefusal(.storageFailed))
        }
        let reader = RoomReader.user(user)
        guard offset <= history.stagedPosition.offset, offset > rooms.list[index].readMarks[reader],
            rooms.list[index].readMarks.takes(reader), storage != nil
        else { return nil }
        stageBegin(index, wallTime)
        staging.writes.append(.readMark(room, user, offset: offset))
        return .readMark
    }
}
