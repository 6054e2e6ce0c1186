import Model
import NIOCore

/// Text or binary (RFC 6455 section 5.6).
package enum MessageKind: UInt8, Sendable, Codable {
    case text = 0x1
    case binary = 0x2
}

/// What a peer's bytes amounted to.
///
/// A payload of an unfragmented message is a slice of the buffer that was received: keep it only as long as needed, or
/// copy it, since it keeps the whole read alive.
package enum WebSocketEvent: Equatable, Sendable {
    /// A whole message, unmasked; text is valid UTF-8.
    case message(MessageKind, ByteBuffer)
    /// Answer it with `FrameWriter.writePong` and the same payload (at most 125 bytes).
    case ping(ByteBuffer)
    case pong(ByteBuffer)
    /// The peer's close frame, once; nothing follows it. `code` is `nil` when the frame was empty. The caller answers
    /// with `writeClose` (which writes nothing if a close frame was sent before), flushes, and closes the transport.
    case close(CloseCode?, reason: String)
    /// The peer broke a rule; nothing follows. The caller sends `writeClose(code, reason)`, flushes, and closes.
    case failed(CloseCode, reason: String)
}

/// Which side of a connection a value plays. A server demands masked frames, a client unmasked ones.
package enum WebSocketRole: UInt8, Sendable, Codable {
    case server
    case client
}

/// Bounds of what one peer may send.
package struct WebSocketLimits: Equatable, Sendable, Codable {
    /// Bytes of a message over all its fragments; above: 1009.
    package var maxMessageSize: Int
    /// Fragments of a message; above: 1008.
    package var maxFragments: Int

    package init(maxMessageSize: Int = 64 * 1024, maxFragments: Int = 1024) {
        self.maxMessageSize = maxMessageSize
        self.maxFragments = maxFragments
    }
}
