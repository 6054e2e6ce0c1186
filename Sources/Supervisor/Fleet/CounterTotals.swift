import Wire

extension ChildCounters {
    /// Adds what only grows; gauges of an ended process count no more.
    mutating func addEnded(_ other: ChildCounters) {
        connectionsAccepted &+= other.connectionsAccepted
        handshakesRefused &+= other.handshakesRefused
        messagesIn &+= other.messagesIn
        messagesOut &+= other.messagesOut
        bytesIn &+= other.bytesIn
        bytesOut &+= other.bytesOut
        publications &+= other.publications
        deliveries &+= other.deliveries
        slowClientsClosed &+= other.slowClientsClosed
        lossClosed &+= other.lossClosed
        heartbeatTimeouts &+= other.heartbeatTimeouts
        protocolErrors &+= other.protocolErrors
        acceptPauses &+= other.acceptPauses
        errors &+= other.errors
        logLinesDropped &+= other.logLinesDropped
        linksCut &+= other.linksCut
        connects &+= other.connects
        reconnects &+= other.reconnects
        resumed &+= other.resumed
        notResumed &+= other.notResumed
        refusedByReason.merge(other.refusedByReason, uniquingKeysWith: &+)
        rateLimited &+= other.rateLimited
        errorsByCode.merge(other.errorsByCode, uniquingKeysWith: &+)
        compressionIn &+= other.compressionIn
        compressionOut &+= other.compressionOut
        decompressionIn &+= other.decompressionIn
        decompressionOut &+= other.decompressionOut
        for (name, figures) in other.webhooks {
            var figures = figures
            (figures.inFlight, figures.waiting) = (0, 0)
            webhooks[name, default: WebhookFigures()].add(figures)
        }
        for (path, figures) in other.routes {
            var figures = figures
            (figures.active, figures.held, figures.tunnels) = (0, 0, 0)
            routes[path, default: RouteFigures()].add(figures)
        }
        gaps &+= other.gaps
        tlsHandshakes &+= other.tlsHandshakes
        tlsFailures.merge(other.tlsFailures, uniquingKeysWith: &+)
        latency.add(other.latency)
        traceEventsDropped &+= other.traceEventsDropped
        recorded &+= other.recorded
        storageFailures &+= other.storageFailures
        repetitions &+= other.repetitions
        commits &+= other.commits
        commitMicroseconds &+= other.commitMicroseconds
    }

    /// Adds everything, gauges of living processes too.
    mutating func add(_ other: ChildCounters) {
        addEnded(other)
        clients &+= other.clients
        liveConnections &+= other.liveConnections
        rooms &+= other.rooms
        held &+= other.held
        hubLinks &+= other.hubLinks
        queuedBytes &+= other.queuedBytes
        users &+= other.users
        traces &+= other.traces
        historyRooms &+= other.historyRooms
        historyMessages &+= other.historyMessages
        historyBytes &+= other.historyBytes
        historyFileBytes &+= other.historyFileBytes
        for (name, figures) in other.webhooks {
            webhooks[name, default: WebhookFigures()].inFlight &+= figures.inFlight
            webhooks[name, default: WebhookFigures()].waiting &+= figures.waiting
        }
        for (path, figures) in other.routes {
            routes[path, default: RouteFigures()].active &+= figures.active
            routes[path, default: RouteFigures()].held &+= figures.held
            routes[path, default: RouteFigures()].tunnels &+= figures.tunnels
        }
    }
}

extension ServiceTotals {
    /// Clients and their messages are the workers' to count; the hub counts each room and user once.
    ///
    /// - Parameter usersOfAWorker: the most that one worker has, which stands in while a new hub knows nobody yet.
    init(workers: ChildCounters, hub: ChildCounters, usersOfAWorker: Int) {
        self.init()
        (clients, liveConnections) = (workers.clients, workers.liveConnections)
        users = max(hub.users, usersOfAWorker)
        rooms = hub.rooms
        (historyRooms, historyMessages, historyBytes) = (hub.historyRooms, hub.historyMessages, hub.historyBytes)
        historyFileBytes = hub.historyFileBytes
        (messagesIn, messagesOut) = (workers.messagesIn, workers.messagesOut)
        (bytesIn, bytesOut) = (workers.bytesIn, workers.bytesOut)
        averageSize = Self.ratio(workers.bytesIn &+ workers.bytesOut, workers.messagesIn &+ workers.messagesOut)
        connectionsAccepted = workers.connectionsAccepted
        handshakesRefused = workers.handshakesRefused
        (connects, reconnects) = (workers.connects, workers.reconnects)
        (resumed, notResumed) = (workers.resumed, workers.notResumed)
        refusedByReason = workers.refusedByReason
        rateLimited = workers.rateLimited
        errorsByCode = workers.errorsByCode
        slowClientsClosed = workers.slowClientsClosed
        heartbeatTimeouts = workers.heartbeatTimeouts
        protocolErrors = workers.protocolErrors
        (lossClosed, gaps) = (workers.lossClosed, workers.gaps)
        publications = hub.publications
        (recorded, repetitions, storageFailures) = (hub.recorded, hub.repetitions, hub.storageFailures)
        commits = hub.commits
        commitMean = Self.ratio(hub.commitMicroseconds, hub.commits).map { $0 / 1e6 }
        compressionRatio = Self.ratio(workers.compressionOut, workers.compressionIn)
        decompressionRatio = Self.ratio(workers.decompressionIn, workers.decompressionOut)
        webhooks = workers.webhooks.mapValues(WebhookTotals.init)
        latency = LatencySummary(workers.latency)
        errors = workers.errors &+ hub.errors
        logLinesDropped = workers.logLinesDropped &+ hub.logLinesDropped
        traceEventsDropped = workers.traceEventsDropped
    }

    private static func ratio(_ part: Int, _ whole: Int) -> Double? {
        whole > 0 ? Double(part) / Double(whole) : nil
    }
}
