import NIOCore

/// What a request's connection tells about its client.
struct ForwardedPeer {
    /// Text of the address; `nil`: the peer connected by a Unix socket.
    var address: String?
    /// Whether the peer's own `X-Forwarded-*` are believed.
    var isTrusted: Bool
    var isSecure: Bool
    /// The port that it connected to.
    var port: Int?

    init(address: String?, isTrusted: Bool, isSecure: Bool, port: Int?) {
        self.address = address
        self.isTrusted = isTrusted
        self.isSecure = isSecure
        self.port = port
    }

    /// On the event loop.
    init(_ channel: any Channel, _ proxies: TrustedProxies) {
        let peer = channel.peer
        address = peer?.ipAddress == nil ? nil : peer?.wsdText
        isTrusted = proxies.contains(peer)
        isSecure = channel.isSecure
        port = channel.localAddress?.port
    }
}
