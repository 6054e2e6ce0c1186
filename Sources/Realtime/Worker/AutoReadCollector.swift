internal import Model

/// What was delivered in rooms whose rule is `autoRead`, until it is told to the hub: for each room the highest offset,
/// at most every ``interval``.
struct AutoReadCollector {
    static let interval = Duration.milliseconds(500)
    /// Read operations at one time; the rest comes an interval later.
    static let maxReads = 1000

    struct Mark {
        var offset: UInt64
        /// Live members that came without having been given the message.
        var newcomers: Set<UInt64> = []
        /// The member to begin with; moves on, so that in a large room everyone's turn comes.
        var next = 0
        /// Members that have not been told; `nil`: all.
        var left: Int?
    }

    /// Rooms with something to tell: no more than have members here.
    private(set) var marks: [RoomName: Mark] = [:]
    private var order: [RoomName] = []
    private(set) var due: MonotonicTime?
    private var lastFlush: MonotonicTime?

    mutating func delivered(_ room: RoomName, offset: UInt64, now: MonotonicTime) {
        if let known = marks[room] {
            marks[room] = Mark(offset: offset, next: known.next)
        } else {
            marks[room] = Mark(offset: offset)
            order.append(room)
        }
        if due == nil { due = max(now, lastFlush.map { $0 + Self.interval } ?? now) }
    }

    /// A client became a live member and was not given what came before.
    mutating func joined(_ client: UInt64, room: RoomName) {
        marks[room]?.newcomers.insert(client)
    }

    /// The rooms to tell now, for at most ``maxReads`` members in all. `members`: of a room.
    mutating func take(now: MonotonicTime, members: (RoomName) -> [UInt64]) -> [(RoomName, UInt64, [UInt64])] {
        guard let due, due <= now else { return [] }
        var budget = Self.maxReads
        var taken: [(RoomName, UInt64, [UInt64])] = []
        var finished = 0
        for room in order where budget > 0 {
            guard var mark = marks[room] else { continue }
            let all = members(room)
            let left = min(mark.left ?? all.count, all.count)
            let count = min(left, budget)
            budget -= count
            let part = (0..<count).map { all[(mark.next + $0) % all.count] }
            taken.append((room, mark.offset, part.filter { !mark.newcomers.contains($0) }))
            mark.next = all.isEmpty ? 0 : (mark.next + count) % all.count
            mark.left = left - count
            if mark.left == 0 {
                marks[room] = nil
                finished += 1
            } else {
                marks[room] = mark
            }
        }
        order.removeFirst(finished)
        lastFlush = now
        self.due = order.isEmpty ? nil : now + Self.interval
        return taken
    }
}
