import LinuxSystem
import Logging
import Model
import NIOCore
import NIOPosix
import Realtime
import WebSocketProtocol
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
    var counters = ChildCounters()

    /// The coarse time of this turn: read once a tick (``IdleWheel/tick``), as precise as anything here needs.
    private(set) var now: MonotonicTime
    private let clock: () -> MonotonicTime

    var connections = ConnectionTable<ConnectionHandler>()
    /// Client serial to its place.
    private var keys: [UInt64: ConnectionKey] = [:]
    var realtime: WorkerRealtime<ConnectionHandler, ByteBuffer>
    private var wheel: IdleWheel<ConnectionKey>
    private var gateWheel: IdleWheel<UInt64>
    private var gates: [UInt64: ConnectionGate] = [:]
    private var nextGate: UInt64 = 1
    private var nextClient: UInt64 = 1
    private let proxies: TrustedProxies
    private var refusalLog = LogLimiter()
    private var slowLog = LogLimiter()

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
    var openSockets: Int { connections.count + gates.count + httpChannels.count }

    /// - Parameter clock: the machine's monotonic clock.
    init(
        child: ChildConfiguration, boot: BootID, eventLoop: any EventLoop, logger: Logger,
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
        realtime = WorkerRealtime(boot: boot, limits: .init(child.configuration))
        wheel = IdleWheel(now: now)
        gateWheel = IdleWheel(now: now)
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
        expireRequests()
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
    func admit(_ channel: any Channel) throws {
        try Self.useSharedBuffers(channel, engine: self)
        let serial = nextGate
        nextGate += 1
        let gate = ConnectionGate(engine: self, serial: serial)
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

    // MARK: Connections

    /// Makes a channel whose own handlers have left a WebSocket connection.
    func openWebSocket(
        on channel: any Channel, head: RequestHead, offer: HandshakeOffer, purpose: ConnectionCore.Purpose,
        leftover: ByteBuffer
    ) {
        let id = ClientID(boot: boot, serial: nextClient)
        nextClient += 1
        let core = ConnectionCore(purpose: purpose, id: id, limits: limits, now: now)
        let handler = ConnectionHandler(core: core, info: info(channel, head), engine: self)
        do {
            try channel.pipeline.syncOperations.addHandler(handler)
        } catch {
            channel.close(promise: nil)
            return
        }
        handler.key = connections.insert(handler)
        keys[id.serial] = handler.key
        if let time = core.firstLook(limits: limits) { look(at: handler, at: time) }
        var response = outboundBuffers.take()
        Handshake.writeAcceptance(of: offer, into: &response)
        logger.debug(
            "Client connected",
            metadata: [
                "client.id": "\(id)", "client.address": "\(handler.info.address)", "http.path": "\(handler.info.path)",
            ])
        handler.start(response: response, leftover: leftover)
    }

    /// Called once for each connection, when its transport is gone.
    func connectionClosed(_ connection: ConnectionHandler) {
        guard connections.remove(connection.key) else { return }
        keys[connection.core.session.id.serial] = nil
        if connection.core.purpose == .simple { leaveRooms(connection.core.session.id.serial) }
        logger.debug("Client gone", metadata: ["client.id": "\(connection.core.session.id)"])
        socketClosed()
    }

    /// A client of this worker by its serial; `nil` when it is gone.
    func client(_ serial: UInt64) -> ConnectionHandler? {
        keys[serial].flatMap { connections[$0] }
    }

    func slowClient(_ connection: ConnectionHandler) {
        counters.slowClientsClosed += 1
        let (isAdmitted, suppressed) = slowLog.admit(now: now)
        guard isAdmitted else { return }
        var metadata: Logger.Metadata = [
            "client.id": "\(connection.core.session.id)", "client.address": "\(connection.info.address)",
            "queue.bytes": "\(connection.queuedBytes)",
        ]
        if suppressed > 0 { metadata["suppressed"] = "\(suppressed)" }
        logger.info("Client reads too slowly: closed", metadata: metadata)
    }

    private func info(_ channel: any Channel, _ head: RequestHead) -> ConnectionInfo {
        func kept(_ text: String?) -> String? { text.map { String($0.prefix(ConnectionInfo.maxFieldLength)) } }
        let path = head.path
        return ConnectionInfo(
            address: address(channel.remoteAddress, head),
            // The configured text, so that all connections share one.
            path: configuration.websocket.paths.first { $0 == path } ?? String(path),
            origin: kept(head.first("origin")), userAgent: kept(head.first("user-agent")),
            connectedAt: Clocks.wallSeconds())
    }

    /// The client's address, as a trusted proxy tells it where there is one.
    private func address(_ peer: SocketAddress?, _ head: RequestHead?) -> String {
        let forwarded = proxies.client(of: peer, forwardedFor: head?.joined("x-forwarded-for"))
        return forwarded ?? peer?.wsdText ?? "unknown"
    }

    private func socketClosed() {
        board?.cell.setConnections(openSockets)
        acceptor?.descriptorFreed()
        drainProgressed()
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
        switch UpgradeDecision(head, configuration: configuration) {
        case .webSocket(let offer, let purpose):
            do {
                try Self.useSharedBuffers(channel, engine: self)
                openWebSocket(on: channel, head: head, offer: offer, purpose: purpose, leftover: leftover)
                httpEnded(ObjectIdentifier(channel))
            } catch {
                channel.close(promise: nil)
            }
        case .refuse(let refusal):
            refused(refusal, head: head, address: channel.remoteAddress)
            var response = ByteBuffer()
            Handshake.writeRefusal(refusal, into: &response)
            channel.writeAndFlush(response).assumeIsolated().whenComplete { _ in channel.close(promise: nil) }
            eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(limits.closeTimeout)) { channel.close(promise: nil) }
        case .http:
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
