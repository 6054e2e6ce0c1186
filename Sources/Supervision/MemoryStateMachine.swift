package import Model

/// What is to be said about the memory of the service's control group, and which process the kernel killed for want of it.
///
/// A counter alone says little: the kernel also counts when it takes file cache back at a limit, which harms nobody. What counts
/// is events while the working set is near the limit.
package struct MemoryStateMachine: Codable, Sendable {
    enum Finding: Equatable {
        /// So many times since it was last told.
        case aboveHigh(Int)
        case atLimit(Int, outOfMemory: Int)
        case relieved
        /// Killed processes of the group that were none of the service's.
        case strangersKilled(Int)
    }

    /// As last read; `nil`: there is no group.
    package private(set) var reading: MemoryReading?
    /// Since the service started.
    package private(set) var events = MemoryEvents()
    /// When an event was last seen while the working set was near the limit.
    package private(set) var strainedAt: MonotonicTime?

    private var isStrained = false
    private var untold = MemoryEvents()
    private var highToldAt: MonotonicTime?
    private var limitToldAt: MonotonicTime?
    /// When the kills were seen that no process has been found for.
    private var unclaimed: [MonotonicTime] = []

    /// Takes what the group says. The first reading tells nothing: what happened before the start is not the service's.
    mutating func read(_ new: MemoryReading, now: MonotonicTime) -> [Finding] {
        let fresh = reading.map { new.events.since($0.events) } ?? MemoryEvents()
        reading = new
        events.add(fresh)
        let kills = min(fresh.oomKills, MemoryLimits.maxUnclaimed - unclaimed.count)
        unclaimed += Array(repeating: now, count: max(0, kills))
        if new.share ?? 0 >= MemoryReading.nearShare, fresh.high > 0 || fresh.max > 0 {
            untold.high &+= fresh.high
            untold.max &+= fresh.max
            strain(now)
        }
        if fresh.oom > 0 {
            untold.oom &+= fresh.oom
            strain(now)
        }
        return tell(now) + relief(new, now) + strangers(now)
    }

    /// Whether the kernel killed a process that was just found killed: each kill counts for one.
    mutating func claimKill(now: MonotonicTime) -> Bool {
        guard let index = unclaimed.firstIndex(where: { now - $0 < MemoryLimits.claim }) else { return false }
        unclaimed.remove(at: index)
        return true
    }

    private mutating func strain(_ now: MonotonicTime) {
        isStrained = true
        strainedAt = now
    }

    private mutating func tell(_ now: MonotonicTime) -> [Finding] {
        var findings: [Finding] = []
        if untold.max > 0 || untold.oom > 0, Self.isDue(limitToldAt, now) {
            findings.append(.atLimit(untold.max, outOfMemory: untold.oom))
            (untold.max, untold.oom, limitToldAt) = (0, 0, now)
        }
        if untold.high > 0, Self.isDue(highToldAt, now) {
            findings.append(.aboveHigh(untold.high))
            (untold.high, highToldAt) = (0, now)
        }
        return findings
    }

    private static func isDue(_ last: MonotonicTime?, _ now: MonotonicTime) -> Bool {
        last.map { now - $0 >= MemoryLimits.tellInterval } ?? true
    }

    private mutating func relief(_ new: MemoryReading, _ now: MonotonicTime) -> [Finding] {
        guard isStrained, let strainedAt, now - strainedAt >= MemoryLimits.tellInterval,
            new.share ?? 0 < MemoryLimits.relievedShare
        else { return [] }
        isStrained = false
        return [.relieved]
    }

    private mutating func strangers(_ now: MonotonicTime) -> [Finding] {
        let before = unclaimed.count
        unclaimed.removeAll { now - $0 >= MemoryLimits.claim }
        return unclaimed.count < before ? [.strangersKilled(before - unclaimed.count)] : []
    }
}

package enum MemoryLimits {
    /// Share of the limit taken by the working set below which trouble is over; it begins at ``MemoryReading/nearShare``.
    package static let relievedShare = 0.7
    /// Shortest time between two log lines about the same limit; also how long it must be quiet before the trouble is over.
    package static let tellInterval = Duration.seconds(60)
    /// How long after a kill by the kernel the process may take to be gone: freeing a large one takes time.
    package static let claim = Duration.seconds(10)
    /// Kills kept for processes that are still to be found gone; more than a fleet has processes at once.
    package static let maxUnclaimed = 4096
    /// Processes that a log line names.
    package static let named = 3
}
