import NIOCore

/// Stays in the pipeline of a connection that began with a PROXY header, knows what that said and does nothing. Outbound,
/// since what is read passes through all inbound handlers.
final class ProxiedPeer: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer

    let address: SocketAddress

    init(_ address: SocketAddress) {
        self.address = address
    }
}

extension Channel {
    /// Who the connection is from: what a trusted proxy's PROXY header says, else the socket's peer. On the event loop
    /// only.
    var peer: SocketAddress? {
        (try? pipeline.syncOperations.handler(type: ProxiedPeer.self))?.address ?? remoteAddress
    }
}
