import NIOCore
import Wire

/// Takes the hub's frames from one connection.
final class HubLinkHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let client: HubLinkClient
    private var decoder: HubLinkDecoder

    init(client: HubLinkClient) {
        self.client = client
        // What the hub answers at once (a page of history, a backend's answer) it bounds itself.
        decoder = HubLinkDecoder(maxPayload: HubLinkDecoder.absoluteMaxFrame)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        client.turnBegan()
        decoder.append(unwrapInboundIn(data))
        do {
            while let frame = try decoder.nextHubFrame() { client.received(frame) }
        } catch {
            client.failed(error)
            context.close(promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        client.linkEnded(context.channel)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
