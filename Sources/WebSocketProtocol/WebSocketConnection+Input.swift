import NIOCore

extension WebSocketConnection {
    /// To be called by who stops calling ``next()`` before it has returned `nil`: what was received and not looked at is
    /// copied, so that the buffer it came in is free again.
    package mutating func ownInput() {
        guard input.readableBytes > 0 else { return }
        input = ByteBuffer(bytes: input.readableBytesView)
    }
}
