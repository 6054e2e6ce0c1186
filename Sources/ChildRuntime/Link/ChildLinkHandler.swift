internal import NIOCore
internal import Wire

/// The child's end of the child link: reads lines as messages.
final class ChildLinkHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private var decoder = ChildLinkDecoder<SupervisorMessage>()
    private let received: (SupervisorMessage) -> Void
    /// `nil`: the supervisor closed its end, or is gone.
    private let closed: ((any Error)?) -> Void
    private var isClosed = false

    init(received: @escaping (SupervisorMessage) -> Void, closed: @escaping ((any Error)?) -> Void) {
        self.received = received
        self.closed = closed
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isClosed else { return }
        decoder.append(unwrapInboundIn(data))
        do {
            while let message = try decoder.next() { received(message) }
        } catch {
            close(context, error)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        close(context, nil)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        close(context, error)
    }

    private func close(_ context: ChannelHandlerContext, _ error: (any Error)?) {
        guard !isClosed else { return }
        isClosed = true
        closed(error)
        context.close(promise: nil)
    }
}
