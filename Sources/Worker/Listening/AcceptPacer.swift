import Model

/// Decides before each batch of accepts whether to go on, to leave the connections to the siblings for a moment, or to
/// wait for a free descriptor.
///
/// All workers accept from one shared socket; long-lived connections stay spread because one that is above the fleet's
/// mean steps back. It only *delays*: after each step it takes a small batch, so that a sibling that is stuck never
/// stops the service.
struct AcceptPacer: Equatable {
    enum Decision: Equatable {
        /// Accept at most this many, then ask again.
        case accept(upTo: Int)
        case wait(Duration)
    }

    /// Accepts between two decisions.
    static let batch = 8
    /// The same for a worker above its share.
    static let batchAboveShare = 4
    /// A worker has its share above this multiple of the mean plus `slack` connections.
    static let shareFactor = 1.25
    static let slack = 8.0
    /// How long one above its share leaves new connections to its siblings.
    static let step = Duration.milliseconds(5)
    /// First and longest pause when no descriptor is free.
    static let firstPause = Duration.milliseconds(100)
    static let longestPause = Duration.seconds(1)

    /// A shortage that comes sooner than this after the last one belongs to the same episode, which is logged once.
    static let episodeGap = Duration.seconds(5)

    private var hasWaited = false
    private var pause: Duration?
    /// While an episode lasts: when descriptors were last short.
    private var lastShortage: MonotonicTime?

    init() {}

    /// Whether accepting waits for a free descriptor.
    var isShortOfDescriptors: Bool { pause != nil }

    /// - Parameters:
    ///   - own: this worker's open connections.
    ///   - mean: open connections over the living workers, this one included.
    mutating func next(own: Int, mean: Double) -> Decision {
        guard Double(own) > Self.shareFactor * mean + Self.slack else {
            hasWaited = false
            return .accept(upTo: Self.batch)
        }
        hasWaited.toggle()
        return hasWaited ? .wait(Self.step) : .accept(upTo: Self.batchAboveShare)
    }

    /// `accept` failed for want of a descriptor or of memory.
    ///
    /// - Returns: how long to pause, and whether this begins an episode (which is logged and counted once).
    mutating func ranOutOfDescriptors(now: MonotonicTime) -> (pause: Duration, beginsEpisode: Bool) {
        let beginsEpisode = lastShortage.map { now - $0 >= Self.episodeGap } ?? true
        lastShortage = now
        let next = pause.map { min($0 * 2, Self.longestPause) } ?? Self.firstPause
        pause = next
        return (next, beginsEpisode)
    }

    /// A connection was accepted.
    ///
    /// - Returns: whether this ends an episode: descriptors have been free for some time.
    mutating func accepted(now: MonotonicTime) -> Bool {
        pause = nil
        guard let last = lastShortage, now - last >= Self.episodeGap else { return false }
        lastShortage = nil
        return true
    }
}
