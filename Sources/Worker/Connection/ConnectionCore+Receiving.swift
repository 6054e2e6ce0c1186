import Model
import NIOCore
import Realtime
import WebSocketProtocol
import Wire

/// What the driver has to do for a connection.
enum ConnectionAction {
    /// A client's command; `data` is the publication's (or the call's), a slice of the bytes received.
    case command(ClientCommand, request: RequestID?, data: ByteBuffer)
    /// A message that is none: to be counted, and answered with that error.
    case unreadable(ClientErrorCode, request: RequestID?)
    /// More than ``ConnectionCore/Limits/holdAbove`` is due to the client: see whether it may go on.
    case pause
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
        case .closing, .ended, .admitting:
            break
        }
        webSocket.receive(bytes)
    }

    /// What the received bytes ask for; `nil`: no more for now. Answers that need nobody else are in ``outbound``
    /// already.
    mutating func next(limits: Limits) -> ConnectionAction? {
        guard !isSuspended else { return nil }
        if let action = nextOfBatch() { return action }
        while phase != .ended, let event = webSocket.next() {
            switch event {
            case .message(let kind, let payload):
                if let action = message(kind, payload, limits: limits) { return action }
            case .ping(let payload):
                if !webSocket.isCloseSent { FrameWriter.writePong(payload, into: &outbound) }
                if outbound.readableBytes > limits.holdAbove { return .pause }
            case .pong:
                break
            case .close(let code, _):
                webSocket.writeClose(code, into: &outbound)
                phase = .ended
                // A client that closes without a code means it, too.
                if farewell == nil { farewell = code ?? .normal }
                return .end(.closedByPeer(code), lingering: false)
            case .failed(let code, let reason):
                webSocket.writeClose(code, reason: reason, into: &outbound)
                phase = .ended
                if farewell == nil { farewell = code }
                return .end(.protocolError(code, reason), lingering: true)
            }
        }
        return nil
    }

    private mutating func message(_ kind: MessageKind, _ payload: ByteBuffer, limits: Limits) -> ConnectionAction? {
        guard isOpen else { return nil }
        session.received(bytes: payload.readableBytes)
        switch purpose {
        case .echo:
            writeMessage(kind, payload)
            return outbound.readableBytes > limits.holdAbove ? .pause : nil
        case .simple:
            guard kind == .text else { return .unreadable(.unsupportedData, request: nil) }
            return action(SimpleDialect.decode(payload, maxRoomLength: limits.roomName), in: payload)
        case .v1:
            guard kind == .text else { return .unreadable(.unsupportedData, request: nil) }
            var first: Result<DialectMessage, DialectError>?
            var rest: [Result<DialectMessage, DialectError>] = []
            V1Dialect.decode(payload, maxRoomLength: limits.roomName) { message in
                if first == nil { first = message } else { rest.append(message) }
            }
            if !rest.isEmpty {
                batch = Batch(frame: payload, messages: rest)
                takenOfBatch = 0
            }
            return first.map { action($0, in: payload) }
        }
    }

    private mutating func nextOfBatch() -> ConnectionAction? {
        guard let waiting = batch else { return nil }
        guard isOpen, Int(takenOfBatch) < waiting.messages.count else {
            batch = nil
            return nil
        }
        let message = waiting.messages[Int(takenOfBatch)]
        takenOfBatch += 1
        if Int(takenOfBatch) == waiting.messages.count { batch = nil }
        return action(message, in: waiting.frame)
    }

    private func action(_ message: Result<DialectMessage, DialectError>, in frame: ByteBuffer) -> ConnectionAction {
        switch message {
        case .failure(let error):
            return .unreadable(error.code, request: error.request)
        case .success(let message):
            let range = message.data
            let data = frame.getSlice(at: frame.readerIndex + range.lowerBound, length: range.count)
            return .command(message.command, request: message.request, data: data ?? ByteBuffer())
        }
    }
}

// MARK: - Waiting for others

extension ConnectionCore {
    /// The next step waits for somebody: no further command is taken until ``resume(now:)``.
    mutating func suspend() {
        isSuspended = true
    }

    /// Goes on. The time it waited is no silence of the client's.
    mutating func resume(now: MonotonicTime) {
        guard isSuspended, phase != .admitting else { return }
        isSuspended = false
        since = now
        if phase == .pinged { phase = .open }
    }

    /// While suspended: what was received and not looked at is copied, so that the receive buffer is free again.
    mutating func ownInput() {
        webSocket.ownInput()
        guard let waiting = batch else { return }
        batch = Batch(frame: ByteBuffer(bytes: waiting.frame.readableBytesView), messages: waiting.messages)
    }

    /// The client may be here, as somebody or (`nil`) as nobody.
    mutating func admit(as identity: ClientIdentity?, now: MonotonicTime) {
        guard phase == .admitting else { return }
        phase = .open
        marks.insert(.admitted)
        self.identity = identity.map(Identity.init)
        resume(now: now)
    }
}
