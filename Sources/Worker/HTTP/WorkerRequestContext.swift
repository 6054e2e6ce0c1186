import Hummingbird
import Logging
import NIOCore

/// What a route knows of its request beside the request itself.
struct WorkerRequestContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    /// Of the connection, which may be a proxy's.
    let peer: SocketAddress?

    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        peer = source.channel.remoteAddress
    }

    init(logger: Logger, peer: SocketAddress?) {
        coreContext = CoreRequestContextStorage(source: LoggerOnly(logger: logger))
        self.peer = peer
    }

    private struct LoggerOnly: RequestContextSource {
        let logger: Logger
    }
}
