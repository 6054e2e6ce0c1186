import LinuxSystem
import Logging
import Model
import NIOCore
import Wire

/// Figures of one route in this worker.
final class RouteTraffic {
    var figures = RouteFigures()

    /// - Parameter status: what the client got; 0: it went away before.
    func ended(status: Int, nanoseconds: Int64) {
        figures.active -= 1
        figures.microseconds &+= Int(nanoseconds / 1000)
        figures.requests[status == 0 ? "aborted" : "\(status / 100)xx", default: 0] &+= 1
    }
}

/// What a worker's routes have in common: pools, open tunnels, figures, log. Confined to the worker's event loop.
final class WorkerRoutes {
    let eventLoop: any EventLoop
    let map: RouteMap
    let proxies: TrustedProxies
    /// A connection that was counted in ``tunnelCount`` has ended.
    var tunnelEnded: () -> Void = {}
    private(set) var isDraining = false

    private let logger: Logger
    private var log = LogLimiter()
    private var pools: [String: UpstreamPool] = [:]
    private var traffics: [String: RouteTraffic] = [:]
    private var tunnels: [ObjectIdentifier: TunnelHandler] = [:]
    private var streams: [ObjectIdentifier: RoutedExchange] = [:]

    init(_ configuration: WsdConfiguration, eventLoop: any EventLoop, logger: Logger) {
        self.eventLoop = eventLoop
        self.logger = logger
        map = RouteMap(configuration)
        proxies = TrustedProxies(configuration.http.trustedProxies)
    }

    func pool(_ route: Route) -> UpstreamPool {
        if let pool = pools[route.path] { return pool }
        let pool = UpstreamPool(route, routes: self)
        pools[route.path] = pool
        return pool
    }

    func traffic(_ route: Route) -> RouteTraffic {
        if let traffic = traffics[route.path] { return traffic }
        let traffic = RouteTraffic()
        traffics[route.path] = traffic
        return traffic
    }

    /// Requests that wait for upstreams to start.
    var heldCount: Int { pools.values.reduce(0) { $0 + $1.heldCount } }

    /// Of the routes that were used.
    var figures: [String: RouteFigures] {
        var result: [String: RouteFigures] = [:]
        for (path, traffic) in traffics {
            var figures = traffic.figures
            figures.held = pools[path]?.heldCount ?? 0
            if figures != RouteFigures() { result[path] = figures }
        }
        return result
    }

    /// - Parameters:
    ///   - held: how long the request has waited for the upstream.
    ///   - status: what the client is answered; `nil`: the answer had begun.
    func failed(_ fault: UpstreamFault, _ route: Route, _ traffic: RouteTraffic, held: Duration?, status: Int?) {
        traffic.figures.failures[fault.label, default: 0] &+= 1
        let (isAdmitted, suppressed) = log.admit(now: MonotonicTime.now())
        guard isAdmitted else { return }
        var metadata: Logger.Metadata = [
            "route.path": "\(route.path)", "route.upstream": "\(route.settings.upstream)", "reason": "\(fault.detail)",
        ]
        if let status { metadata["http.status"] = "\(status)" }
        if let held { metadata["held.ms"] = "\(held.milliseconds)" }
        if suppressed > 0 { metadata["suppressed"] = "\(suppressed)" }
        logger.warning("An upstream did not answer", metadata: metadata)
    }

    // MARK: Tunnels

    /// Connections that speak another protocol with an upstream, or ask for one.
    var tunnelCount: Int { tunnels.count }

    func opened(_ tunnel: TunnelHandler) {
        tunnels[ObjectIdentifier(tunnel)] = tunnel
        guard isDraining else { return }
        // It came through a gate after the others were told.
        eventLoop.assumeIsolated().scheduleTask(in: RouteLimits.drainStep) { [weak tunnel] in tunnel?.close() }
    }

    func closed(_ tunnel: TunnelHandler) {
        guard tunnels.removeValue(forKey: ObjectIdentifier(tunnel)) != nil else { return }
        tunnelEnded()
    }

    /// Ends the tunnels and event streams evenly over `spread`, in random order. Other requests go on.
    func drain(spread: Duration) {
        isDraining = true
        for pool in pools.values { pool.closeIdle() }
        let tunnels = tunnels.values.map { tunnel in { tunnel.close() } }
        let streams = streams.values.map { stream in { stream.endStream() } }
        end((tunnels + streams).shuffled(), from: 0, since: .now(), over: TimeAmount(spread))
    }

    /// - Parameter first: those before it were ended.
    private func end(_ all: [() -> Void], from first: Int, since start: NIODeadline, over spread: TimeAmount) {
        let passed = Double((NIODeadline.now() - start).nanoseconds)
        let share = spread > .zero ? min(1, passed / Double(spread.nanoseconds)) : 1
        let due = max(first, Int((Double(all.count) * share).rounded(.up)))
        for body in all[first..<due] { body() }
        guard due < all.count else { return }
        eventLoop.assumeIsolated().scheduleTask(in: RouteLimits.drainStep) {
            self.end(all, from: due, since: start, over: spread)
        }
    }

    /// An answer that ends only when somebody ends it (server-sent events): clients come again, as they do after a tunnel.
    func began(stream: RoutedExchange) {
        streams[ObjectIdentifier(stream)] = stream
    }

    func ended(stream: RoutedExchange) {
        streams[ObjectIdentifier(stream)] = nil
    }

    /// Ends all tunnels without a word.
    func cut() {
        for tunnel in Array(tunnels.values) { tunnel.cut() }
    }
}
