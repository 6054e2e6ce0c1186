import Model
import NIOCore
import Wire

/// One worker's connection to the hub. Confined to the hub's event loop.
final class HubLink {
    enum Phase: Equatable {
        /// Connected; nothing understood yet.
        case greeting
        /// Said hello; its number in the machine.
        case open(Int)
        case closed
    }

    let channel: any Channel
    var phase = Phase.greeting
    var decoder: HubLinkDecoder
    var output = LinkOutput()
    /// `description` for logs.
    var name = "worker ?"
    var isDirty = false
    /// Operations were carried out in this turn that are to be acknowledged.
    var owesAck = false
    var hasWelcome = false
    /// The highest settled sequence the worker was told.
    var settledTold: UInt64 = 0
    /// When the kernel last took something, or when something was queued after a pause.
    var lastProgress: MonotonicTime
    /// Others have to wait for this link (``LinkBackpressure``).
    var isWaitedFor = false
    /// It is not read because of a link that is waited for.
    var isHeldUp = false

    init(channel: any Channel, maxPayload: Int, now: MonotonicTime) {
        self.channel = channel
        decoder = HubLinkDecoder(maxPayload: maxPayload)
        lastProgress = now
    }

    /// The link's number in the machine while it is open.
    var index: Int? {
        if case .open(let index) = phase { index } else { nil }
    }
}

/// Hands a link's events to the server, which does everything.
final class HubLinkHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let server: HubServer
    private var link: HubLink?

    init(server: HubServer) {
        self.server = server
    }

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { open(context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        open(context)
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard let link else { return }
        server.received(unwrapInboundIn(data), on: link)
    }

    func channelInactive(context: ChannelHandlerContext) {
        close()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        close()
    }

    /// A reset by the worker's death is no news: `channelInactive` follows.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func open(_ context: ChannelHandlerContext) {
        guard link == nil else { return }
        link = server.connected(context.channel)
    }

    private func close() {
        guard let link else { return }
        self.link = nil
        server.disconnected(link)
    }
}
