import Logging
import Model
import NIOCore
import NIOPosix
import NIOSSL

/// Keeps the certificate and key that new connections are made with, and takes up new ones when their files change.
/// Connections that are there are not touched. Confined to its event loop; files are read on a thread of its own.
final class TLSKeeper {
    /// What the keeper needs of its worker.
    struct Environment {
        /// Seconds since 1970.
        var wallTime: () -> Double
        /// One worker of the service speaks for all where all would say the same.
        var isSpokesman: Bool
    }

    private(set) var pair: TLSPair
    private(set) var handshakes = 0
    private(set) var failures: [TLSFailure: Int] = [:]
    /// The files have changed and what is in them cannot be used.
    private(set) var isStale = false

    private let configuration: Model.TLSConfiguration
    private let eventLoop: any EventLoop
    private let logger: Logger
    private let environment: Environment
    /// `nil`: not started.
    private var pool: NIOThreadPool?
    private var watch: TLSFileWatch
    private var isLooking = false
    /// When the time left was last found too short, seconds since 1970.
    private var warnedAt: Double?

    init(
        _ pair: TLSPair, configuration: Model.TLSConfiguration, eventLoop: any EventLoop, logger: Logger,
        environment: Environment
    ) {
        self.pair = pair
        self.configuration = configuration
        self.eventLoop = eventLoop
        self.logger = logger
        self.environment = environment
        watch = TLSFileWatch(pair.stamps)
    }

    /// Begins to watch the files, until the process ends.
    func start() {
        let pool = NIOThreadPool(numberOfThreads: 1)
        pool.start()
        self.pool = pool
        warnOfExpiry()
        let interval = TimeAmount(TLSFileWatch.interval)
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { _ in bound.value.look() }
    }

    func handshakeCompleted() { handshakes &+= 1 }

    func handshakeFailed(_ reason: TLSFailure) { failures[reason, default: 0] &+= 1 }

    /// The handlers that make a channel speak TLS, in their order.
    func handlers(_ buffers: ReceiveBuffers) -> (SharedBufferReturn, NIOSSLServerHandler, SecureTransport) {
        var configuration = NIOSSLHandler.Configuration()
        configuration.maximumPreservedOutboundBufferCapacity = Self.keptCiphertext
        let handler = NIOSSLServerHandler(context: pair.context, configuration: configuration)
        return (SharedBufferReturn(buffers), handler, SecureTransport())
    }

    /// A connection's buffer of bytes to be sent is not kept when it has grown above this: one record and what it needs.
    private static let keptCiphertext = 17 * 1024

    // MARK: Files

    private enum Found: Sendable {
        case unchanged
        case loaded(TLSPair)
        case failed(TLSFileStamps, TLSPairError)
    }

    func look() {
        warnOfExpiry()
        guard let pool, !isLooking else { return }
        isLooking = true
        let (configuration, watch) = (configuration, watch)
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        pool.runIfActive(eventLoop: eventLoop) { () -> Found in
            let stamps = TLSFileStamps(configuration)
            guard watch.isNew(stamps) else { return .unchanged }
            do throws(TLSPairError) {
                return .loaded(try TLSPair.load(configuration))
            } catch {
                return .failed(stamps, error)
            }
        }.whenSuccess { bound.value.looked($0) }
    }

    private func looked(_ found: Found) {
        isLooking = false
        switch found {
        case .unchanged: break
        case .loaded(let new):
            pair = new
            watch.loaded(new.stamps)
            isStale = false
            warnedAt = nil
            logger.notice("The TLS certificate was replaced", metadata: ["tls.certificate": certificate])
            warnOfExpiry()
        case .failed(let stamps, let error):
            guard watch.failed(stamps) == .refuse else {
                let bound = NIOLoopBound(self, eventLoop: eventLoop)
                eventLoop.scheduleTask(in: TimeAmount(TLSFileWatch.settling)) { bound.value.look() }
                return
            }
            isStale = true
            logger.warning(
                "The new TLS certificate or key cannot be used; the former stays",
                metadata: ["tls.certificate": certificate, "reason": "\(error)"])
        }
    }

    private var certificate: Logger.MetadataValue { "\(configuration.certificate ?? "")" }

    private func warnOfExpiry() {
        let now = environment.wallTime()
        guard environment.isSpokesman, warnedAt.map({ now - $0 >= TLSExpiry.warnInterval.inSeconds }) ?? true,
            let warning = TLSExpiry.warning(notBefore: pair.notBefore, notAfter: pair.notAfter, now: Int(now))
        else { return }
        warnedAt = now
        logger.warning("\(warning)", metadata: ["tls.certificate": certificate])
    }
}
