internal import DequeModule
package import Model

/// A worker's operations from their acceptance until the hub has settled them: first unsent, then sent, then
/// acknowledged.
///
/// `Frame` is the encoded operation, `Request` whom to tell how it went. Sequences count from 1 and are never reused.
/// Bounds: unacknowledged operations are refused above `capacity` bytes. Acknowledged ones wait only so that the loss
/// of the hub does not lose what it had not yet handed on; above another `capacity` bytes the oldest of them are
/// forgotten, so that a worker that does not read blocks nobody.
package struct HeldOperations<Frame, Request> {
    private struct Entry {
        var sequence: UInt64
        var bytes: Int
        /// `nil`: given up before it was sent.
        var frame: Frame?
        var request: Request?
        var deadline: MonotonicTime?
        /// An operation that may be given up when its deadline passes before it was ever sent.
        var expires: Bool
    }

    /// Bytes counted for an entry besides its frame.
    package static var overhead: Int { MemoryLayout<Entry>.stride }

    package var capacity: Int
    private var entries: Deque<Entry> = []
    private var nextSequence: UInt64 = 1
    /// Entries up to here have been acknowledged.
    private var acknowledged: UInt64 = 0
    /// Entries up to here have been taken for the present link.
    private var sent: UInt64 = 0
    /// Entries up to here have been taken for any link.
    private var everSent: UInt64 = 0
    /// Every request up to here has been told how it went.
    private var answered: UInt64 = 0

    /// Bytes of unacknowledged operations.
    package private(set) var pendingBytes = 0
    /// Bytes of acknowledged operations that are not settled.
    package private(set) var unsettledBytes = 0
    /// Acknowledged operations forgotten before they were settled, because of the bound.
    package private(set) var forgotten = 0

    package init(capacity: Int) {
        self.capacity = capacity
    }

    /// Operations held.
    package var count: Int { entries.count }

    /// The sequence the next operation gets.
    package var upcomingSequence: UInt64 { nextSequence }

    /// The highest sequence given out so far; what a snapshot taken now includes.
    package var lastSequence: UInt64 { nextSequence - 1 }

    package var hasUnsent: Bool { entries.last.map { $0.sequence > sent } ?? false }

    package func hasRoom(for bytes: Int) -> Bool {
        pendingBytes <= capacity - min(capacity, bytes)
    }

    /// Takes an operation, whatever the bound says: ask ``hasRoom(for:)`` first unless it must not be lost (a leave).
    package mutating func append(
        _ frame: Frame, bytes: Int, request: Request?, deadline: MonotonicTime?, expires: Bool
    ) {
        let entry = Entry(
            sequence: nextSequence, bytes: bytes + Self.overhead, frame: frame, request: request, deadline: deadline,
            expires: expires)
        pendingBytes += entry.bytes
        nextSequence += 1
        entries.append(entry)
    }

    /// Hands out, in order, what the present link has not been given, and counts it as sent.
    package mutating func takeUnsent(_ body: (Frame) -> Void) {
        guard hasUnsent else { return }
        for index in firstIndex(above: sent)..<entries.count {
            guard let frame = entries[index].frame else { continue }
            body(frame)
        }
        sent = lastSequence
        everSent = max(everSent, sent)
    }

    /// The link is gone: all that is held has to be sent again.
    package mutating func linkLost() {
        sent = 0
    }

    /// The hub has replied to an operation: the request that waits for it, if one does, waits no longer.
    package mutating func takeRequest(_ sequence: UInt64) -> Request? {
        guard sequence > 0, sequence <= everSent else { return nil }
        let index = firstIndex(above: sequence - 1)
        guard index < entries.count, entries[index].sequence == sequence else { return nil }
        return entries[index].request.take()
    }

    /// The hub has refused an operation: it is not sent again, so that no other hub carries it out.
    package mutating func withdraw(_ sequence: UInt64) {
        guard sequence > 0, sequence <= everSent else { return }
        let index = firstIndex(above: sequence - 1)
        guard index < entries.count, entries[index].sequence == sequence, entries[index].frame != nil else { return }
        let freed = entries[index].bytes - Self.overhead
        entries[index].frame = nil
        entries[index].bytes = Self.overhead
        if sequence > acknowledged { pendingBytes -= freed } else { unsettledBytes -= freed }
    }

    /// The hub's cumulative word; `decided` is called for each request that still waited, with its operation's sequence
    /// and its deadline. Numbers beyond what was sent are ignored.
    package mutating func acknowledge(
        acknowledged: UInt64, settled: UInt64, decided: (UInt64, Request, MonotonicTime?) -> Void
    ) {
        let upTo = pastGivenUp(min(acknowledged, everSent))
        if upTo > self.acknowledged {
            for index in firstIndex(above: self.acknowledged)..<firstIndex(above: upTo) {
                if let request = entries[index].request {
                    decided(entries[index].sequence, request, entries[index].deadline)
                    entries[index].request = nil
                }
                pendingBytes -= entries[index].bytes
                unsettledBytes += entries[index].bytes
            }
            self.acknowledged = upTo
        }
        let through = pastGivenUp(min(settled, self.acknowledged))
        while let first = entries.first, first.sequence <= through { dropFirst() }
        while unsettledBytes > capacity, let first = entries.first, first.sequence <= self.acknowledged {
            forgotten += 1
            dropFirst()
        }
    }

    /// Gives up waiting for what was not acknowledged by its deadline. Returns each request with its sequence and whether the
    /// operation is now dropped (never sent and marked `expires`); otherwise it stays held and may still happen.
    package mutating func expire(now: MonotonicTime) -> [(sequence: UInt64, request: Request, dropped: Bool)] {
        var expired: [(sequence: UInt64, request: Request, dropped: Bool)] = []
        let start = firstIndex(above: max(acknowledged, answered))
        for index in start..<max(start, entries.count) {
            if let deadline = entries[index].deadline, deadline > now { break }
            answered = entries[index].sequence
            guard entries[index].deadline != nil, let request = entries[index].request else { continue }
            let dropped = entries[index].expires && entries[index].sequence > everSent
            entries[index].request = nil
            if dropped {
                entries[index].frame = nil
                pendingBytes -= entries[index].bytes - Self.overhead
                entries[index].bytes = Self.overhead
            }
            expired.append((entries[index].sequence, request, dropped))
        }
        return expired
    }

    /// When the next request runs out, if any waits.
    package var nextDeadline: MonotonicTime? {
        let start = firstIndex(above: max(acknowledged, answered))
        return entries[start...].lazy.compactMap { $0.request == nil ? nil : $0.deadline }.first
    }

    /// The end of the run of given-up entries that follows a sequence.
    private func pastGivenUp(_ sequence: UInt64) -> UInt64 {
        var end = sequence
        for entry in entries[firstIndex(above: sequence)...] {
            guard entry.frame == nil else { break }
            end = entry.sequence
        }
        return end
    }

    private mutating func dropFirst() {
        guard let first = entries.popFirst() else { return }
        unsettledBytes -= first.bytes
    }

    /// Index of the first entry above a sequence. Sequences in `entries` are contiguous.
    private func firstIndex(above sequence: UInt64) -> Int {
        guard let first = entries.first?.sequence, sequence >= first else { return 0 }
        return min(entries.count, Int(clamping: sequence - first + 1))
    }
}
