import Model
import NIOCore
import NIOHTTP1
import Testing
import WebSocketProtocol

@testable import Worker

@Suite struct RouteMapTests {
    private func configuration(_ paths: [String], strip: Bool = false) -> WsdConfiguration {
        var configuration = WsdConfiguration()
        configuration.routes = paths.map { path in
            var route = RouteConfiguration()
            (route.path, route.stripPrefix) = (path, strip)
            return route
        }
        return configuration
    }

    private func head(_ target: String, _ fields: [(String, String)] = []) -> RequestHead {
        RequestHead(
            method: "GET", target: target, minorVersion: 1,
            fields: ([("Host", "x")] + fields).map { HTTPField($0.0, $0.1) })
    }

    private static let handshake = [
        ("Upgrade", "websocket"), ("Connection", "keep-alive, Upgrade"), ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ]

    @Test func theLongestPathThatEndsAtASegmentCounts() {
        let map = RouteMap(configuration(["/api", "/", "/api/v1/x"]))
        for (path, expected) in [
            ("/", "/"), ("/api", "/api"), ("/api/", "/api"), ("/api/x", "/api"), ("/apis", "/"),
            ("/api/v1/x", "/api/v1/x"),
            ("/api/v1/xy", "/api"), ("/API", "/"), ("/healthz", nil), ("/readyz", nil), ("/healthz/x", "/"),
            ("/wsd/", nil), ("/wsd/client.js", nil), ("/wsd", "/"), ("/wsdx", "/"), ("*", nil),
            ("example.org:443", nil),
        ] as [(Substring, String?)] {
            #expect(map.route(path)?.path == expected, "\(path)")
        }
        #expect(RouteMap(configuration(["/api"])).route("/other") == nil)
        #expect(RouteMap().route("/") == nil)
    }

    @Test func nothingLeadsOutOfARoute() {
        let map = RouteMap(configuration(["/api"]))
        for path in [
            "/api/..", "/api/../admin", "/api/x/../../admin", "/api/%2e%2E/admin", "/api/.%2e/admin", "/api/..%2fadmin",
            "/api/..\\admin", "/api/..%5Cadmin", "/api/..;x/admin",
        ] {
            #expect(map.route(path[...]) == nil, "\(path)")
        }
        for path in ["/api/..x", "/api/x..", "/api/...", "/api/./x", "/api/%2ex", "/api/a..b/%25"] {
            #expect(map.route(path[...])?.path == "/api", "\(path)")
        }
        #expect(RouteMap(configuration(["/api", "/"])).route("/api/../admin")?.path == "/")
    }

    @Test func targetsLoseTheRoutesPath() {
        let stripped = Route(configuration(["/api"], strip: true).routes[0])
        for (target, expected) in [
            ("/api", "/"), ("/api/", "/"), ("/api/x%2F?q=/api", "/x%2F?q=/api"), ("/api?q", "/?q"),
        ] {
            #expect(stripped.upstreamTarget(target[...]) == expected)
        }
        #expect(Route(configuration(["/api"]).routes[0]).upstreamTarget("/api/x") == "/api/x")
        #expect(Route(configuration(["/"], strip: true).routes[0]).upstreamTarget("/x") == "/x")
    }

    @Test func upgradesOnWsdsPathsAreWsds() {
        let map = RouteMap(configuration(["/"]))
        for path in WebSocketConfiguration().paths + ["/ws/logs", "/ws/stats", "/wsd/echo", "/healthz"] {
            #expect(map.upgrade(head(path, Self.handshake)) == nil, "\(path)")
        }
        #expect(map.upgrade(head("/live?x", Self.handshake))?.path == "/")
        #expect(map.upgrade(head("/live", [("Upgrade", "x/1"), ("Connection", "upgrade")]))?.path == "/")
        // It does not ask, or not in earnest.
        #expect(map.upgrade(head("/live")) == nil)
        #expect(map.upgrade(head("/live", [("Upgrade", "websocket")])) == nil)
        #expect(map.upgrade(head("/live", [("Upgrade", "h2c"), ("Connection", "Upgrade, HTTP2-Settings")])) == nil)
        #expect(map.upgrade(head("/live", Self.handshake + [("Content-Length", "3")])) == nil)
        #expect(map.upgrade(head("/live", Self.handshake + [("Transfer-Encoding", "chunked")])) == nil)
        let twoLengths = [("Content-Length", "0"), ("Content-Length", "5")]
        #expect(map.upgrade(head("/live", Self.handshake + twoLengths)) == nil)
        let connect = RequestHead(
            method: "CONNECT", target: "/live", minorVersion: 1, fields: Self.handshake.map { HTTPField($0.0, $0.1) })
        #expect(map.upgrade(connect) == nil)
    }

    @Test func theGateDecidesByTheSameMap() throws {
        var policy = GatePolicy(configuration(["/"]))
        let peer = try SocketAddress(ipAddress: "192.0.2.1", port: 1)
        func decision(_ target: String, _ fields: [(String, String)]) -> String {
            switch policy.decide(head(target, fields), peer: peer, now: MonotonicTime(nanoseconds: 1)).0 {
            case .webSocket: "webSocket"
            case .live: "live"
            case .route(let route): "route \(route.path)"
            case .http: "http"
            case .refuse(let refusal): "refuse \(refusal.status)"
            }
        }
        #expect(decision("/ws", Self.handshake) == "webSocket")
        #expect(decision("/live", Self.handshake) == "route /")
        #expect(decision("/page", []) == "http")
        // A broken handshake is for whoever speaks WebSocket there to refuse.
        #expect(decision("/live", [("Sec-WebSocket-Key", "x")]) == "http")
        #expect(decision("/ws", [("Sec-WebSocket-Key", "x")]) == "refuse 426")
        var limited = configuration(["/"])
        limited.limits.connectRate = RateLimit(perSecond: 1, burst: 1)
        policy = GatePolicy(limited)
        #expect(decision("/live", Self.handshake) == "route /")
        #expect(decision("/live", Self.handshake) == "refuse 429")
    }

    @Test func addressesAreReadAndWritten() throws {
        for (text, written) in [
            ("http://127.0.0.1:3000", "http://127.0.0.1:3000"), ("http://app", "http://app"),
            ("http://app:80/", "http://app"), ("https://app.example.org", "https://app.example.org"),
            ("https://app:8443", "https://app:8443"), ("http://[::1]:3000", "http://[::1]:3000"),
            ("unix:/run/app.sock", "unix:/run/app.sock"),
        ] {
            let address = try #require(UpstreamAddress(text), "\(text)")
            #expect(address.description == written)
            #expect(UpstreamAddress(written) == address)
        }
        for text in [
            "", "app:3000", "http://", "http://:80", "http://a:0", "http://a:99999", "http://a/x", "unix:x", "ws://a",
        ] {
            #expect(UpstreamAddress(text) == nil, "\(text)")
        }
        #expect(UpstreamAddress("http://[::1]:3000")?.authority == "[::1]:3000")
        #expect(UpstreamAddress("https://a:443")?.authority == "a")
    }
}

/// What a connection with routes does next.
@Suite struct RoutedConversationTests {
    private func conversation(maxBody: Int = 0) -> HTTPConversation {
        var configuration = WsdConfiguration()
        var route = RouteConfiguration()
        (route.path, route.maxBody) = ("/app", maxBody)
        configuration.routes = [route]
        return HTTPConversation(routes: RouteMap(configuration))
    }

    private func head(_ fields: [(String, String)] = [], _ uri: String = "/app/x") -> HTTPServerRequestPart {
        .head(
            HTTPRequestHead(
                version: .http1_1, method: .POST, uri: uri, headers: HTTPHeaders([("Host", "x")] + fields)))
    }

    private func name(_ action: HTTPConversation.Action) -> String {
        switch action {
        case .none: "none"
        case .awaitBody: "awaitBody"
        case .answer: "answer"
        case .refuse(let refusal): "refuse \(refusal.status)"
        case .handOver: "handOver"
        case .forward(_, let route): "forward \(route.path)"
        case .forwardBody(let piece): "body \(piece.readableBytes)"
        case .forwardEnd: "end"
        case .abandon(let refusal): "abandon \(refusal.status)"
        case .close: "close"
        }
    }

    private func run(_ conversation: inout HTTPConversation, _ parts: [HTTPServerRequestPart]) -> [String] {
        parts.map { name(conversation.received($0)) }
    }

    private let piece = HTTPServerRequestPart.body(ByteBuffer(repeating: 1, count: 600))

    @Test func bodiesArePassedOnAsTheyCome() {
        var conversation = conversation()
        let seen = run(&conversation, [head([("Transfer-Encoding", "chunked")]), piece, piece, .end(nil)])
        #expect(seen == ["forward /app", "body 600", "body 600", "end"])
        #expect(!conversation.isForwardingInPart)
        let (goesOn, next) = (conversation.answered(), run(&conversation, [head([], "/healthz"), .end(nil)]))
        #expect(goesOn && next == ["none", "answer"])
    }

    @Test func anEarlyAnswerIsTheLast() {
        var conversation = conversation()
        _ = run(&conversation, [head([("Content-Length", "900")]), piece])
        #expect(conversation.isForwardingInPart)
        let goesOn = conversation.answered()
        #expect(!goesOn)
        #expect(run(&conversation, [piece, .end(nil), head()]) == ["none", "none", "none"])
    }

    @Test func bodiesAreBoundedWhereThatIsConfigured() {
        var conversation = conversation(maxBody: 1000)
        #expect(run(&conversation, [head([("Content-Length", "1001")])]) == ["refuse 413"])
        conversation = self.conversation(maxBody: 1000)
        let chunked = run(&conversation, [head([("Transfer-Encoding", "chunked")]), piece, piece, .end(nil)])
        #expect(chunked == ["forward /app", "body 600", "abandon 413", "none"])
    }

    @Test func whatIsAmbiguousIsNotForwarded() {
        for (fields, expected, keepsAlive) in [
            ([("Transfer-Encoding", "gzip, chunked")], "refuse 501", false),
            ([("Transfer-Encoding", "gzip"), ("Transfer-Encoding", "chunked")], "refuse 501", false),
            ([("Transfer-Encoding", "Chunked")], "forward /app", true),
            ([("Transfer-Encoding", "chunked"), ("Content-Length", "5")], "forward /app", false),
        ] as [([(String, String)], String, Bool)] {
            var conversation = conversation()
            #expect(run(&conversation, [head(fields)]) == [expected])
            #expect(conversation.keepsAlive == keepsAlive)
        }
    }

    @Test func whoEndsItsSideHasGone() {
        var conversation = conversation()
        _ = run(&conversation, [head(), .end(nil)])
        #expect(name(conversation.timedOut()) == "none")
        #expect(name(conversation.drain()) == "none")
        #expect(!conversation.keepsAlive)
        #expect(name(conversation.inputClosed()) == "close")
        conversation = self.conversation()
        _ = run(&conversation, [head([("Content-Length", "900")]), piece])
        #expect(name(conversation.failed(HTTPRefusal(status: 400, sentence: "x"))) == "abandon 400")
    }
}
