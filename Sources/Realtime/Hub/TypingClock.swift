internal import DequeModule
internal import Model

/// Who is typing where, and until when that is to be believed.
struct TypingClock {
    struct Key: Hashable {
        var room: Int
        var link: Int
        var client: UInt64
    }

    private struct Typing {
        var deadline: MonotonicTime
        /// When the others were last told.
        var toldAt: MonotonicTime
        /// `false`: has stopped, and is forgotten when its turn in `order` comes.
        var isOn = true
    }

    private var typing: [Key: Typing] = [:]
    /// One entry for each of `typing`; its time is not later than the deadline there.
    private var order: Deque<(key: Key, time: MonotonicTime)> = []

    /// `true`: the others have to be told. Again, too, when half of the time has gone since they were.
    mutating func began(_ key: Key, timeout: Duration, now: MonotonicTime) -> Bool {
        if let known = typing[key] {
            let isDue = !known.isOn || now - known.toldAt >= timeout / 2
            typing[key] = Typing(deadline: now + timeout, toldAt: isDue ? now : known.toldAt)
            return isDue
        }
        guard order.count < HubLimits.typing else { return false }
        typing[key] = Typing(deadline: now + timeout, toldAt: now)
        order.append((key, now + timeout))
        return true
    }

    /// `false`: it was not typing.
    mutating func ended(_ key: Key) -> Bool {
        guard !typing.isEmpty, typing[key]?.isOn == true else { return false }
        typing[key]?.isOn = false
        return true
    }

    var nextDeadline: MonotonicTime? { order.first?.time }

    /// Those whose time is over by now.
    mutating func expire(now: MonotonicTime) -> [Key] {
        var expired: [Key] = []
        while let first = order.first, first.time <= now {
            order.removeFirst()
            guard let known = typing[first.key] else { continue }
            if known.isOn, known.deadline > now {
                order.append((first.key, known.deadline))
            } else {
                typing[first.key] = nil
                if known.isOn { expired.append(first.key) }
            }
        }
        return expired
    }
}
