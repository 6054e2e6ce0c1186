import Model
import WebSocketProtocol

/// What becomes of a connection after a request head.
enum UpgradeDecision {
    case webSocket(HandshakeOffer, ConnectionCore.Purpose)
    /// A page or operator that follows the service.
    case live(HandshakeOffer, LiveRequest)
    /// An upstream speaks the protocol that is asked for, or says why not.
    case route(Route)
    /// An ordinary request: the HTTP side's matter.
    case http
    case refuse(HTTPRefusal)

    /// By the path alone; `nil`: there is no WebSocket. The subprotocol may still make another dialect of `simple`.
    static func purpose(of path: Substring, _ configuration: WsdConfiguration) -> ConnectionCore.Purpose? {
        if configuration.websocket.paths.contains(where: { $0 == path }) { return .simple }
        let prefix = configuration.http.prefix
        if configuration.echoEnabled, path.hasPrefix(prefix), path.dropFirst(prefix.count) == "echo" { return .echo }
        return nil
    }
}

extension HTTPRefusal {
    static func noWebSocket(_ configuration: WsdConfiguration) -> HTTPRefusal {
        let paths = configuration.websocket.paths.joined(separator: ", ")
        return HTTPRefusal(status: 404, sentence: "There is no WebSocket on this path; connect to one of: \(paths)")
    }

    static func headTooSlow(_ timeout: Duration) -> HTTPRefusal {
        HTTPRefusal(status: 408, sentence: "The request head was not complete within \(timeout.milliseconds) ms.")
    }
}
