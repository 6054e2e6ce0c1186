internal import Model

extension HubStateMachine {
    /// A room that keeps history, with its history in memory and what is too old taken out. `nil`: the storage cannot be
    /// read.
    mutating func loaded(_ name: RoomName, now: MonotonicTime, wallTime: Int64) -> Int? {
        let index = self.index(of: name)
        rooms.list[index].lastUse = now
        if rooms.list[index].history == nil {
            staging.spare(name)
            do {
                if let stored = try storage?.load(name) {
                    var history = RoomHistory(stored)
                    history.trim(size: rooms.list[index].rule.historySize)
                    rooms.list[index].history = history
                    rooms.list[index].readMarks = ReadMarks(stored.readMarks)
                } else {
                    rooms.list[index].history = RoomHistory(epoch: epochs.next())
                }
            } catch {
                rooms.release(index)
                return nil
            }
        }
        let oldest = wallTime - rooms.list[index].rule.historyTTL.milliseconds
        rooms.list[index].history?.expire(before: oldest)
        return index
    }

    /// Gives a link that has registered what its members have not been delivered.
    mutating func catchUp(_ link: LinkIndex, _ context: Context) {
        let positions = links[link].positions
        links[link].positions = []
        var budget = settings.catchUpBytes
        for (name, position) in positions where keepsHistory(name) {
            // Where there are no members, nobody misses anything.
            guard let known = rooms.index(of: name), rooms.list[known].links.contains(where: { $0.link == link }) else {
                continue
            }
            if rooms.list[known].history == nil, let storage, (try? storage.position(of: name)) == position { continue }
            guard let index = loaded(name, now: context.now, wallTime: context.wallTime),
                let history = rooms.list[index].history
            else {
                gap(name, link, context)
                continue
            }
            if let failure = history.failure(since: position) {
                if failure == .ahead { beginAnew(index, context) } else { gap(name, link, context) }
                continue
            }
            let missed = history.entries(above: position.offset, maxBytes: budget)
            let bytes = missed.entries.reduce(0) { $0 + $1.data.count + HubLimits.entryOverhead }
            guard !missed.hasMore, bytes <= budget else {
                gap(name, link, context)
                continue
            }
            budget -= bytes
            for entry in missed.entries { redeliver(entry, index, link, context) }
        }
    }

    /// A worker was delivered more than is recorded: the storage has lost its end. No offset must come again with another
    /// message, so the room gets a new epoch, and all of its members are told.
    private mutating func beginAnew(_ index: Int, _ context: Context) {
        rooms.list[index].history = RoomHistory(epoch: epochs.next())
        rooms.list[index].readMarks = ReadMarks()
        for entry in rooms.list[index].links { gap(rooms.list[index].name, entry.link, context) }
    }

    private mutating func gap(_ room: RoomName, _ link: LinkIndex, _ context: Context) {
        counts.gaps += 1
        context.output.command(.membersMissed(room), to: link)
    }

    private mutating func redeliver(_ entry: HistoryEntry, _ room: Int, _ link: LinkIndex, _ context: Context) {
        guard let epoch = rooms.list[room].history?.epoch else { return }
        counts.caughtUp += 1
        let origin = nextOwnOrigin()
        var delivery = HubDelivery(
            origin: origin.boot, sequence: origin.sequence, kind: .message, subject: entry.subject,
            room: rooms.list[room].name)
        delivery.user = entry.user
        delivery.includesSubject = entry.includesSubject
        delivery.position = RoomPosition(epoch: epoch, offset: entry.offset)
        delivery.messageID = entry.messageID
        delivery.time = entry.time
        context.output.deliver(delivery, payload: .bytes(entry.data), to: [link])
    }

    /// What a joining client learns; the membership is made only if it is not partial. `nil`: the storage cannot be read.
    mutating func joinResult(_ name: RoomName, _ options: JoinOptions, _ context: Context) -> JoinResult? {
        var result = JoinResult(room: name)
        guard keepsHistory(name) else {
            if options.since != nil { result.recovery = .failed(.noHistory) }
            return result
        }
        guard let index = loaded(name, now: context.now, wallTime: context.wallTime),
            let history = rooms.list[index].history
        else { return nil }
        result.position = history.position
        guard let since = options.since else { return result }
        if let failure = history.failure(since: since) {
            result.recovery = .failed(failure)
        } else {
            let missed = history.entries(above: since.offset, maxBytes: settings.recoveryPage)
            result.recovery = .recovered
            result.missed = missed.entries
            result.isPartial = missed.hasMore
        }
        return result
    }

    mutating func historyPage(_ room: RoomName, _ query: HistoryQuery, _ context: Context) -> Result<
        HistoryPage, ClientRefusal
    > {
        guard keepsHistory(room) else { return .failure(ClientRefusal(.noHistory)) }
        guard let index = loaded(room, now: context.now, wallTime: context.wallTime),
            let history = rooms.list[index].history
        else { return .failure(ClientRefusal(.storageFailed)) }
        let page = history.page(query, maxBytes: settings.recoveryPage)
        return .success(
            HistoryPage(room: room, position: history.position, entries: page.entries, hasMore: page.hasMore))
    }
}
