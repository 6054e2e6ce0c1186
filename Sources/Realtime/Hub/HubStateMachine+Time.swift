package import Model

/// When the hub looks for what is too old, and how far it has come.
struct Sweep {
    /// Between two looks into the storage, in sweeps.
    static let storageEvery = 6

    var next: MonotonicTime
    /// The next room to look at.
    var room = 0
    var count = 0
    /// When operations were first taken; before, nothing is forgotten of which operations are recorded.
    var servingSince: MonotonicTime?
    /// When a publication was last recorded: long after, there is nothing to forget.
    var lastRecord: MonotonicTime

    init(now: MonotonicTime) {
        next = now + HubLimits.sweepInterval
        lastRecord = now
    }

    mutating func began(now: MonotonicTime) {
        servingSince = now
        lastRecord = now
    }
}

extension HubStateMachine {
    /// When ``timeElapsed(now:wallTime:output:)`` is next due.
    package var nextDeadline: MonotonicTime {
        min(sweep.next, typing.nextDeadline ?? sweep.next, grace.nextDeadline ?? sweep.next)
    }

    /// What happens by the passing of time. Between turns; it may leave ``stagedWrites``, which are then to be committed
    /// before anything is staged.
    package mutating func timeElapsed(now: MonotonicTime, wallTime: Int64, output: any HubOutput) {
        let context = Context(now: now, wallTime: wallTime, output: output)
        typingExpired(context)
        while let departure = grace.expireFirst(now: now) { givenUp(departure, context) }
        guard now >= sweep.next else { return }
        let end = min(sweep.room + HubLimits.sweepSlice, rooms.list.count)
        for room in min(sweep.room, end)..<end where rooms.list[room].isInUse { sweepRoom(room, context) }
        sweep.room = end
        guard end == rooms.list.count else { return }
        sweep.room = 0
        sweep.next = now + HubLimits.sweepInterval
        sweep.count += 1
        rates.prune(now: now)
        if sweep.count.isMultiple(of: Sweep.storageEvery) { sweepStorage(context) }
    }

    /// A client has not come back in time.
    private mutating func givenUp(_ departure: PresenceGrace.Departure, _ context: Context) {
        for room in departure.rooms.sorted() {
            guard let former = rooms.list[room].lingering.removeValue(forKey: departure.session) else { continue }
            if rooms.list[room].memberCount < settings.announceMax {
                tellLeft(former.client, former.user, room: room, context)
            }
            emptied(room, context)
        }
    }

    private mutating func sweepRoom(_ room: Int, _ context: Context) {
        guard rooms.list[room].history != nil else { return }
        let rule = rooms.list[room].rule
        rooms.list[room].history?.expire(before: context.wallTime - rule.historyTTL.milliseconds)
        rooms.list[room].history?.identifiers.forget(before: context.wallTime - settings.idempotencyWindow)
        if storage != nil, rooms.list[room].history?.isStored == true,
            let offset = rooms.list[room].history?.stageTrim(size: rule.historySize, isThorough: true)
        {
            staging.touch(room)
            staging.writes.append(.trim(rooms.list[room].name, through: offset))
        }
        guard rooms.list[room].presentCount == 0, context.now - rooms.list[room].lastUse >= HubLimits.idleTime,
            let history = rooms.list[room].history, !history.hasStaged
        else { return }
        // In memory alone, it is kept as long as there is anything.
        if storage != nil || (history.entries.isEmpty && history.identifiers.isEmpty) {
            rooms.list[room].history = nil
            rooms.release(room)
        }
    }

    private mutating func sweepStorage(_ context: Context) {
        guard let storage, let since = sweep.servingSince else { return }
        for name in (try? storage.expired(before: context.wallTime, limit: HubLimits.expiredRooms)) ?? [] {
            if let room = rooms.index(of: name) {
                let until = settings.until(rooms.list[room].rule, from: context.wallTime)
                staging.writes.append(.keep(name, until: until))
            } else {
                staging.drop(name)
            }
        }
        let originWindow = HubLimits.originWindow
        let longest = max(originWindow, .milliseconds(settings.idempotencyWindow)) + .seconds(120)
        guard context.now - since >= originWindow, context.now - sweep.lastRecord <= longest + originWindow else {
            return
        }
        staging.writes.append(.forgetIdentifiers(before: context.wallTime - settings.idempotencyWindow))
        staging.writes.append(.forgetOrigins(before: context.wallTime - originWindow.milliseconds))
    }
}
