/// A WebSocket close code (RFC 6455 section 7.4) and what a client should do after it.
package struct CloseCode: Hashable, Sendable, Codable, RawRepresentable {
    package var rawValue: UInt16

    package init(rawValue: UInt16) {
        self.rawValue = rawValue
    }

    /// Finished; do not reconnect.
    package static let normal = CloseCode(rawValue: 1000)
    /// The service stops for good; reconnect with backoff (another instance may take over).
    package static let goingAway = CloseCode(rawValue: 1001)
    /// The peer broke the protocol; do not reconnect.
    package static let protocolError = CloseCode(rawValue: 1002)
    /// A kind of data the endpoint does not take; do not reconnect.
    package static let unsupportedData = CloseCode(rawValue: 1003)
    /// Text that is not UTF-8; do not reconnect.
    package static let invalidPayload = CloseCode(rawValue: 1007)
    /// Refused by policy (kicked, not allowed); do not reconnect.
    package static let policyViolation = CloseCode(rawValue: 1008)
    /// A message above `websocket.maxMessageSize`; do not reconnect.
    package static let messageTooBig = CloseCode(rawValue: 1009)
    /// Something broke in the server; reconnect with backoff.
    package static let internalError = CloseCode(rawValue: 1011)
    /// The worker restarts; reconnect after the hinted time.
    package static let serviceRestart = CloseCode(rawValue: 1012)
    /// Overloaded, or this client reads too slowly; reconnect with backoff.
    package static let tryAgainLater = CloseCode(rawValue: 1013)
    /// No pong within `websocket.pongTimeout`; reconnect at once.
    package static let heartbeatTimeout = CloseCode(rawValue: 4000)

    /// Whether a client library should connect again by itself.
    package var shouldReconnect: Bool {
        switch self {
        case .goingAway, .internalError, .serviceRestart, .tryAgainLater, .heartbeatTimeout: true
        default: false
        }
    }

    /// Whether a peer may send this code in a close frame (RFC 6455 section 7.4.1 and 7.4.2).
    package var isValidOnWire: Bool {
        switch rawValue {
        case 1000...1003, 1007...1014, 3000...4999: true
        default: false
        }
    }
}
