package struct LimitsConfiguration: Equatable, Sendable, Codable {
    /// Origins whose pages may connect: `https://app.example.org`, `https://*.example.org`, `same-host`, `*`; `nil`: `*` in
    /// dev, `same-host` in prod. Clients that send no Origin are no pages and always pass.
    package var origins: [String]?
    /// Open connections of one address (an IPv6 /64 counts as one); 0…1,000,000; 0: no limit. So are the next three.
    package var connectionsPerAddress = 0
    package var connectionsPerUser = 0
    package var connectionsPerOrigin = 0
    package var connections = 0
    /// What happens to a user's connection above `connectionsPerUser`.
    package var perUserPolicy = PerUserPolicy.replaceOldest
    /// New connections of one address.
    package var connectRate: RateLimit? = nil
    /// Messages of one connection; `nil`: no limit.
    package var messageRate: RateLimit? = RateLimit(perSecond: 10, burst: 20)
    /// Messages of all connections of a user, and of an address; over all workers.
    package var userRate: RateLimit?
    package var addressRate: RateLimit?
    /// Refused messages in a row (without a pause of a second) after which a connection is closed (4007); 1…1,000,000.
    package var abuseThreshold = 200
    /// While the hub is away: whether connections that it should decide on are admitted.
    package var whenHubAway = HubAwayPolicy.admit
    /// How long a connection waits for the hub's decision until `whenHubAway` counts; 50 ms…1 min.
    package var admissionTimeout = Duration.seconds(1)
    /// PROXY protocol (version 1 or 2) is expected from ``HTTPConfiguration/trustedProxies``.
    package var proxyProtocol = false

    package init() {}
}

package enum PerUserPolicy: String, Sendable, Codable, CaseIterable {
    /// The oldest connection is closed (4004).
    case replaceOldest
    /// The new one is closed (4005).
    case refuseNewest
}

package enum HubAwayPolicy: String, Sendable, Codable, CaseIterable {
    case admit
    case refuse
}

extension WsdConfiguration {
    /// ``LimitsConfiguration/origins`` with the mode's default.
    package var allowedOrigins: [OriginPattern] {
        limits.origins?.compactMap { OriginPattern($0) } ?? [mode == .dev ? .any : .sameHost]
    }
}
