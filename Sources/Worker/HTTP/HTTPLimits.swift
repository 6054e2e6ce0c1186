import NIOCore

/// Bounds of the plain HTTP side. What a request head may be stands in `WebSocketConfiguration` (both share a port).
enum HTTPLimits {
    /// A kept-alive connection without a request is closed after this. Above the 60 s that nginx keeps an upstream
    /// connection by default, so that it is the proxy that closes first.
    static let idleTimeout = TimeAmount.seconds(75)
    /// From a request's head to the end of its body. Above: 408.
    static let bodyTimeout = TimeAmount.seconds(30)
    /// A client that takes nothing of a response for this long is cut off.
    static let writeTimeout = TimeAmount.seconds(30)
    /// How long a refused client may go on sending before it is cut off: it is to see the answer rather than a reset.
    static let lingerTimeout = TimeAmount.seconds(2)
    /// Bytes of a request's body. Above: 413.
    static let maxBody = 1024 * 1024
    /// Bytes of one field of a head, as the HTTP decoder counts.
    static let maxFields = 128
    /// Files up to this size are read at once; larger ones in pieces of this size.
    static let fileChunk = 128 * 1024
}
