import Model
import NIOCore
import Realtime
import WebSocketProtocol
import Wire

extension ConnectionCore {
    /// Who the client is: first of all, and again when it has authenticated.
    mutating func sendGreeting(limits: Limits, now: MonotonicTime) {
        switch purpose {
        case .echo:
            break
        case .simple:
            // A simple client has learnt its id, and hears nothing of users.
            guard session.messagesOut == 0 else { return }
            let id = session.id
            send { SimpleDialect.writeConnected(id, into: &$0) }
        case .v1:
            var connected = V1Connected(client: session.id, session: session.session, server: limits.hints)
            connected.user = session.user
            connected.isAuthenticated = session.isAuthenticated
            connected.isAuthRequired = limits.isAuthRequired && !session.isAuthenticated
            connected.expiresIn = session.expiresIn(now: now)
            connected.data = identity?.value.data
            send { V1Dialect.writeConnected(connected, into: &$0) }
        }
    }

    /// Success. Of a room's name the simple dialect tells nothing else.
    mutating func sendReply(_ request: RequestID, _ data: V1ReplyData) {
        switch purpose {
        case .echo:
            break
        case .v1:
            send { V1Dialect.writeReply(request, data, into: &$0) }
        case .simple:
            send { buffer in
                switch data {
                case .json(let text):
                    SimpleDialect.writeAnswer(request, data: text, into: &buffer)
                case .joined(let result):
                    SimpleDialect.writeAnswer(request, room: result.room, into: &buffer)
                case .room(let room), .published(let room, _, _), .presence(let room, _, _):
                    SimpleDialect.writeAnswer(request, room: room, into: &buffer)
                case .history(let page):
                    SimpleDialect.writeAnswer(request, room: page.room, into: &buffer)
                case .authenticated, .sent, .broadcast, .time:
                    SimpleDialect.writeAnswer(request, room: nil, into: &buffer)
                }
            }
        }
    }

    /// Failure: the reply to `request`, or an error event where there is none.
    mutating func sendRefusal(_ refusal: ClientRefusal, request: RequestID?) {
        guard isOpen else { return }
        session.errorSent()
        switch purpose {
        case .echo: break
        case .simple: send { SimpleDialect.writeRefusal(refusal, request: request, into: &$0) }
        case .v1: send { V1Dialect.writeRefusal(refusal, request: request, into: &$0) }
        }
    }

    /// Lets `body` write an event of `wsd.v1.json`; nothing in the other dialects, which have none of it.
    mutating func sendEvent(_ body: (inout ByteBuffer) -> Void) {
        guard purpose == .v1 else { return }
        send(body)
    }

    /// The frame of a delivery in this connection's dialect and compression; `nil`: the dialect has none.
    mutating func frame(of delivery: inout EncodedDelivery) -> ByteBuffer? {
        switch purpose {
        case .echo:
            return nil
        case .simple:
            guard delivery.hasSimple else { return nil }
            guard isDeflating else { return delivery.simple.plainFrame() }
            return compressedFrame(of: &delivery.simple)
        case .v1:
            delivery.makeV1()
            guard isDeflating else { return delivery.v1.plainFrame() }
            return compressedFrame(of: &delivery.v1)
        }
    }

    private mutating func compressedFrame(of message: inout SharedFrame) -> ByteBuffer {
        let frame = webSocket.frame(of: &message)
        compressible &+= message.payload.readableBytes
        compressed &+= frame.readableBytes
        return frame
    }

    /// Counts a frame that the driver has put into ``outbound`` itself.
    mutating func delivered(bytes: Int) { session.sent(messages: 1, bytes: bytes) }

    /// Begins the close handshake; commands that wait are dropped. `reconnectAfter`: what a client of `wsd.v1.json` is
    /// told to wait before it connects again. Returns `false` when it had begun before.
    mutating func close(
        _ code: CloseCode, reason: String, reconnectAfter: Duration? = nil, now: MonotonicTime
    ) -> Bool {
        guard isOpen || phase == .admitting else { return false }
        if let reconnectAfter, code.hasReconnectHint {
            sendEvent { V1Dialect.writeReconnect(after: reconnectAfter, code: code, into: &$0) }
        }
        webSocket.writeClose(code, reason: reason, into: &outbound)
        phase = .closing
        farewell = code
        isSuspended = false
        batch = nil
        since = now
        return true
    }

    private mutating func send(_ body: (inout ByteBuffer) -> Void) {
        guard isOpen else { return }
        var payload = ByteBuffer()
        body(&payload)
        writeMessage(.text, payload)
    }

    mutating func writeMessage(_ kind: MessageKind, _ payload: ByteBuffer) {
        let before = outbound.writerIndex
        webSocket.write(kind, payload, into: &outbound)
        session.sent(messages: 1, bytes: payload.readableBytes)
        guard isDeflating else { return }
        compressible &+= payload.readableBytes
        compressed &+= outbound.writerIndex - before
    }
}

extension CloseCode {
    /// Clients are told when to come back before these (`reconnect`).
    var hasReconnectHint: Bool { self == .goingAway || self == .serviceRestart || self == .tryAgainLater }

    /// Whether a client that was closed so is expected back soon: the others are not told yet.
    var isExpectedBack: Bool {
        switch self {
        case .goingAway, .serviceRestart, .tryAgainLater, .internalError, .heartbeatTimeout, .tokenExpired: true
        default: false
        }
    }
}
