import Model
import NIOCore
import Realtime
import Wire

/// The rooms in which a client is being given what it missed.
///
/// A page of missed messages is asked of the hub only while the client has less than half of its queue's bound before it,
/// and only a few rooms are recovered at a time: a client that resumes a hundred long rooms costs no more memory than a
/// few pages, and is not closed for reading slowly what it asked for.
struct Recovery {
    /// Joins with a position that may wait for the hub, or for their next page, at once.
    static let maxJoins = 4
    /// Bytes of messages in one frame of missed ones; a single larger one has a frame of its own.
    static let frameBytes = 64 * 1024

    /// Joins that are not complete.
    var joins = 0
    /// Further pages that can be asked for: the room, and what the client has been given.
    var pages: [(room: RoomName, position: RoomPosition)] = []
    /// Bytes of missed messages that were put before the client since its queue was last empty.
    var unread = 0
}

extension ConnectionHandler {

    /// Whether another join with a position may be sent to the hub now.
    var mayRecover: Bool {
        guard let recovery else { return true }
        return recovery.joins < Recovery.maxJoins && queuedBytes <= engine.limits.outboundQueue / 2
    }

    /// A join with a position is on its way to the hub.
    func recoveryBegan() {
        if recovery == nil { recovery = Recovery() }
        recovery?.joins += 1
        if !mayRecover { suspend(.recovery) }
    }

    /// That join has come to its end, good or bad.
    func recoveryEnded() {
        guard recovery != nil else { return }
        recovery?.joins -= 1
        recoverFurther()
    }

    /// There is more to be had behind what the client was given.
    func recoveryGoesOn(_ room: RoomName, from position: RoomPosition) {
        recovery?.pages.append((room, position))
        recoverFurther()
    }

    /// Asks for the next pages, and takes further commands, if the client has room for what they bring.
    func recoverFurther() {
        guard let recovery, queuedBytes <= engine.limits.outboundQueue / 2 else { return }
        if !recovery.pages.isEmpty {
            self.recovery?.pages = []
            for page in recovery.pages {
                if !engine.continueJoin(self, page.room, from: page.position) { self.recovery?.joins -= 1 }
            }
        }
        if let rest = self.recovery, rest.joins <= 0, rest.unread == 0 { self.recovery = nil }
        if case .recovery = wait, mayRecover { resume() }
    }

    /// Puts missed messages before the client, in frames of a bounded size.
    func sendMissed(_ entries: [HistoryEntry], room: RoomName, epoch: RoomEpoch) {
        guard !entries.isEmpty else { return }
        send { core in
            let before = core.outbound.readableBytes
            var start = entries.startIndex
            while start < entries.endIndex {
                var end = start
                var bytes = 0
                while end < entries.endIndex, end - start < V1Dialect.maxBatch {
                    bytes += entries[end].data.count
                    if bytes > Recovery.frameBytes, end > start { break }
                    end += 1
                }
                core.sendEvent { V1Dialect.writeMissed(entries[start..<end], room: room, epoch: epoch, into: &$0) }
                start = end
            }
            recovery?.unread += core.outbound.readableBytes - before
        }
    }
}
