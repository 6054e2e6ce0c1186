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
    }

    /// Adds everything, gauges of living processes too.
    mutating func add(_ other: ChildCounters) {
        addEnded(other)
        clients &+= other.clients
        rooms &+= other.rooms
        held &+= other.held
        hubLinks &+= other.hubLinks
        queuedBytes &+= other.queuedBytes
    }
}
