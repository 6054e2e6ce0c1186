import BitCollections
internal import DequeModule

/// Knows, for each origin link, up to which sequence everything that came of its operations has been handed to the
/// kernel.
///
/// Links are small dense numbers (``HubStateMachine/LinkIndex``). Within one turn of the event loop a link's output
/// grows and is then flushed as a whole, so that marks are made once a turn: an origin's operations of one turn
/// settle together, when each link that got something of them has flushed what it had at the end of that turn.
package struct SettlementTracker {
    private struct Entry {
        var sequence: UInt64
        var waitingFor: Int
    }

    private struct Origin {
        /// Grows when the number is given to another link.
        var generation = 0
        var settled: UInt64 = 0
        var turn: (sequence: UInt64, targets: BitSet)?
        var entries: Deque<Entry> = []
        /// Number of the first of `entries`; each entry ever made has its own.
        var firstEntry = 0
    }

    private struct Mark {
        var position: UInt64
        var origin: Int
        var generation: Int
        var entry: Int
    }

    private var origins: [Origin] = []
    private var marks: [Deque<Mark>] = []
    private var turnOrigins: [Int] = []
    private var changed: BitSet = []

    package init() {}

    /// In this turn an operation was carried out, and something of it was queued for `targets`.
    package mutating func processed(_ sequence: UInt64, from origin: Int, targets: [Int]) {
        reserve(max(origin, targets.max() ?? 0))
        if origins[origin].turn == nil {
            turnOrigins.append(origin)
            origins[origin].turn = (sequence, [])
        }
        origins[origin].turn?.sequence = sequence
        for target in targets { origins[origin].turn?.targets.insert(target) }
    }

    /// The turn is over. `position`: bytes ever queued for a link.
    package mutating func endTurn(position: (Int) -> UInt64) {
        for origin in turnOrigins {
            guard let turn = origins[origin].turn else { continue }
            origins[origin].turn = nil
            let entry = origins[origin].firstEntry + origins[origin].entries.count
            for target in turn.targets {
                marks[target].append(
                    Mark(
                        position: position(target), origin: origin, generation: origins[origin].generation, entry: entry
                    ))
            }
            origins[origin].entries.append(Entry(sequence: turn.sequence, waitingFor: turn.targets.count))
            advance(origin)
        }
        turnOrigins.removeAll(keepingCapacity: true)
    }

    /// Everything queued for `link` up to `position` is in the kernel's hands.
    package mutating func flushed(_ link: Int, upTo position: UInt64) {
        guard link < marks.count else { return }
        while let mark = marks[link].first, mark.position <= position {
            marks[link].removeFirst()
            complete(mark)
        }
    }

    /// The link is no more: nobody waits for it, and its own operations are forgotten.
    package mutating func linkEnded(_ link: Int) {
        guard link < marks.count else { return }
        let left = marks[link]
        marks[link] = []
        for mark in left { complete(mark) }
        for origin in turnOrigins { origins[origin].turn?.targets.remove(link) }
        turnOrigins.removeAll { $0 == link }
        origins[link] = Origin(generation: origins[link].generation + 1)
        changed.remove(link)
    }

    /// The highest settled sequence of an origin.
    package func settled(_ origin: Int) -> UInt64 {
        origin < origins.count ? origins[origin].settled : 0
    }

    /// Origins whose settled sequence has grown since this was last asked.
    package mutating func takeChanged() -> [Int] {
        guard !changed.isEmpty else { return [] }
        defer { changed = [] }
        return Array(changed)
    }

    private mutating func complete(_ mark: Mark) {
        guard origins[mark.origin].generation == mark.generation else { return }
        let index = mark.entry - origins[mark.origin].firstEntry
        guard origins[mark.origin].entries.indices.contains(index) else { return }
        origins[mark.origin].entries[index].waitingFor -= 1
        advance(mark.origin)
    }

    private mutating func advance(_ origin: Int) {
        while let first = origins[origin].entries.first, first.waitingFor == 0 {
            origins[origin].settled = first.sequence
            origins[origin].entries.removeFirst()
            origins[origin].firstEntry += 1
            changed.insert(origin)
        }
    }

    private mutating func reserve(_ link: Int) {
        while origins.count <= link {
            origins.append(Origin())
            marks.append([])
        }
    }
}
