import Model
import NIOCore
import WebSocketProtocol
import Wire

/// One delivery to many clients: encoded once in each dialect that one of them speaks, and compressed once for each set of
/// parameters.
struct EncodedDelivery {
    let delivery: HubDelivery
    let payload: ByteBuffer
    private let typingTimeout: Duration
    /// The simple dialect has a message for it.
    let hasSimple: Bool
    var simple: SharedFrame
    var v1 = SharedFrame(.text, ByteBuffer())
    private var hasV1 = false

    init(_ delivery: HubDelivery, payload: ByteBuffer, typingTimeout: Duration) {
        self.delivery = delivery
        self.payload = payload
        self.typingTimeout = typingTimeout
        switch delivery.kind {
        case .message, .broadcast, .direct:
            simple = SharedFrame(.text, payload)
            hasSimple = true
        case .userJoined, .userLeft:
            var text = ByteBuffer()
            SimpleDialect.writePresence(
                joined: delivery.kind == .userJoined, client: delivery.subject, user: delivery.user,
                room: delivery.room, into: &text)
            simple = SharedFrame(.text, text)
            hasSimple = true
        case .typingStarted, .typingStopped, .read:
            simple = SharedFrame(.text, ByteBuffer())
            hasSimple = false
        }
    }

    /// To be called before ``v1`` is used.
    mutating func makeV1() {
        guard !hasV1 else { return }
        hasV1 = true
        // The envelope takes some 200 bytes.
        var text = ByteBufferAllocator().buffer(capacity: payload.readableBytes + 256)
        V1Dialect.writeDelivery(
            delivery, payload: payload.readableBytesView, typingTimeout: typingTimeout, into: &text)
        v1 = SharedFrame(.text, text)
    }
}
