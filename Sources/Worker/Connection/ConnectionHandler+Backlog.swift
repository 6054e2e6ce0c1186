import Model
import NIOCore
import Realtime
import Wire

/// What a client has asked for whose answers are long: missed messages of rooms, pages of history, presence.
///
/// A page of missed messages is asked of the hub only while the client has less than half of its queue's bound before it,
/// and only a few questions are open at a time: a client that resumes a hundred long rooms, or asks for a thousand pages,
/// costs no more memory than a few of them, and is not closed for reading slowly what it asked for.
struct Backlog {
    /// Such questions that may wait for the hub, or for their next page, at once.
    static let maxQuestions = 4
    /// Bytes of messages in one frame of missed ones; a single larger one has a frame of its own.
    static let frameBytes = 64 * 1024

    /// Questions that are not answered wholly.
    var questions = 0
    /// Further pages that can be asked for: the room, and what the client has been given.
    var pages: [(room: RoomName, position: RoomPosition)] = []
    /// Bytes of such answers that were put before the client since its queue was last empty.
    var unread = 0
}

/// Holding back: what a client asks is not read from its socket while it, or the hub, does not keep up with the answers.
extension ConnectionHandler {
    private func keepsUp(unanswered: Int) -> Bool {
        queuedBytes <= engine.limits.holdAbove && core.session.unanswered < unanswered
            && (backlog?.questions ?? 0) < Backlog.maxQuestions
    }

    /// After a command: whether the next one may be taken.
    func holdIfDue() {
        let isHubBehind = engine.realtime.isHubBehind
        guard isHubBehind || !keepsUp(unanswered: ClientSession.maxUnanswered) else { return }
        guard core.isOpen, !core.isSuspended else { return }
        suspend(.flow)
        if isHubBehind { engine.heldForHub.insert(key) }
    }

    /// What it waited for may have come.
    func goOnIfDue() {
        guard case .flow = wait, keepsUp(unanswered: ClientSession.maxUnanswered / 2) else { return }
        guard engine.realtime.hasHubCaughtUp else {
            engine.heldForHub.insert(key)
            return
        }
        resume()
    }

    /// At each look, before ``isStalled``: a client that took something reads, if slowly.
    func noteProgress() {
        let queued = queuedBytes
        if case .flow = wait, queued < queuedAtLook { core.since = engine.now }
        queuedAtLook = queued
    }

    /// Nothing of what is due has left for so long that a client which is read would have been found silent. However little is
    /// due: it goes on only when all that was handed to the channel has left.
    var isStalled: Bool {
        guard case .flow = wait, queuedBytes > 0, engine.limits.pingInterval > .zero else { return false }
        return engine.now - core.since > engine.limits.pingInterval + engine.limits.pongTimeout
    }

    // MARK: Long answers

    /// A question with a long answer is on its way to the hub.
    func questionAsked() {
        if backlog == nil { backlog = Backlog() }
        backlog?.questions += 1
    }

    /// It was answered wholly, good or bad.
    func questionAnswered() {
        guard backlog != nil else { return }
        backlog?.questions -= 1
        backlogChanged()
    }

    /// There is more to be had behind what the client was given.
    func recoveryGoesOn(_ room: RoomName, from position: RoomPosition) {
        backlog?.pages.append((room, position))
        backlogChanged()
    }

    /// Asks for the next pages, and takes further commands, if the client has room for what they bring.
    func backlogChanged() {
        if let pages = backlog?.pages, !pages.isEmpty, queuedBytes <= engine.limits.holdAbove {
            backlog?.pages = []
            for page in pages where !engine.continueJoin(self, page.room, from: page.position) {
                backlog?.questions -= 1
            }
        }
        if let rest = backlog, rest.questions <= 0, rest.unread == 0 { backlog = nil }
        goOnIfDue()
    }

    /// Sends an answer that does not count against the client's queue until that has been empty.
    func sendLongAnswer(_ body: (inout ConnectionCore) -> Void) {
        send { core in
            let before = core.outbound.readableBytes
            body(&core)
            backlog?.unread += core.outbound.readableBytes - before
        }
    }

    /// Puts missed messages before the client, in frames of a bounded size.
    func sendMissed(_ entries: [HistoryEntry], room: RoomName, epoch: RoomEpoch) {
        guard !entries.isEmpty else { return }
        sendLongAnswer { core in
            var start = entries.startIndex
            while start < entries.endIndex {
                var end = start
                var bytes = 0
                while end < entries.endIndex, end - start < V1Dialect.maxBatch {
                    bytes += entries[end].data.count
                    if bytes > Backlog.frameBytes, end > start { break }
                    end += 1
                }
                core.sendEvent { V1Dialect.writeMissed(entries[start..<end], room: room, epoch: epoch, into: &$0) }
                start = end
            }
        }
    }
}
