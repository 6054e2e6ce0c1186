import Model
import NIOCore
import NIOPosix
import NIOSSL

/// Connects to one upstream, on one event loop.
struct UpstreamConnector {
    let eventLoop: any EventLoop
    let route: Route
    /// Made once: it reads the machine's certificates.
    private let tls: Result<NIOSSLContext, any Error>?

    /// - Parameter trustRoots: who vouches for upstreams: the machine's authorities, but for tests.
    init(_ route: Route, eventLoop: any EventLoop, trustRoots: NIOSSLTrustRoots = .default) {
        self.eventLoop = eventLoop
        self.route = route
        if case .tcp(_, _, true) = route.settings.upstream {
            tls = Result {
                var configuration = NIOSSL.TLSConfiguration.makeClientConfiguration()
                configuration.trustRoots = trustRoots
                configuration.applicationProtocols = ["http/1.1"]
                return try NIOSSLContext(configuration: configuration)
            }
        } else {
            tls = nil
        }
    }

    /// `completion` is called once, on the event loop, never from within this call.
    func connect(_ completion: @escaping (Result<UpstreamConnection, UpstreamFault>) -> Void) {
        let promise = eventLoop.makePromise(of: Void.self)
        let limit = TimeAmount(route.settings.connectTimeout)
        let connection = UpstreamConnection(eventLoop: eventLoop, isSecure: tls != nil, established: promise)
        promise.futureResult.assumeIsolated().whenComplete { result in
            completion(result.map { connection }.mapError(UpstreamFault.init(connecting:)))
        }
        let bound = NIOLoopBound((connection, self), eventLoop: eventLoop)
        let bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(limit)
            .channelOption(.maxMessagesPerRead, value: RouteLimits.readsPerTurn)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let (connection, this) = bound.value
                    try connection.install(on: channel, tls: this.tlsHandler())
                }
            }
        let timer = tls.map { _ in
            // Beyond the connection itself the handshake has to be made.
            eventLoop.assumeIsolated().scheduleTask(in: limit) {
                promise.fail(UpstreamFault.connectTimeout)
                connection.close()
            }
        }
        if let timer { promise.futureResult.assumeIsolated().whenComplete { _ in timer.cancel() } }
        open(bootstrap).assumeIsolated().whenFailure { promise.fail($0) }
    }

    private func open(_ bootstrap: ClientBootstrap) -> EventLoopFuture<any Channel> {
        switch route.settings.upstream {
        case .unix(let path):
            return bootstrap.connect(unixDomainSocketPath: path)
        case .tcp(let host, let port, _):
            guard let address = try? SocketAddress(ipAddress: host, port: Int(port)) else {
                return bootstrap.connect(host: host, port: Int(port))
            }
            return bootstrap.connect(to: address)
        }
    }

    private func tlsHandler() throws -> NIOSSLClientHandler? {
        guard let tls, case .tcp(let host, _, _) = route.settings.upstream else { return nil }
        // An address cannot be named in the handshake (RFC 6066 section 3); its certificate is checked all the same.
        let isAddress = (try? SocketAddress(ipAddress: host, port: 0)) != nil
        return try NIOSSLClientHandler(context: tls.get(), serverHostname: isAddress ? nil : host)
    }
}
