import LinuxSystem
import Logging
import Model
import NIOCore
import Realtime
import WebSocketProtocol
import Webhooks
import Wire

extension WorkerEngine {
    /// Makes a channel whose own handlers have left a WebSocket connection. Its subprotocol is chosen here, and whether it
    /// is compressed.
    func openWebSocket(
        on channel: any Channel, head: RequestHead, offer: HandshakeOffer, purpose: ConnectionCore.Purpose,
        leftover: ByteBuffer
    ) {
        let subprotocol = purpose == .simple ? offer.subprotocol(among: [V1Dialect.subprotocol]) : nil
        let deflate = offer.agreeOnDeflate(configuration.websocket.compression)
        let id = ClientID(boot: boot, serial: nextClient)
        nextClient += 1
        let session = SessionID(rawValue: UInt64.random(in: 1 ... .max))
        let core = ConnectionCore(
            purpose: subprotocol == nil ? purpose : .v1, id: id, session: session, limits: limits,
            deflate: deflate?.parameters, pool: deflatePool, now: now)
        let handler = ConnectionHandler(core: core, info: info(channel, head), engine: self)
        do {
            try channel.pipeline.syncOperations.addHandler(handler)
        } catch {
            channel.close(promise: nil)
            return
        }
        handler.key = connections.insert(handler)
        counters.connects += 1
        var response = outboundBuffers.take()
        Handshake.writeAcceptance(of: offer, subprotocol: subprotocol, deflate: deflate, into: &response)
        logger.debug(
            "Client connected",
            metadata: [
                "client.id": "\(id)", "client.address": "\(handler.info.address)", "http.path": "\(handler.info.path)",
            ])
        handler.start(response: response, leftover: leftover) {
            if handler.core.purpose == .echo {
                if let time = core.firstLook(limits: limits) { look(at: handler, at: time) }
            } else {
                askAdmission(handler, head)
            }
        }
    }

    private func askAdmission(_ connection: ConnectionHandler, _ head: RequestHead) {
        turnBegan()
        admitting[connection.serial] = connection
        var credentials = admission.credentials(head)
        credentials.certificate = connection.info.certificate
        admission.begin(request(of: connection, credentials))
    }

    private func request(of connection: ConnectionHandler, _ credentials: HandshakeCredentials) -> AdmissionRequest {
        let session = connection.core.session
        return AdmissionRequest(
            connection: connection, client: session.id, session: session.session,
            dialect: connection.core.purpose.name, address: connection.info.address,
            addressKey: AddressKey.text(of: connection.info.address), path: connection.info.path,
            credentials: credentials)
    }

    /// What is kept of a client that was admitted; `nil`: it was not, or is gone.
    func recall(_ serial: UInt64) -> (request: AdmissionRequest, identity: ClientIdentity?)? {
        guard let connection = client(serial), connection.core.marks.contains(.admitted) else { return nil }
        var credentials = HandshakeCredentials()
        credentials.origin = connection.info.origin
        credentials.userAgent = connection.info.userAgent
        credentials.certificate = connection.info.certificate
        return (request(of: connection, credentials), connection.core.identity?.value)
    }

    /// Tells the hub's registry of a client; `false`: it is away, and no more can be held for it.
    func register(_ client: UInt64, _ request: HubRequest, wantsReply: Bool) -> Bool {
        let outcome: CommandOutcome
        switch request {
        case .connect(let registration):
            guard let connection = admitting.removeValue(forKey: client) else { return false }
            outcome = realtime.connect(
                client, member: connection, registration: registration, wantsReply: wantsReply, now: turnTime,
                encode: Self.encode)
        case .identify(let registration):
            outcome = realtime.identify(
                client, registration: registration, wantsReply: wantsReply, now: turnTime, encode: Self.encode)
        default:
            return false
        }
        hubLink?.markIfDue()
        return outcome == .accepted
    }

    /// Called once for each connection, when its transport is gone.
    func connectionClosed(_ connection: ConnectionHandler) {
        guard connections.remove(connection.key) else { return }
        release(connection)
        traceEnd(connection)
        logger.debug("Client gone", metadata: ["client.id": "\(connection.core.session.id)"])
        socketClosed()
    }

    /// The client has left its rooms and counts for no limit any more, whether or not its transport is gone.
    func release(_ connection: ConnectionHandler) {
        let core = connection.core
        guard core.purpose != .echo, !core.marks.contains(.released) else { return }
        connection.core.marks.insert(.released)
        turnBegan()
        admitting[connection.serial] = nil
        admission.connectionGone(connection.serial)
        realtime.disconnect(connection.serial, mayReturn: core.mayReturn, now: turnTime, encode: Self.encode)
        hubLink?.markIfDue()
        if core.marks.contains(.admitted), application.hooks.contains(.disconnect) {
            application.tell(.disconnect(client: core.session.id, user: core.session.user))
        }
    }

    /// A client of this worker by its serial; `nil` when it is gone.
    func client(_ serial: UInt64) -> ConnectionHandler? {
        realtime.clients[serial]?.member
    }

    func slowClient(_ connection: ConnectionHandler) {
        counters.slowClientsClosed += 1
        logClose("Client reads too slowly: closed", connection, ["queue.bytes": "\(connection.queuedBytes)"])
    }

    /// A client's own doing ended its connection.
    func logClose(_ sentence: Logger.Message, _ connection: ConnectionHandler, _ further: Logger.Metadata = [:]) {
        let (isAdmitted, suppressed) = closeLog.admit(now: now)
        guard isAdmitted else { return }
        var metadata = further
        metadata["client.id"] = "\(connection.core.session.id)"
        metadata["client.address"] = "\(connection.info.address)"
        if let user = connection.core.session.user { metadata["user.id"] = "\(user)" }
        if suppressed > 0 { metadata["suppressed"] = "\(suppressed)" }
        logger.info(sentence, metadata: metadata)
    }

    /// How long a client that is closed with this code is told to wait: clients that are closed together do not come back
    /// together.
    func reconnectDelay(_ code: CloseCode) -> Duration {
        let hints = limits.hints
        let spread: Duration =
            switch code {
            // Such a close goes to many at once; a drain is paced already.
            case .tryAgainLater: configuration.reload.drainSpread
            default: .seconds(1)
            }
        let milliseconds = Int64.random(in: 0...max(0, spread.milliseconds))
        return min(hints.reconnectMax, hints.reconnectMin + .milliseconds(milliseconds))
    }

    private func info(_ channel: any Channel, _ head: RequestHead) -> ConnectionInfo {
        func kept(_ text: String?) -> String? { text.map { String($0.prefix(ConnectionInfo.maxFieldLength)) } }
        let path = head.path
        let secure = channel.secureTransport
        return ConnectionInfo(
            address: address(channel.peer, head),
            // The configured text, so that all connections share one.
            path: configuration.websocket.paths.first { $0 == path } ?? String(path),
            origin: kept(head.first("origin")), userAgent: kept(head.first("user-agent")), connectedAt: wallTime(),
            isSecure: secure != nil, certificate: secure?.clientCertificate)
    }

    /// The client's address, as a trusted proxy tells it where there is one.
    func address(_ peer: SocketAddress?, _ head: RequestHead?) -> String {
        let forwarded = proxies.client(of: peer, forwardedFor: head?.joined("x-forwarded-for"))
        return forwarded ?? peer?.wsdText ?? "unknown"
    }

    func socketClosed() {
        board?.cell.setConnections(openSockets)
        acceptor?.descriptorFreed()
        drainProgressed()
    }
}

extension ConnectionCore {
    /// Whether the others are to miss the client only after the grace time: its connection broke, or we closed it for a
    /// reason after which it comes back.
    var mayReturn: Bool {
        guard purpose == .v1 else { return false }
        return farewell?.isExpectedBack ?? true
    }
}
