import Model
import NIOCore
import Testing
import WebSocketProtocol

@testable import Worker

@Suite struct GatePolicyTests {
    static let now = MonotonicTime(nanoseconds: 1_000_000_000_000)

    func head(_ fields: [(String, String)] = [], path: String = "/ws") -> RequestHead {
        let usual = [
            ("Host", "chat.example.org"), ("Upgrade", "websocket"), ("Connection", "Upgrade"),
            ("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ]
        return RequestHead(
            method: "GET", target: path, minorVersion: 1, fields: (usual + fields).map { HTTPField($0.0, $0.1) })
    }

    func policy(_ change: (inout WsdConfiguration) -> Void) -> GatePolicy {
        var configuration = WsdConfiguration()
        change(&configuration)
        return GatePolicy(configuration)
    }

    func address(_ text: String) throws -> SocketAddress { try SocketAddress(ipAddress: text, port: 5000) }

    /// Status of the refusal; `nil`: let through.
    func status(
        _ policy: inout GatePolicy, _ fields: [(String, String)], from peer: String = "192.0.2.1",
        at time: MonotonicTime = now
    ) throws -> Int? {
        let (decision, reason) = policy.decide(head(fields), peer: try address(peer), now: time)
        switch decision {
        case .webSocket:
            #expect(reason == nil)
            return nil
        case .refuse(let refusal):
            #expect(reason != nil)
            return refusal.status
        default: return 0
        }
    }

    @Test func pagesOfOtherOriginsAreRefused() throws {
        var listed = policy { $0.limits.origins = ["https://app.example.org", "https://*.pages.example.org"] }
        for (origin, expected) in [
            ("https://app.example.org", nil), ("https://a.pages.example.org", nil), ("https://pages.example.org", 403),
            ("https://evil.example", 403), ("null", 403), ("", 403), ("https://app.example.org.evil.example", 403),
        ] as [(String, Int?)] {
            #expect(try status(&listed, [("Origin", origin)]) == expected, "\(origin)")
        }
        #expect(try status(&listed, []) == nil)
        let twice = [("Origin", "https://app.example.org"), ("Origin", "https://app.example.org")]
        #expect(try status(&listed, twice) == 403)
    }

    @Test func theModeHasItsDefault() throws {
        var (dev, prod) = (policy { _ in }, policy { $0.mode = .prod })
        #expect(try status(&dev, [("Origin", "https://any.example")]) == nil)
        #expect(try status(&prod, [("Origin", "https://any.example")]) == 403)
        #expect(try status(&prod, [("Origin", "https://chat.example.org")]) == nil)
        #expect(try status(&prod, []) == nil)
    }

    @Test func aProxyIsBelievedWhatHostWasAskedFor() throws {
        let fields = [("Origin", "https://outside.example"), ("X-Forwarded-Host", "outside.example, inner")]
        var policy = policy {
            $0.limits.origins = ["same-host"]
            $0.http.trustedProxies = ["192.0.2.0/24"]
        }
        #expect(try status(&policy, fields) == nil)
        #expect(try status(&policy, fields, from: "198.51.100.1") == 403)
    }

    @Test func anAddressMayConnectSoOften() throws {
        var policy = policy { $0.limits.connectRate = RateLimit(perSecond: 0.5, burst: 2) }
        #expect(try status(&policy, []) == nil)
        #expect(try status(&policy, []) == nil)
        #expect(try status(&policy, []) == 429)
        guard
            case (.refuse(let refusal), .connectRate) = policy.decide(
                head(), peer: try address("192.0.2.1"), now: Self.now)
        else {
            Issue.record("let through")
            return
        }
        #expect(refusal.fields == [HTTPField("Retry-After", "2")])
        #expect(try status(&policy, [], from: "192.0.2.2") == nil)
        #expect(try status(&policy, [], at: Self.now + .seconds(2)) == nil)
        policy.prune(now: Self.now + .seconds(60))
        #expect(try status(&policy, [], at: Self.now + .seconds(60)) == nil)
    }

    @Test func theConnectRateIsTheClientsNotTheProxys() throws {
        var policy = policy {
            $0.limits.connectRate = RateLimit(perSecond: 1, burst: 1)
            $0.http.trustedProxies = ["192.0.2.1"]
        }
        for client in ["203.0.113.1", "203.0.113.2", "2001:db8::1", "2001:db8:0:1::1"] {
            #expect(try status(&policy, [("X-Forwarded-For", client)]) == nil)
        }
        #expect(try status(&policy, [("X-Forwarded-For", "2001:db8::2")]) == 429)
    }

    @Test func aRefusedPathCostsNoConnect() throws {
        var policy = policy { $0.limits.connectRate = RateLimit(perSecond: 1, burst: 1) }
        for _ in 0..<3 { _ = policy.decide(head(path: "/other"), peer: try address("192.0.2.1"), now: Self.now) }
        #expect(try status(&policy, []) == nil)
    }

    @Test(arguments: [
        ("203.0.113.9", "203.0.113.9"), ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"), ("::1", "0:0:0:0::/64"), ("unix", ""), ("", ""),
    ])
    func addressesAreCountedByWhatOneSubscriberHas(_ address: String, _ key: String) {
        #expect(AddressKey.text(of: address) == key)
    }

    // MARK: Credentials

    func token(
        _ fields: [(String, String)], path: String = "/ws", _ change: (inout AuthConfiguration) -> Void = { _ in }
    )
        -> String?
    {
        var auth = AuthConfiguration()
        auth.cookie = "session"
        change(&auth)
        return HandshakeCredentials(head(fields, path: path), auth: auth, keepsFields: false).token
    }

    @Test func aTokenComesByHeaderQueryOrCookie() {
        #expect(token([]) == nil)
        #expect(token([("Authorization", "Bearer a.b.c")]) == "a.b.c")
        #expect(token([("authorization", "bearer  a")]) == "a")
        #expect(token([("Authorization", "Basic a")]) == nil)
        #expect(token([("Authorization", "Bearer ")]) == nil)
        #expect(token([], path: "/ws?x=1&token=a%2Eb+c") == "a.b c")
        #expect(token([], path: "/ws?token=&Token=b") == nil)
        #expect(token([], path: "/ws?token=%F") == nil && token([], path: "/ws?token=%ff") == nil)
        #expect(token([], path: "/ws?t=1") { $0.queryParameter = "t" } == "1")
        #expect(token([], path: "/ws?token=1") { $0.queryParameter = nil } == nil)
        #expect(token([("Cookie", "a=b; session=x=y; session=z")]) == "x=y")
        #expect(token([("Cookie", "a=b"), ("Cookie", "session=\"q\"")]) == "q")
        #expect(token([("Cookie", "session=x")]) { $0.cookie = nil } == nil)
        #expect(token([("Cookie", "session=c"), ("Authorization", "Bearer h")], path: "/ws?token=q") == "h")
        #expect(token([("Cookie", "session=c")], path: "/ws?token=q") == "q")
    }

    @Test func theWebhookIsToldTheFields() {
        let fields = [
            ("Cookie", "a=1"), ("Authorization", "Bearer t"), ("User-Agent", "ua"), ("Origin", "https://o.example"),
        ]
        let head = head(fields, path: "/ws?a=1")
        let kept = HandshakeCredentials(head, auth: AuthConfiguration(), keepsFields: true)
        #expect(kept.cookie == "a=1" && kept.authorization == "Bearer t" && kept.userAgent == "ua")
        #expect(kept.query == "a=1" && kept.origin == "https://o.example")
        #expect(kept.token == "t")
        var auth = AuthConfiguration()
        auth.secretFile = "/nowhere"
        for (query, rest) in [("token=s", nil), ("a=1&token=s&b", "a=1&b"), ("%74oken=s&a", "a")] as [(String, String?)]
        {
            let known = HandshakeCredentials(
                self.head(fields, path: "/ws?\(query)"), auth: auth, keepsFields: true)
            #expect(known.query == rest)
        }
        let bare = HandshakeCredentials(head, auth: AuthConfiguration(), keepsFields: false)
        #expect(bare.cookie == nil && bare.authorization == nil && bare.query == nil && bare.token == "t")
    }
}
