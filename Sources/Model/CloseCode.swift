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

    /// The token is missing, malformed or not accepted, or no `auth` came within `auth.timeout`; do not reconnect with the
    /// same token.
    package static let unauthenticated = CloseCode(rawValue: 4001)
    /// The token has expired; get a new one, then reconnect.
    package static let tokenExpired = CloseCode(rawValue: 4002)
    /// The application (its backend or a webhook) ended or refused the connection; do not reconnect.
    package static let refusedByApplication = CloseCode(rawValue: 4003)
    /// A newer connection of the same user took this one's place; do not reconnect.
    package static let replaced = CloseCode(rawValue: 4004)
    /// The user has as many connections as allowed; do not reconnect.
    package static let tooManyForUser = CloseCode(rawValue: 4005)
    /// Too many connections from this address or page, or in all; reconnect with backoff.
    package static let tooManyConnections = CloseCode(rawValue: 4006)
    /// Went on sending far above its rate limit; reconnect with backoff.
    package static let rateLimitAbuse = CloseCode(rawValue: 4007)
    /// The application could not be asked whether the connection may be; reconnect with backoff.
    package static let backendUnavailable = CloseCode(rawValue: 4008)

    /// Whether a client library should connect again by itself.
    package var shouldReconnect: Bool {
        switch self {
        case .goingAway, .internalError, .serviceRestart, .tryAgainLater, .heartbeatTimeout, .tokenExpired,
            .tooManyConnections, .rateLimitAbuse, .backendUnavailable:
            true
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
