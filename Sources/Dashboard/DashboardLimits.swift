import NIOCore

/// Every bound of the dashboard's server.
enum DashboardLimits {
    /// Connections at a time; a browser opens six. Further ones are closed at once.
    static let connections = 64
    /// Browsers that are let in at a time; the one that came first is sent away for the next.
    static let sessions = 8
    /// From an answer, or the beginning of a connection, to the end of the next request.
    static let requestTimeout = TimeAmount.seconds(60)
    /// A browser that takes nothing of an answer for so long is cut off.
    static let writeTimeout = TimeAmount.seconds(30)
    /// Bytes of a request head.
    static let head = 16 * 1024
    /// Random bytes of a secret.
    static let secret = 32
}
