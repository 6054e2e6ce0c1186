internal import DequeModule
internal import Model

/// Clients that are gone and may return: their leave is told only when the grace time is over.
struct PresenceGrace {
    struct Departure {
        var session: SessionID
        /// Rooms in which the others still believe it, by the hub's numbers.
        var rooms: Set<Int>
        fileprivate var number: UInt64
    }

    private var departures: [SessionID: Departure] = [:]
    private var order: Deque<(session: SessionID, number: UInt64, deadline: MonotonicTime)> = []
    private var lastNumber: UInt64 = 0

    var count: Int { departures.count }

    /// The client has left a room by the end of its connection.
    mutating func departed(_ session: SessionID, room: Int, deadline: MonotonicTime) {
        if departures[session] == nil {
            lastNumber += 1
            departures[session] = Departure(session: session, rooms: [], number: lastNumber)
            order.append((session, lastNumber, deadline))
        }
        departures[session]?.rooms.insert(room)
    }

    /// The client is back in a room; `false`: it is not awaited there.
    mutating func returned(_ session: SessionID, room: Int) -> Bool {
        guard departures[session]?.rooms.remove(room) != nil else { return false }
        if departures[session]?.rooms.isEmpty == true { departures[session] = nil }
        return true
    }

    var nextDeadline: MonotonicTime? { order.first?.deadline }

    /// The next client whose time is over, or who has to be given up because there are too many.
    mutating func expireFirst(now: MonotonicTime) -> Departure? {
        while let first = order.first {
            let isCurrent = departures[first.session]?.number == first.number
            guard !isCurrent || first.deadline <= now || departures.count > HubLimits.departures else { return nil }
            order.removeFirst()
            if isCurrent { return departures.removeValue(forKey: first.session) }
        }
        return nil
    }
}
