import Model
import NIOCore
import Realtime
import WebSocketProtocol

/// What a request head alone decides: path, origin, and how many connections an address may open. The configuration of one
/// worker; of the limits only the connect rate's local share (the hub counts over all workers).
struct GatePolicy {
    /// Addresses whose connects are remembered; beyond, new ones are left to the hub.
    static let maxAddresses = 65_536
    /// Between two looks for addresses that need not be remembered any more.
    static let pruneInterval = Duration.seconds(10)

    private let configuration: WsdConfiguration
    private let proxies: TrustedProxies
    private let origins: OriginRule
    private let live: LiveAccess
    private let routes: RouteMap
    private var connects: [String: TokenBucket] = [:]
    private var prunedAt = MonotonicTime.zero

    init(_ configuration: WsdConfiguration) {
        self.configuration = configuration
        proxies = TrustedProxies(configuration.http.trustedProxies)
        origins = OriginRule(configuration)
        live = LiveAccess(configuration.api.keys)
        routes = RouteMap(configuration)
    }

    /// Whether a connection of this peer has to begin with a PROXY header.
    func expectsProxyHeader(from peer: SocketAddress?) -> Bool {
        configuration.limits.proxyProtocol && proxies.contains(peer)
    }

    /// - Parameters:
    ///   - peer: as the PROXY header tells it, where there is one.
    ///   - isSecure: the client speaks TLS with this process.
    /// - Returns: with the reason of a refusal.
    mutating func decide(
        _ head: RequestHead, peer: SocketAddress?, isSecure: Bool = false, now: MonotonicTime
    ) -> (UpgradeDecision, RefusalReason?) {
        if let route = routes.upgrade(head) {
            let hosts = head.fields.filter { $0.name.lowercased() == "host" }.map(\.value)
            guard ForwardedFields.isHostSound(hosts, target: head.target) else {
                return (.refuse(.unsoundHost), .handshake)
            }
            if let wait = takeConnect(head, peer, now) { return (.refuse(.tooManyConnects(wait)), .connectRate) }
            return (.route(route), nil)
        }
        if routes.answers(head) { return (.http, nil) }
        switch Handshake.decide(head) {
        case .notUpgrade:
            return (.http, nil)
        case .refuse(let refusal):
            return (.refuse(refusal), .handshake)
        case .accept(let offer):
            let purpose = UpgradeDecision.purpose(of: head.path, configuration)
            let feed = LiveFeed(path: head.path)
            guard purpose != nil || feed != nil else { return (.refuse(.noWebSocket(configuration)), .path) }
            guard origins.allows(head, peer: peer, isSecure: isSecure) else {
                return (.refuse(.originNotAllowed), .origin)
            }
            if let wait = takeConnect(head, peer, now) { return (.refuse(.tooManyConnects(wait)), .connectRate) }
            if let purpose { return (.webSocket(offer, purpose), nil) }
            return feed.map { live.decide($0, head, offer) } ?? (.refuse(.noWebSocket(configuration)), .path)
        }
    }

    /// To be called now and then.
    mutating func prune(now: MonotonicTime) {
        guard now >= prunedAt + Self.pruneInterval else { return }
        prunedAt = now
        connects = connects.filter { !$0.value.isFull(now: now) }
    }

    /// How long the address has to wait; `nil`: it need not.
    private mutating func takeConnect(_ head: RequestHead, _ peer: SocketAddress?, _ now: MonotonicTime) -> Duration? {
        guard let limit = configuration.limits.connectRate, !limit.isOff else { return nil }
        let address = proxies.client(of: peer, forwardedFor: head.joined("x-forwarded-for")) ?? peer?.wsdText
        let key = address.map(AddressKey.text(of:)) ?? ""
        guard !key.isEmpty else { return nil }
        guard connects[key] != nil || connects.count < Self.maxAddresses else { return nil }
        return connects[key, default: TokenBucket(now: now)].take(limit, now: now)
    }
}

extension HTTPRefusal {
    static let originNotAllowed = HTTPRefusal(
        status: 403,
        sentence: "Pages of this origin may not connect. To let them, add their origin to limits.origins.")

    static func tooManyConnects(_ wait: Duration) -> HTTPRefusal {
        let seconds = max(1, (wait.milliseconds + 999) / 1000)
        return HTTPRefusal(
            status: 429, sentence: "Too many new connections from this address; try again in \(seconds) s.",
            fields: [HTTPField("Retry-After", "\(seconds)")])
    }

    static func proxyHeader(_ sentence: String) -> HTTPRefusal {
        HTTPRefusal(
            status: 400,
            sentence: "\(sentence) limits.proxyProtocol is on: the proxy has to send it (HAProxy: send-proxy).")
    }
}
