import Logging
import Model
import NIOCore

extension WorkerEngine {
    /// How often the number of remaining clients is reported.
    static let drainReportInterval = Duration.seconds(1)
    /// How long a connection that was accepted before the drain may take for its request once no client is left. It is
    /// served rather than refused, and then closed like the others: its request may be on its way, and closing the
    /// socket under it would be a reset.
    static let gateGrace = Duration.milliseconds(500)

    /// How long the last events may take to reach the application.
    static let webhookGrace = Duration.seconds(2)

    /// Stops accepting and closes all clients over `spread`; a second call replaces the first.
    func beginDrain(code: CloseCode, spread: Duration, deadline: Duration) {
        refreshTime()
        stopAccepting()
        let reason = code == .serviceRestart ? "restart" : "shutdown"
        drain?.step?.cancel()
        var generator = SystemRandomNumberGenerator()
        drain = DrainProgress(
            plan: DrainPlan(
                clients: connections.keys, code: code, reason: reason, spread: spread, deadline: deadline, now: now,
                using: &generator),
            start: drain?.start ?? now)
        logger.log(
            level: connections.count > 0 ? .info : .debug, "Draining",
            metadata: [
                "clients": "\(connections.count)", "close.code": "\(code.rawValue)",
                "spread.ms": "\(spread.milliseconds)",
            ])
        closeLive(code, reason: reason)
        http?.endStreams()
        http?.routes.drain(spread: spread)
        // A kept-alive HTTP connection ends after its present request.
        for channel in httpChannels.values {
            channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        }
        drainStep()
    }

    private func stopAccepting() {
        guard let accepting = acceptor else { return }
        acceptor = nil
        accepting.close()
        supervisor.listenerReleased()
    }

    private func drainStep() {
        refreshTime()
        guard var progress = drain else { return }
        for key in progress.plan.due(at: now) {
            connections[key].map { say(progress.plan, to: $0) }
        }
        // Those that came through a gate after the plan was made, too.
        if progress.plan.isSpent {
            for connection in connections.all { say(progress.plan, to: connection) }
        }
        if now >= progress.plan.deadline, !progress.isOverdue {
            progress.isOverdue = true
            cutEverything()
        }
        if progress.reportedAt.map({ now >= $0 + Self.drainReportInterval }) ?? true {
            progress.reportedAt = now
            supervisor.draining(connections.count)
        }
        drain = progress
        guard !drainProgressed() else { return }
        var generator = SystemRandomNumberGenerator()
        let delay = TimeAmount(DrainPlan.nextStep(using: &generator))
        drain?.step = eventLoop.assumeIsolated().scheduleTask(in: delay) { self.drainStep() }
    }

    private func say(_ plan: DrainPlan, to connection: ConnectionHandler) {
        guard connection.close(plan.code, reason: plan.reason, reconnectAfter: reconnectDelay(plan.code)) else {
            return
        }
        // It may be back, through a proxy, before its answer to the close frame is here.
        release(connection)
    }

    private func cutEverything() {
        logger.warning("Drain deadline passed", metadata: ["clients": "\(connections.count)"])
        for connection in connections.all { connection.cut() }
        for channel in httpChannels.values { channel.close(promise: nil) }
        http?.routes.cut()
        cutLive()
        closeGates()
    }

    /// Ends the process once nobody is left. Returns whether that is so.
    @discardableResult
    func drainProgressed() -> Bool {
        guard let progress = drain else { return false }
        if connections.count == 0, openSockets > 0, progress.plan.isSpent, now >= progress.start + Self.gateGrace {
            closeGates()
        }
        guard openSockets == 0 else { return false }
        progress.step?.cancel()
        guard !isFinished else { return true }
        isFinished = true
        supervisor.draining(0)
        logger.debug("Drained")
        // The application is told of what has happened, for as long as that takes within bounds.
        application.end(Self.webhookGrace) {
            self.reportTraces()
            guard let link = self.hubLink else { return self.supervisor.finished() }
            link.close { self.supervisor.finished() }
        }
        return true
    }

}
