import Glibc
import Model
import NIOCore
import NIOHTTP1
import NIOPosix
import Testing
import WebSocketProtocol

@testable import Worker

@Suite struct ForwardedFieldsTests {
    private let stranger = ForwardedPeer(address: "192.0.2.1", isTrusted: false, isSecure: false, port: 8080)
    private let proxy = ForwardedPeer(address: "10.0.0.1", isTrusted: true, isSecure: false, port: 8080)

    private func route(_ change: (inout RouteConfiguration) -> Void = { _ in }) -> Route {
        var settings = RouteConfiguration()
        change(&settings)
        return Route(settings)
    }

    private func head(
        _ fields: [(String, String)], uri: String = "/x", method: HTTPMethod = .GET, version: HTTPVersion = .http1_1
    ) -> HTTPRequestHead {
        HTTPRequestHead(
            version: version, method: method, uri: uri, headers: HTTPHeaders([("Host", "shop.example")] + fields))
    }

    private func names(_ fields: HTTPHeaders) -> Set<String> { Set(fields.map { $0.name.lowercased() }) }

    @Test func fieldsForOneConnectionStayThere() {
        let sent = head([
            ("Connection", "keep-alive, X-Mine"), ("connection", "x-other"), ("X-Mine", "1"), ("X-Other", "1"),
            ("Keep-Alive", "1"), ("TE", "trailers"), ("Upgrade", "h2c"), ("Proxy-Connection", "close"),
            ("Accept", "*/*"),
        ])
        let fields = ForwardedFields.request(sent, route: route(), peer: stranger).headers
        #expect(
            names(fields) == [
                "host", "accept", "via", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port",
            ])
        let answer = HTTPResponseHead(
            version: .http1_1, status: .ok,
            headers: [
                "Connection": "close, X-Mine", "X-Mine": "1", "Transfer-Encoding": "chunked", "Content-Length": "3",
                "Set-Cookie": "a=b",
            ])
        #expect(ForwardedFields.response(answer) == ["Set-Cookie": "a=b"])
    }

    @Test func nobodyPretendsWithUnderscores() {
        let sent = head([
            ("X_Forwarded_For", "203.0.113.9"), ("x-forwarded_host", "evil.example"), ("X-Forwarded-Prefix", "/x"),
            ("X_Real_IP", "203.0.113.9"), ("X_Mine", "1"),
        ])
        let believed = ForwardedFields.request(sent, route: route(), peer: proxy).headers
        #expect(believed["x-forwarded-prefix"] == ["/x"] && !believed.contains(name: "x_forwarded_for"))
        let fields = ForwardedFields.request(sent, route: route(), peer: stranger).headers
        #expect(
            names(fields) == [
                "host", "x_mine", "via", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port",
            ])
    }

    @Test func nobodyTakesAwayWhatSaysWhoAsks() {
        let sent = head(
            [("Connection", "host, content-length, x-forwarded-for, via"), ("Content-Length", "3")], method: .POST)
        let fields = ForwardedFields.request(sent, route: route(), peer: stranger).headers
        #expect(fields["host"] == ["shop.example"] && fields["content-length"] == ["3"])
        #expect(fields["x-forwarded-for"] == ["192.0.2.1"] && fields["via"] == ["1.1 wsd"])
    }

    private let told = [
        ("X-Forwarded-For", "203.0.113.9"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "public.example"),
        ("X-Forwarded-Port", "443"), ("Forwarded", "for=203.0.113.9"), ("X-Real-IP", "203.0.113.9"),
    ]

    @Test func strangersAreNotBelieved() {
        let fields = ForwardedFields.request(head(told), route: route(), peer: stranger).headers
        #expect(fields["x-forwarded-for"] == ["192.0.2.1"] && fields["x-forwarded-proto"] == ["http"])
        #expect(fields["x-forwarded-host"] == ["shop.example"] && fields["x-forwarded-port"] == ["8080"])
        #expect(!fields.contains(name: "forwarded") && !fields.contains(name: "x-real-ip"))
        var secure = stranger
        secure.isSecure = true
        let overTLS = ForwardedFields.request(head(told), route: route(), peer: secure).headers
        #expect(overTLS["x-forwarded-proto"] == ["https"])
    }

    @Test func trustedProxiesAreBelievedAndAppendedTo() {
        let sent = head(told + [("X-Forwarded-For", "198.51.100.2")])
        let fields = ForwardedFields.request(sent, route: route(), peer: proxy).headers
        #expect(fields["x-forwarded-for"] == ["203.0.113.9, 198.51.100.2, 10.0.0.1"])
        #expect(fields["x-forwarded-proto"] == ["https"] && fields["x-forwarded-host"] == ["public.example"])
        #expect(fields["x-forwarded-port"] == ["443"] && fields["x-real-ip"] == ["203.0.113.9"])
        let socket = ForwardedPeer(address: nil, isTrusted: true, isSecure: false, port: nil)
        let local = ForwardedFields.request(head([]), route: route(), peer: socket).headers
        #expect(!local.contains(name: "x-forwarded-for") && !local.contains(name: "x-forwarded-port"))
    }

    @Test func hostsAndTargets() {
        let upstream = route { $0.host = .upstream }
        #expect(
            ForwardedFields.request(head([]), route: upstream, peer: stranger).headers["host"] == ["127.0.0.1:3000"])
        let absolute = ForwardedFields.request(
            head([], uri: "http://other.example?q=1"), route: route(), peer: stranger)
        #expect(absolute.headers["host"] == ["other.example"] && absolute.uri == "/?q=1")
        var nameless = head([], version: .http1_0)
        nameless.headers.remove(name: "host")
        let old = ForwardedFields.request(nameless, route: route(), peer: stranger)
        #expect(
            old.headers["host"] == ["127.0.0.1:3000"] && old.version == .http1_1 && old.headers["via"] == ["1.0 wsd"])
        #expect(ForwardedFields.split("/a?b://c").target == "/a?b://c")
    }

    @Test func bodiesEndInOneWay() {
        let both = head([("Content-Length", "5"), ("Transfer-Encoding", "chunked")], method: .POST)
        let fields = ForwardedFields.request(both, route: route(), peer: stranger).headers
        #expect(fields["transfer-encoding"] == ["chunked"] && !fields.contains(name: "content-length"))
        let none = ForwardedFields.request(head([], method: .POST), route: route(), peer: stranger).headers
        #expect(none["content-length"] == ["0"])
        for (status, method, version, given, expected) in [
            (.ok, .GET, .http1_1, [:], "transfer-encoding"),
            (.ok, .GET, .http1_1, ["Content-Length": "3"], "content-length"),
            (.ok, .HEAD, .http1_1, [:], nil), (.ok, .HEAD, .http1_1, ["Content-Length": "3"], "content-length"),
            (.noContent, .GET, .http1_1, ["Content-Length": "0"], nil),
            (.notModified, .GET, .http1_1, ["Content-Length": "3"], nil),
            (.ok, .GET, .http1_0, [:], nil),
        ] as [(HTTPResponseStatus, HTTPMethod, HTTPVersion, HTTPHeaders, String?)] {
            var answer = HTTPResponseHead(version: version, status: status, headers: given)
            answer.frame(for: method)
            #expect(answer.headers.map { $0.name.lowercased() } == [expected].compactMap { $0 }, "\(status) \(method)")
        }
    }

    @Test func upgradesKeepTheirFields() {
        let sent = head([("Connection", "keep-alive, Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Key", "x")])
        let fields = ForwardedFields.request(sent, route: route(), peer: stranger, isSwitch: true).headers
        #expect(fields["connection"] == ["Upgrade"] && fields["upgrade"] == ["websocket"])
        #expect(fields["sec-websocket-key"] == ["x"])
    }

    @Test func trailersThatChangeTheMessageAreLeftOut() {
        #expect(ForwardedFields.trailers(["X-Sum": "1", "Content-Length": "3", "Host": "a"]) == ["X-Sum": "1"])
        #expect(ForwardedFields.trailers(["Transfer-Encoding": "chunked"]) == nil)
        #expect(ForwardedFields.trailers(nil) == nil)
    }

    @Test func passagesAreCounted() {
        #expect(ForwardedFields.hops(["Via": "1.1 wsd, 1.0 wsd", "via": "1.1 other, 1.1 wsd"]) == 3)
        #expect(ForwardedFields.hops([:]) == 0)
    }

    @Test func faultsHaveTheirStatusAndWords() {
        func refusal(_ fault: UpstreamFault, held: Duration? = nil, json: Bool = false) -> HTTPRefusal {
            HTTPRefusal(fault, route: route { $0.path = "/api" }, held: held, asksForJSON: json)
        }
        #expect(refusal(.refused).status == 502)
        let held = refusal(.missing, held: .seconds(10))
        #expect(held.status == 503 && held.fields == [HTTPField("Retry-After", "2")])
        #expect(
            held.sentence == "The application behind /api has no socket yet; this was tried for 10 s. Try again soon.")
        #expect(refusal(.timeout).status == 504 && refusal(.loop).status == 508 && refusal(.slowClient).status == 408)
        let json = refusal(.closed, json: true)
        #expect(json.sentence.hasPrefix("{\"code\":\"upstreamBroken\",\"error\":\"The application behind /api "))
        for (code, expected) in [
            (ECONNREFUSED, .refused), (ENOENT, .missing), (EAGAIN, .busy), (ETIMEDOUT, .connectTimeout),
        ] as [(Int32, UpstreamFault)] {
            #expect(UpstreamFault(connecting: IOError(errnoCode: code, reason: "connect")) == expected)
        }
        #expect(!UpstreamFault(connecting: IOError(errnoCode: EHOSTUNREACH, reason: "connect")).mayPass)
        #expect(UpstreamFault(connecting: ChannelError.connectTimeout(.seconds(1))) == .connectTimeout)
    }
}
