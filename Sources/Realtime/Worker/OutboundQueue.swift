/// When a client that reads too slowly is given up: `websocket.outboundQueue` bounds what may wait for it.
///
/// Counts bytes handed over for sending and bytes the kernel has taken; both only grow.
package struct OutboundQueue: Sendable {
    package enum Verdict: Hashable, Sendable {
        case admitted
        /// The client has to be closed (1013) and what waits for it dropped.
        case overflow
    }

    private var enqueuedTotal: UInt64 = 0
    private var writtenTotal: UInt64 = 0

    package init() {}

    /// Bytes that wait.
    package var waiting: Int { Int(clamping: enqueuedTotal - writtenTotal) }

    /// Bytes ever handed over.
    package var position: UInt64 { enqueuedTotal }

    /// Counts bytes in. A single message above the whole bound is let through to an empty queue: the bound is there
    /// to limit what piles up, not the size of a message.
    package mutating func enqueue(_ bytes: Int, limit: Int) -> Verdict {
        let wasEmpty = waiting == 0
        enqueuedTotal &+= UInt64(clamping: bytes)
        return waiting <= limit || wasEmpty ? .admitted : .overflow
    }

    /// The kernel has taken everything up to a position.
    package mutating func written(upTo position: UInt64) {
        writtenTotal = min(enqueuedTotal, max(writtenTotal, position))
    }
}
