import NIOCore

/// Something that collects bytes during a turn of the event loop and writes them at its end.
protocol TurnEndWriter: AnyObject {
    func writeTurn()
}

/// Runs every writer that was marked during a turn of the event loop once, after all of the turn's events.
///
/// NIO runs what was handed to `execute` after the events of the same turn and before it waits again, so that this
/// costs no latency: sixteen messages for a client that came in one turn leave in one `send(2)`. Confined to its event
/// loop.
final class TurnFlusher: @unchecked Sendable {
    private let eventLoop: any EventLoop
    private var marked: [any TurnEndWriter] = []
    private var isScheduled = false
    /// Called once everything of the turn has been written.
    var turnEnded: () -> Void = {}
    /// Kept, so that a turn allocates no closure.
    private var task: @Sendable () -> Void = {}

    init(eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        task = { [unowned self] in self.flush() }
    }

    /// The caller sees to it that a writer is marked once until its `writeTurn`.
    func mark(_ writer: any TurnEndWriter) {
        marked.append(writer)
        if !isScheduled {
            isScheduled = true
            eventLoop.execute(task)
        }
    }

    private func flush() {
        // What a writer marks while it writes (a failed send closes a client, say) belongs to this turn, too.
        var index = 0
        while index < marked.count {
            marked[index].writeTurn()
            index += 1
        }
        marked.removeAll(keepingCapacity: true)
        isScheduled = false
        turnEnded()
    }
}
