package struct WebSocketConfiguration: Equatable, Sendable, Codable {
    /// Paths that accept an upgrade.
    package var paths = ["/", "/ws", "/ws/connection", "/connection/websocket"]
    /// Largest message from a client, over all its fragments; 125…64 MiB. Above: close 1009.
    package var maxMessageSize = 64 * 1024
    /// Most fragments in one message; 1…1,048,576. Above: close 1008.
    package var maxFragments = 1024
    /// Time for a complete request head; 1 s…10 min.
    package var handshakeTimeout = Duration.seconds(10)
    /// Largest request head; 1 KiB…256 KiB. Above: 431.
    package var maxHeaderSize = 16 * 1024
    /// A client silent this long is pinged; 1 s…1 h; 0: never.
    package var pingInterval = Duration.seconds(25)
    /// A pinged client that stays silent this long is closed; 1 s…1 h.
    package var pongTimeout = Duration.seconds(10)
    /// Bytes that may wait for one client; 4 KiB…1 GiB. Above: close 1013.
    package var outboundQueue = 1024 * 1024
    /// `<prefix>echo`; `nil`: on in dev, off in prod.
    package var echo: Bool?
    package var compression = CompressionConfiguration()

    package init() {}
}

/// permessage-deflate (RFC 7692).
package struct CompressionConfiguration: Equatable, Sendable, Codable {
    package var enabled = false
    /// Smaller messages are sent as they are; bytes, 0…1 MiB.
    package var threshold = 1024
    /// zlib's; 1…9.
    package var level = 6
    /// zlib's memLevel; 1…9.
    package var memoryLevel = 8
    /// Most window bits of what the server sends; 9…15.
    package var serverWindowBits = 15
    /// Most window bits of what a client sends, where it lets itself be told; 9…15.
    package var clientWindowBits = 15
    /// The server keeps its window between messages: better ratio, but memory for each connection, and each message is
    /// compressed for each client anew.
    package var serverContextTakeover = false
    /// Clients may keep their window between messages: memory for each connection.
    package var clientContextTakeover = true

    package init() {}
}
