import Model
import NIOCore

/// The connections of a worker to one route's upstream, and the requests that wait for it to start. Confined to the event
/// loop.
///
/// An exchange takes an unused connection or opens one. Once the upstream refuses, one attempt at a time is made for all that
/// wait, each after a longer pause; with the first that succeeds they go on.
final class UpstreamPool {
    private let connector: UpstreamConnector
    private unowned let routes: WorkerRoutes
    private var idle: [UpstreamConnection] = []
    private var held: [RoutedExchange] = []
    private var retryDelay = RouteLimits.retryDelay
    private var isRetrying = false
    private var sweep: Scheduled<Void>?
    private var lastFault = UpstreamFault.refused

    init(_ route: Route, routes: WorkerRoutes) {
        connector = UpstreamConnector(route, eventLoop: routes.eventLoop)
        self.routes = routes
    }

    private var route: Route { connector.route }

    /// Exchanges that wait for the upstream to start.
    var heldCount: Int { held.count }

    /// Gives the exchange a connection, or ends it. May do so from within this call.
    ///
    /// - Parameter fresh: none that was used before.
    func acquire(_ exchange: RoutedExchange, fresh: Bool = false) {
        if !fresh, let connection = takeIdle() { return exchange.connected(connection) }
        if isRetrying { return hold(exchange, lastFault) }
        connect(for: exchange)
    }

    /// The exchange wants no connection any more.
    func forget(_ exchange: RoutedExchange) {
        held.removeAll { $0 === exchange }
    }

    /// An exchange has ended; the connection may serve another.
    func release(_ connection: UpstreamConnection) {
        connection.exchange = nil
        connection.renew { [self] isUsable in
            guard isUsable, !routes.isDraining, idle.count < RouteLimits.maxIdle else { return connection.close() }
            connection.idleSince = .now()
            idle.append(connection)
            scheduleSweep()
        }
    }

    /// Closes what is not used.
    func closeIdle() {
        let connections = idle
        idle = []
        for connection in connections { connection.close() }
    }

    private func takeIdle() -> UpstreamConnection? {
        while let connection = idle.popLast() {
            if !isStale(connection), connection.isFresh { return connection }
            connection.close()
        }
        return nil
    }

    private func connect(for exchange: RoutedExchange) {
        connector.connect { result in
            switch result {
            case .success(let connection): self.use(connection, for: exchange)
            case .failure(let fault) where fault.mayPass: self.hold(exchange, fault)
            case .failure(let fault): exchange.fail(fault)
            }
        }
    }

    private func use(_ connection: UpstreamConnection, for exchange: RoutedExchange) {
        connection.ended = { [unowned self] connection in idle.removeAll { $0 === connection } }
        if exchange.wantsConnection { exchange.connected(connection) } else { release(connection) }
    }

    // MARK: Holding

    private func hold(_ exchange: RoutedExchange, _ fault: UpstreamFault) {
        guard exchange.wantsConnection else { return }
        lastFault = fault
        let limit = route.settings.hold
        guard limit > .zero else { return exchange.fail(fault) }
        let now = NIODeadline.now()
        let since = exchange.heldSince ?? now
        exchange.heldSince = since
        exchange.attempts = 0
        let left = since + TimeAmount(limit) - now
        guard left > .zero else { return exchange.fail(fault) }
        guard routes.heldCount < RouteLimits.maxHeld else { return exchange.fail(.crowded) }
        held.append(exchange)
        exchange.wait(left) { [unowned self] in
            forget(exchange)
            exchange.fail(lastFault)
        }
        scheduleRetry()
    }

    private func scheduleRetry() {
        guard !isRetrying else { return }
        isRetrying = true
        routes.eventLoop.assumeIsolated().scheduleTask(in: retryDelay) { self.retry() }
        retryDelay = min(retryDelay * 2, RouteLimits.maxRetryDelay)
    }

    private func retry() {
        guard !held.isEmpty else {
            isRetrying = false
            retryDelay = RouteLimits.retryDelay
            return
        }
        connector.connect { result in
            self.isRetrying = false
            switch result {
            case .success(let connection): self.letGo(connection)
            case .failure(let fault) where fault.mayPass:
                self.lastFault = fault
                if !self.held.isEmpty { self.scheduleRetry() }
            case .failure(let fault):
                let exchanges = self.held
                self.held = []
                for exchange in exchanges { exchange.fail(fault) }
            }
        }
    }

    /// The upstream listens again.
    private func letGo(_ connection: UpstreamConnection) {
        retryDelay = RouteLimits.retryDelay
        let exchanges = held
        held = []
        guard let first = exchanges.first else {
            connection.ended = { [unowned self] connection in idle.removeAll { $0 === connection } }
            return release(connection)
        }
        use(connection, for: first)
        for exchange in exchanges.dropFirst() { acquire(exchange) }
    }

    // MARK: Unused connections

    private func isStale(_ connection: UpstreamConnection) -> Bool {
        connection.idleSince.map { $0 + RouteLimits.keepAlive <= .now() } ?? false
    }

    private func scheduleSweep() {
        guard sweep == nil, !idle.isEmpty else { return }
        sweep = routes.eventLoop.assumeIsolated().scheduleTask(in: RouteLimits.sweepInterval) {
            self.sweep = nil
            let stale = self.idle.filter(self.isStale)
            self.idle.removeAll(where: self.isStale)
            for connection in stale { connection.close() }
            self.scheduleSweep()
        }
    }
}
