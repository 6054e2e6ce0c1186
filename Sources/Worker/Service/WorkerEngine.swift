import Authentication
import LinuxSystem
import Logging
import Model
import NIOCore
import NIOPosix
import Realtime
import WebSocketProtocol
import Webhooks
import Wire

/// All of a worker's state, and what its connections, its hub link and its clock have in common. Confined to one event
/// loop.
final class WorkerEngine: @unchecked Sendable {
    let eventLoop: any EventLoop
    let logger: Logger
    let child: ChildConfiguration
    let boot: BootID
    let limits: ConnectionCore.Limits
    let receiveBuffers = ReceiveBuffers()
    let flusher: TurnFlusher
    var outboundBuffers = OutboundBuffers()
    let deflatePool: DeflatePool
    var counters = ChildCounters()
    /// Commands that failed.
    var errors: [ClientErrorCode: Int] = [:]

    /// The coarse time of this turn: read once a tick (``IdleWheel/tick``), as precise as anything here needs.
    private(set) var now: MonotonicTime
    private let clock: () -> MonotonicTime
    /// The precise time of this turn of the event loop, once somebody has asked for it.
    private var preciseTime: MonotonicTime?
    /// When the publications were taken in whose deliveries leave at the end of this turn.
    var latencies: [MonotonicTime] = []

    var connections = ConnectionTable<ConnectionHandler>()
    /// Clients admitted or being admitted, by their serial; echo connections are in ``connections`` alone.
    var realtime: WorkerRealtime<ConnectionHandler, ByteBuffer>
    /// Connections whose next command waits until the hub has caught up.
    var heldForHub: Set<ConnectionKey> = []
    /// Connections that the hub's registry has not been told of yet.
    var admitting: [UInt64: ConnectionHandler] = [:]
    var policy: AccessPolicy
    let admission: Admission
    let application: Application
    /// Seconds since 1970.
    let wallTime: () -> Double
    var nextWebhookCall: UInt64 = 1
    var backendCalls = BackendCalls()
    var trace = TraceBook()
    private var wheel: IdleWheel<ConnectionKey>
    private var gateWheel: IdleWheel<UInt64>
    private var gates: [UInt64: ConnectionGate] = [:]
    private var nextGate: UInt64 = 1
    var nextClient: UInt64 = 1
    let proxies: TrustedProxies
    /// `nil`: nothing speaks TLS.
    let tls: TLSKeeper?
    private var refusalLog = LogLimiter()
    var closeLog = LogLimiter()

    var live: LiveConnections
    /// Plain HTTP connections, to be ended when draining.
    var httpChannels: [ObjectIdentifier: any Channel] = [:]
    var http: WorkerHTTP?
    var hubLink: HubLinkClient?
    var acceptor: Acceptor?
    var drain: DrainProgress?
    var isLameDuck = false
    /// The drain is over; the process is about to end.
    var isFinished = false
    var supervisor = SupervisorLink()
    /// `nil`: this worker knows nothing of its siblings.
    var board: Board?

    /// This worker's cell on the fleet board, and the board with its siblings'.
    struct Board {
        var board: FleetBoard
        var cell: FleetCell
    }

    var configuration: WsdConfiguration { child.configuration }
    var isDraining: Bool { drain != nil }

    /// Sockets of clients, whatever they speak.
    var openSockets: Int {
        connections.count + gates.count + httpChannels.count + live.count + (http?.routes.tunnelCount ?? 0)
    }

    /// What the worker's own parts need of others.
    struct Parts {
        /// `nil`: no key is configured.
        var verifier: TokenVerifier?
        var application = Application()
        /// `nil`: nothing speaks TLS.
        var tls: TLSPair?
        /// Seconds since 1970.
        var wallTime: () -> Double = Clocks.wallSeconds

        init() {}
    }

    /// - Parameter clock: the machine's monotonic clock.
    init(
        child: ChildConfiguration, boot: BootID, eventLoop: any EventLoop, logger: Logger, parts: Parts = Parts(),
        clock: @escaping () -> MonotonicTime
    ) {
        self.child = child
        self.boot = boot
        self.eventLoop = eventLoop
        self.logger = logger
        self.clock = clock
        now = clock()
        limits = ConnectionCore.Limits(child.configuration)
        proxies = TrustedProxies(child.configuration.http.trustedProxies)
        flusher = TurnFlusher(eventLoop: eventLoop)
        live = LiveConnections(source: LiveSource(socket: child.controlSocket, eventLoop: eventLoop))
        policy = AccessPolicy(child.configuration)
        realtime = WorkerRealtime(boot: boot, limits: .init(child.configuration), rules: policy.rules)
        deflatePool = DeflatePool(child.configuration.websocket.compression)
        application = parts.application
        wallTime = parts.wallTime
        tls = parts.tls.map { pair in
            TLSKeeper(
                pair, configuration: child.configuration.tls, eventLoop: eventLoop, logger: logger,
                environment: .init(wallTime: parts.wallTime, isSpokesman: child.slot.number == 1))
        }
        wheel = IdleWheel(now: now)
        gateWheel = IdleWheel(now: now)
        let reference = Reference()
        var environment = Admission.Environment(
            now: clock, wallTime: parts.wallTime, verifier: parts.verifier, webhooks: nil, logger: logger
        ) { client, request, wantsReply in
            reference.engine?.register(client, request, wantsReply: wantsReply) ?? false
        }
        environment.recall = { reference.engine?.recall($0) }
        if application.hooks.contains(.connect) {
            environment.askWebhook = { parts.application.ask(.connect($0), $1) }
        }
        admission = Admission(configuration: child.configuration, eventLoop: eventLoop, environment: environment)
        reference.engine = self
        flusher.turnEnded = { [unowned self] in turnEnded() }
    }

    /// What a part that is made before the engine needs to reach it.
    private final class Reference {
        weak var engine: WorkerEngine?
    }

    // MARK: Time

    /// To be called every ``IdleWheel/tick``.
    func tick() {
        let time = clock()
        let isLate = time - now > IdleWheel<ConnectionKey>.tick * 4
        now = time
        board?.cell.setLastTurn(now.nanoseconds / 1_000_000)
        // After a pause of the whole process what clients sent meanwhile is read first, before anybody is found silent.
        guard !isLate else { return }
        for key in wheel.advance(to: now) { connections[key]?.timeElapsed() }
        for serial in gateWheel.advance(to: now) { gates[serial]?.timeElapsed() }
        admission.tick()
        expireRequests()
        markReadIfDue()
        reportTraces()
    }

    /// Something was read, or a timer came: time has passed.
    func turnBegan() {
        preciseTime = nil
    }

    /// The precise time of this turn; the clock is read once.
    var turnTime: MonotonicTime {
        if let preciseTime { return preciseTime }
        let time = max(now, clock())
        preciseTime = time
        return time
    }

    /// Everything of the turn has been written.
    private func turnEnded() {
        preciseTime = nil
        guard !latencies.isEmpty else { return }
        let time = clock()
        for publishedAt in latencies { counters.latency.record(nanoseconds: (time - publishedAt).nanoseconds) }
        latencies.removeAll(keepingCapacity: true)
    }

    /// For decisions that need more than the coarse time.
    func refreshTime() {
        now = max(now, clock())
    }

    func look(at connection: ConnectionHandler, at time: MonotonicTime) {
        wheel.enter(connection.key, at: time)
    }

    func lookAtGate(_ serial: UInt64, after delay: Duration) {
        gateWheel.enter(serial, at: now + delay)
    }

    // MARK: Gate

    /// Puts a new connection behind its gate.
    func admit(_ channel: any Channel, from kind: ListenerKind = .plain) throws {
        try Self.useSharedBuffers(channel, engine: self)
        let serial = nextGate
        nextGate += 1
        let gate = ConnectionGate(engine: self, serial: serial, kind: kind)
        try channel.pipeline.syncOperations.addHandler(gate)
        gates[serial] = gate
        counters.connectionsAccepted += 1
        lookAtGate(serial, after: configuration.websocket.handshakeTimeout)
        board?.cell.setConnections(openSockets)
    }

    func gateLeft(_ serial: UInt64) {
        guard gates.removeValue(forKey: serial) != nil else { return }
        socketClosed()
    }

    /// Ends connections that are still behind their gates.
    func closeGates() {
        for gate in Array(gates.values) { gate.close() }
    }

    func refused(_ refusal: HTTPRefusal, head: RequestHead?, address: SocketAddress?) {
        counters.handshakesRefused += 1
        let (isAdmitted, suppressed) = refusalLog.admit(now: now)
        guard isAdmitted else { return }
        var metadata: Logger.Metadata = [
            "http.status": "\(refusal.status)", "reason": "\(refusal.sentence)",
            "client.address": "\(self.address(address, head))",
        ]
        if let head {
            metadata["http.path"] = "\(head.path.prefix(ConnectionInfo.maxFieldLength))"
            metadata["http.origin"] = head.first("origin").map { "\($0.prefix(ConnectionInfo.maxFieldLength))" }
        }
        if suppressed > 0 { metadata["suppressed"] = "\(suppressed)" }
        logger.info("Request refused", metadata: metadata)
    }

    // MARK: HTTP

    /// Hands a connection with an ordinary request to the HTTP side.
    func adoptHTTP(_ channel: any Channel, firstBytes: ByteBuffer) {
        do {
            try channel.syncOptions?.setOption(.recvAllocator, value: AdaptiveRecvByteBufferAllocator())
            try http?.adopt(channel, firstBytes: firstBytes)
        } catch {
            logger.debug("HTTP connection failed", metadata: ["error": "\(error)"])
            channel.close(promise: nil)
            return
        }
        let id = ObjectIdentifier(channel)
        guard httpChannels.updateValue(channel, forKey: id) == nil else { return }
        channel.closeFuture.assumeIsolated().whenComplete { _ in self.httpEnded(id) }
    }

    /// A kept-alive HTTP connection asks for an upgrade; its HTTP handlers have left.
    func adoptUpgrade(_ channel: any Channel, head: RequestHead, leftover: ByteBuffer) {
        switch admission.decide(head, peer: channel.peer, isSecure: channel.isSecure) {
        case .webSocket(let offer, let purpose):
            upgrade(channel) {
                openWebSocket(on: channel, head: head, offer: offer, purpose: purpose, leftover: leftover)
            }
        case .live(let offer, let request):
            upgrade(channel) {
                openLive(on: channel, head: head, offer: offer, request: request, leftover: leftover)
            }
        case .route(let route):
            upgrade(channel) { openTunnel(on: channel, head: head, route: route, leftover: leftover) }
        case .refuse(let refusal):
            refused(refusal, head: head, address: channel.peer)
            var response = ByteBuffer()
            Handshake.writeRefusal(refusal, into: &response)
            channel.writeAndFlush(response).assumeIsolated().whenComplete { _ in channel.close(promise: nil) }
            eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(limits.closeTimeout)) { channel.close(promise: nil) }
        case .http:
            channel.close(promise: nil)
        }
    }

    /// It counts as what it becomes before it ceases to count as what it was.
    private func upgrade(_ channel: any Channel, _ open: () -> Void) {
        do {
            try Self.useSharedBuffers(channel, engine: self)
            open()
            httpEnded(ObjectIdentifier(channel))
        } catch {
            channel.close(promise: nil)
        }
    }

    private func httpEnded(_ id: ObjectIdentifier) {
        guard httpChannels.removeValue(forKey: id) != nil else { return }
        socketClosed()
    }

    /// One read(2) for each readiness, into the loop's one buffer.
    private static func useSharedBuffers(_ channel: any Channel, engine: WorkerEngine) throws {
        guard let options = channel.syncOptions else { return }
        try options.setOption(.recvAllocator, value: SharedReceiveAllocator(buffers: engine.receiveBuffers))
        try options.setOption(.maxMessagesPerRead, value: 1)
    }
}
