/// Why a connection was refused, before or after its handshake. Raw values are the label `reason` of the metric.
enum RefusalReason: String, CaseIterable, Sendable {
    /// No or a broken handshake, a head too large or too slow.
    case handshake
    /// There is no WebSocket on that path.
    case path
    case origin
    /// The PROXY header that a trusted proxy has to send is missing or broken.
    case proxyHeader = "proxy_header"
    /// `limits.connectRate`.
    case connectRate = "connect_rate"
    case token
    case tokenExpired = "token_expired"
    /// No `auth` within `auth.timeout`.
    case authenticationTimeout = "auth_timeout"
    /// The connect webhook refused.
    case webhook
    /// The connect webhook did not answer.
    case webhookFailed = "webhook_failed"
    /// `limits.connectionsPerUser`.
    case userLimit = "connections_per_user"
    /// `limits.connections…` of the address, the origin or in all, or the hub's connect rate.
    case connectionLimit = "connections"
    /// The hub did not decide in time and `limits.whenHubAway` is `refuse`.
    case hubAway = "hub_away"
    /// The hub refused for another reason.
    case other
}

/// Refusals of this worker's life, by reason.
struct RefusalCounts: Equatable, Sendable {
    private var counts = Array(repeating: 0, count: RefusalReason.allCases.count)

    init() {}

    subscript(_ reason: RefusalReason) -> Int {
        get { counts[reason.index] }
        set { counts[reason.index] = newValue }
    }

    /// Name and count of each reason that has occurred.
    var named: [(name: String, count: Int)] {
        RefusalReason.allCases.compactMap { self[$0] > 0 ? ($0.rawValue, self[$0]) : nil }
    }
}

extension RefusalReason {
    fileprivate var index: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}
