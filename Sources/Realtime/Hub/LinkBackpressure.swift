package import Model

/// Decides when the hub stops reading from workers because another worker cannot keep up.
///
/// Only a link that still makes progress is waited for. One that does not (its worker is stopped or stuck) holds up
/// nobody: its queue grows to `hub.linkQueue`, then the link is cut. One that does is cut at ``burst`` times that.
package struct LinkBackpressure: Sendable {
    /// A link that has written nothing for this long is not waited for.
    package static let patience = Duration.milliseconds(100)
    /// How often to look again while a link is waited for.
    package static let checkInterval = Duration.milliseconds(20)

    /// What may wait for a link that makes progress, in multiples of `linkQueue`.
    package static let burst = 4

    private let limit: Int
    private let high: Int
    private let low: Int

    /// `linkQueue`: bytes at which a link without progress is cut. Waiting begins at half of it and ends at a quarter.
    package init(linkQueue: Int) {
        limit = linkQueue
        high = linkQueue / 2
        low = linkQueue / 4
    }

    /// Whether those who send to a link have to wait. `isWaitedFor`: they do already.
    package func holdsUp(queued: Int, lastProgress: MonotonicTime, isWaitedFor: Bool, now: MonotonicTime) -> Bool {
        queued > (isWaitedFor ? low : high) && now - lastProgress < Self.patience
    }

    /// Whether a link has to be cut.
    package func isGivenUp(queued: Int, lastProgress: MonotonicTime, now: MonotonicTime) -> Bool {
        guard queued > limit else { return false }
        return now - lastProgress >= Self.patience || queued / Self.burst > limit
    }
}
