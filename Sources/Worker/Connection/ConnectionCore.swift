import Model
import NIOCore
import Realtime
import WebSocketProtocol
import Wire

/// Everything there is to one WebSocket connection besides its rooms, sans-I/O: bytes and time go in, actions and bytes
/// to send come out. Knows no channel, clock or task.
///
/// Obligations of the driver: after ``receive(_:now:)`` call ``next(limits:)`` until `nil`; send ``outbound`` in order
/// and empty it; call ``timeElapsed(now:limits:)`` when ``Timing/look(at:)`` says so.
struct ConnectionCore {
    /// What a connection is for, fixed by its path.
    enum Purpose: UInt8, Codable {
        /// The simple dialect.
        case simple
        /// Messages come back as they are.
        case echo
    }

    /// Bounds shared by all connections of a worker.
    struct Limits {
        var webSocket: WebSocketLimits
        /// Bytes of a room's name.
        var roomName: Int
        /// Zero: never ping.
        var pingInterval: Duration
        var pongTimeout: Duration
        /// From our close frame to the cut.
        var closeTimeout = Duration.seconds(2)
        /// Bytes that may wait for a client.
        var outboundQueue: Int

        init(_ configuration: WsdConfiguration) {
            let webSocket = configuration.websocket
            self.webSocket = WebSocketLimits(
                maxMessageSize: webSocket.maxMessageSize, maxFragments: webSocket.maxFragments)
            roomName = configuration.rooms.maxNameLength
            pingInterval = webSocket.pingInterval
            pongTimeout = webSocket.pongTimeout
            // One message of the allowed size always fits.
            outboundQueue = max(webSocket.outboundQueue, webSocket.maxMessageSize + 14)
        }
    }

    private enum Phase: UInt8, Codable {
        case open
        /// Pinged; the client is cut off unless it is heard of.
        case pinged
        /// Our close frame is sent or queued; the peer's is awaited.
        case closing
        /// Nothing that comes or is asked for counts any more.
        case ended
    }

    let purpose: Purpose
    private(set) var session: ClientSession
    /// What is due to the client. Whole frames, but for the beginning that was sent already.
    var outbound = ByteBuffer()
    private var webSocket: WebSocketConnection
    private var phase = Phase.open
    /// Open: when bytes last came. Pinged, closing: when that began.
    private var since: MonotonicTime

    init(purpose: Purpose, id: ClientID, limits: Limits, now: MonotonicTime) {
        self.purpose = purpose
        session = ClientSession(id: id)
        webSocket = WebSocketConnection(role: .server, limits: limits.webSocket)
        since = now
    }

    /// Whether messages may still be delivered to the client.
    var isOpen: Bool { phase == .open || phase == .pinged }

    /// Bytes held for the peer's unfinished message.
    var heldBytes: Int { webSocket.heldBytes }
}

// MARK: - From the client

/// What the driver has to do for a connection.
enum ConnectionAction {
    /// A client's command; `data` is the publication's, a slice of the bytes received.
    case command(ClientCommand, request: RequestID?, data: ByteBuffer)
    /// Send what is due, then close the transport. `lingering`: end only the own side and let the peer's bytes run out
    /// for a bounded time, so that the close frame is not lost to a reset.
    case end(ConnectionEnd, lingering: Bool)
}

/// Why a connection ended, for counters and the log.
enum ConnectionEnd: Equatable {
    case closedByPeer(CloseCode?)
    case protocolError(CloseCode, String)
}

extension ConnectionCore {
    /// Takes what was read. The bytes are changed in place (unmasked).
    mutating func receive(_ bytes: ByteBuffer, now: MonotonicTime) {
        switch phase {
        case .open:
            since = now
        case .pinged:
            phase = .open
            since = now
        case .closing, .ended:
            break
        }
        webSocket.receive(bytes)
    }

    /// What the received bytes ask for; `nil`: no more for now. Answers that need nobody else are in ``outbound``
    /// already.
    mutating func next(limits: Limits) -> ConnectionAction? {
        while phase != .ended, let event = webSocket.next() {
            switch event {
            case .message(let kind, let payload):
                if let action = message(kind, payload, limits: limits) { return action }
            case .ping(let payload):
                if !webSocket.isCloseSent { FrameWriter.writePong(payload, into: &outbound) }
            case .pong:
                break
            case .close(let code, _):
                webSocket.writeClose(code, into: &outbound)
                phase = .ended
                return .end(.closedByPeer(code), lingering: false)
            case .failed(let code, let reason):
                webSocket.writeClose(code, reason: reason, into: &outbound)
                phase = .ended
                return .end(.protocolError(code, reason), lingering: true)
            }
        }
        return nil
    }

    private mutating func message(_ kind: MessageKind, _ payload: ByteBuffer, limits: Limits) -> ConnectionAction? {
        guard isOpen else { return nil }
        switch purpose {
        case .echo:
            _ = session.received(bytes: payload.readableBytes, request: nil)
            FrameWriter.write(kind, payload, into: &outbound)
            session.sent(messages: 1, bytes: payload.readableBytes)
            return nil
        case .simple:
            return simpleMessage(kind, payload, limits: limits)
        }
    }

    private mutating func simpleMessage(_ kind: MessageKind, _ payload: ByteBuffer, limits: Limits) -> ConnectionAction?
    {
        guard kind == .text else {
            _ = session.received(bytes: payload.readableBytes, request: nil)
            sendError(.unsupportedData, request: nil)
            return nil
        }
        switch SimpleDialect.decode(payload, maxRoomLength: limits.roomName) {
        case .failure(let error):
            _ = session.received(bytes: payload.readableBytes, request: nil)
            sendError(error.code, request: error.request)
            return nil
        case .success(let message):
            if let refusal = session.received(bytes: payload.readableBytes, request: message.request) {
                sendError(refusal, request: message.request)
                return nil
            }
            let data = payload.getSlice(at: payload.readerIndex + message.data.lowerBound, length: message.data.count)
            return .command(message.command, request: message.request, data: data ?? ByteBuffer())
        }
    }
}

// MARK: - To the client

extension ConnectionCore {
    /// First of all: who the client is.
    mutating func sendGreeting() {
        guard purpose == .simple else { return }
        let id = session.id
        send { SimpleDialect.writeConnected(id, into: &$0) }
    }

    mutating func sendAnswer(_ request: RequestID, room: RoomName?) {
        send { SimpleDialect.writeAnswer(request, room: room, into: &$0) }
    }

    mutating func sendError(_ code: ClientErrorCode, request: RequestID?) {
        send { SimpleDialect.writeError(code, request: request, into: &$0) }
    }

    /// The hub was asked on the client's behalf and will answer.
    mutating func requestAccepted() { session.requestAccepted() }

    /// That answer came.
    mutating func requestAnswered() { session.requestAnswered() }

    /// Counts a frame that the driver has put into ``outbound`` itself.
    mutating func delivered(bytes: Int) { session.sent(messages: 1, bytes: bytes) }

    /// Begins the close handshake. Returns `false` when it had begun before.
    mutating func close(_ code: CloseCode, reason: String, now: MonotonicTime) -> Bool {
        guard isOpen else { return false }
        webSocket.writeClose(code, reason: reason, into: &outbound)
        phase = .closing
        since = now
        return true
    }

    private mutating func send(_ body: (inout ByteBuffer) -> Void) {
        guard isOpen else { return }
        var payload = ByteBuffer()
        body(&payload)
        FrameWriter.write(.text, payload, into: &outbound)
        session.sent(messages: 1, bytes: payload.readableBytes)
    }
}

// MARK: - Time

/// What the passing of time asks of a connection.
enum ConnectionTiming: Equatable {
    /// Look again at that time; `nil`: never.
    case look(at: MonotonicTime?)
    /// A ping was put into ``ConnectionCore/outbound``; look again at that time.
    case pinged(lookAt: MonotonicTime)
    /// No pong came: a close frame (4000) was put into ``ConnectionCore/outbound``; send it and cut the connection.
    case pongMissing
    /// The peer did not answer the close frame: cut the connection.
    case closeUnanswered
}

extension ConnectionCore {
    /// When ``timeElapsed(now:limits:)`` is first of use.
    func firstLook(limits: Limits) -> MonotonicTime? {
        limits.pingInterval > .zero ? since + limits.pingInterval : nil
    }

    /// May be called at any time; too early does no harm.
    mutating func timeElapsed(now: MonotonicTime, limits: Limits) -> ConnectionTiming {
        switch phase {
        case .open:
            guard let due = firstLook(limits: limits) else { return .look(at: nil) }
            guard now >= due else { return .look(at: due) }
            FrameWriter.writePing(into: &outbound)
            phase = .pinged
            since = now
            return .pinged(lookAt: now + limits.pongTimeout)
        case .pinged:
            let due = since + limits.pongTimeout
            guard now >= due else { return .look(at: due) }
            webSocket.writeClose(.heartbeatTimeout, reason: "no pong in time", into: &outbound)
            phase = .ended
            return .pongMissing
        case .closing:
            let due = since + limits.closeTimeout
            guard now >= due else { return .look(at: due) }
            phase = .ended
            return .closeUnanswered
        case .ended:
            return .closeUnanswered
        }
    }
}

extension ConnectionCore: Codable {
    private enum CodingKeys: String, CodingKey {
        case purpose, id, outbound, webSocket, phase, since
    }

    /// The session's figures stay behind: its successor counts anew.
    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(purpose, forKey: .purpose)
        try container.encode(session.id, forKey: .id)
        try container.encode(outbound, forKey: .outbound)
        try container.encode(webSocket, forKey: .webSocket)
        try container.encode(phase, forKey: .phase)
        try container.encode(since, forKey: .since)
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        purpose = try container.decode(Purpose.self, forKey: .purpose)
        session = ClientSession(id: try container.decode(ClientID.self, forKey: .id))
        outbound = try container.decode(ByteBuffer.self, forKey: .outbound)
        webSocket = try container.decode(WebSocketConnection.self, forKey: .webSocket)
        phase = try container.decode(Phase.self, forKey: .phase)
        since = try container.decode(MonotonicTime.self, forKey: .since)
    }
}
