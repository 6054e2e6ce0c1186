import Model
import WebSocketProtocol

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
        case .admitting:
            // Looked at again once it is admitted, or closed.
            return .look(at: nil)
        case .open, .pinged:
            // Nothing is read of it: its silence says nothing.
            guard !isSuspended else {
                return .look(at: limits.pingInterval > .zero ? now + limits.pingInterval : nil)
            }
            return silence(now: now, limits: limits)
        case .closing:
            let due = since + limits.closeTimeout
            guard now >= due else { return .look(at: due) }
            phase = .ended
            return .closeUnanswered
        case .ended:
            return .closeUnanswered
        }
    }

    private mutating func silence(now: MonotonicTime, limits: Limits) -> ConnectionTiming {
        if phase == .pinged {
            let due = since + limits.pongTimeout
            guard now >= due else { return .look(at: due) }
            webSocket.writeClose(.heartbeatTimeout, reason: "no pong in time", into: &outbound)
            phase = .ended
            farewell = .heartbeatTimeout
            return .pongMissing
        }
        guard let due = firstLook(limits: limits) else { return .look(at: nil) }
        guard now >= due else { return .look(at: due) }
        FrameWriter.writePing(into: &outbound)
        phase = .pinged
        since = now
        return .pinged(lookAt: now + limits.pongTimeout)
    }
}
