import Model
import NIOCore
import Wire

/// The supervisor's end of one child link: lines in, messages out. What a child sends is data of another process: a line
/// that is no message ends the link, nothing else.
final class ChildLinkHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let received: (ChildMessage) -> Void
    private let ended: (_ reason: String?) -> Void
    private var decoder: ChildLinkDecoder<ChildMessage>
    private var reason: String?

    /// - Parameters:
    ///   - unread: what the program before this one had read of a message.
    ///   - received: each message, in order.
    ///   - ended: once, when nothing more comes. With a reason: the child broke the protocol.
    init(
        unread: ByteBuffer = ByteBuffer(), received: @escaping (ChildMessage) -> Void,
        ended: @escaping (_ reason: String?) -> Void
    ) {
        decoder = ChildLinkDecoder(unread: unread)
        self.received = received
        self.ended = ended
    }

    /// Bytes that belong to no message yet.
    var unread: ByteBuffer { decoder.unread }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard reason == nil else { return }
        decoder.append(unwrapInboundIn(data))
        do {
            while let message = try decoder.next() { received(message) }
        } catch {
            reason = error.description
            context.close(promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        ended(reason)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
