import Logging
import Model
import NIOCore
import Realtime
import Wire

extension HubServer {
    /// Between two looks at what is due.
    private static let shortestTimer = Duration.milliseconds(1)

    func endTurn() {
        isTurnScheduled = false
        guard !isStopped else { return }
        carryOutPending()
        cutOverfull()
        let marked = dirty
        dirty.removeAll(keepingCapacity: true)
        for link in marked {
            link.isDirty = false
            if link.owesAck, let index = link.index { acknowledge(link, index) }
        }
        tracker.endTurn { self.links[$0]?.output.enqueued ?? 0 }
        for link in marked { write(link) }
        holdUpSenders()
        scheduleTimer()
    }

    /// Wakes the machine when something is due by the passing of time.
    func scheduleTimer() {
        let due = machine.nextDeadline
        if let timer {
            guard due < timer.at else { return }
            timer.task.cancel()
        }
        // Not at once, even where it is overdue: a turn comes between.
        let delay = max((due - now).nanoseconds, Self.shortestTimer.nanoseconds)
        let task = loop.assumeIsolated().scheduleTask(in: .nanoseconds(delay)) { self.timePassed() }
        timer = (due, task)
    }

    private func timePassed() {
        timer = nil
        guard !isStopped else { return }
        carryOutPending()
        machine.timeElapsed(now: now, wallTime: wallClock(), output: self)
        if !machine.stagedWrites.isEmpty { commitStaged() }
        scheduleTimer()
    }

    private func acknowledge(_ link: HubLink, _ index: Int) {
        guard link.hasWelcome else { return }
        link.owesAck = false
        let settled = tracker.settled(index)
        link.settledTold = settled
        let acknowledged = machine.acknowledged(index)
        link.output.append {
            HubLinkEncoder.ack(acknowledged: acknowledged, settled: min(settled, acknowledged), into: &$0)
        }
    }

    private func write(_ link: HubLink) {
        guard link.phase != .closed, let batch = link.output.takeBatch() else { return }
        let promise = loop.makePromise(of: Void.self)
        for piece in batch.dropLast() { link.channel.write(piece, promise: nil) }
        if let last = batch.last { link.channel.writeAndFlush(last, promise: promise) }
        bytesOut += batch.reduce(0) { $0 + $1.readableBytes }
        let spare = batch.first
        promise.futureResult.assumeIsolated().whenSuccess {
            let position = link.output.batchWritten(reusing: spare)
            link.lastProgress = self.now
            if let index = link.index {
                self.tracker.flushed(index, upTo: position)
                self.scheduleSettle()
            }
            if link.output.waiting > 0 { self.mark(link) }
        }
    }

    /// A link that took too little for too long costs memory; its worker connects anew. One that still moves has a
    /// burst before it (all members of a lost worker leaving, say) and gets more room.
    private func cutOverfull() {
        guard !overfull.isEmpty else { return }
        let links = overfull
        overfull = []
        for link in links where link.phase != .closed {
            guard backpressure.isGivenUp(queued: link.output.waiting, lastProgress: link.lastProgress, now: now) else {
                continue
            }
            linksCut += 1
            logger.warning(
                "Link cut: its worker does not read",
                metadata: ["link.name": "\(link.name)", "queue.bytes": "\(link.output.waiting)"])
            close(link)
        }
    }

    func scheduleSettle() {
        let grown = tracker.takeChanged().contains { links[$0] != nil }
        guard grown, !isSettleScheduled else { return }
        isSettleScheduled = true
        loop.assumeIsolated().scheduleTask(in: Self.settleDelay) {
            self.isSettleScheduled = false
            for case let link? in self.links {
                guard let index = link.index, self.tracker.settled(index) > link.settledTold else { continue }
                link.owesAck = true
                self.mark(link)
            }
        }
    }

    /// Stops reading all workers while a link that still makes progress has too much before it.
    func holdUpSenders() {
        let now = now
        var anyone = false
        for case let link? in links {
            link.isWaitedFor = backpressure.holdsUp(
                queued: link.output.waiting, lastProgress: link.lastProgress, isWaitedFor: link.isWaitedFor, now: now)
            anyone = anyone || link.isWaitedFor
        }
        for case let link? in links where link.isHeldUp != anyone {
            link.isHeldUp = anyone
            setReading(link)
        }
        guard anyone, !isCheckScheduled else { return }
        isCheckScheduled = true
        loop.assumeIsolated().scheduleTask(in: .nanoseconds(LinkBackpressure.checkInterval.nanoseconds)) {
            self.isCheckScheduled = false
            self.holdUpSenders()
        }
    }
}
