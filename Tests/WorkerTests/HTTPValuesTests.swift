import Model
import NIOCore
import Testing

@testable import Worker

@Suite struct HTTPDateTests {
    @Test(
        arguments: [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_827_696, "Tue, 29 Feb 2000 12:34:56 GMT"), (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"),
            (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] as [(Int64, String)])
    func bothWays(_ seconds: Int64, _ text: String) {
        #expect(HTTPDate.format(seconds) == text)
        #expect(HTTPDate.parse(text) == seconds)
    }

    @Test func daysOverSixCenturies() {
        for day in stride(from: Int64(0), to: 220_000, by: 7) {
            let seconds = day * 86_400 + day % 86_400
            #expect(HTTPDate.parse(HTTPDate.format(seconds)) == seconds)
        }
    }

    @Test(arguments: [
        "", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994",
        "Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 06 Xxx 1994 08:49:37 GMT", "Sun, 06 Nov 1994 25:49:37 GMT",
        "Sun, 06 Nov 1994 +8:49:37 GMT", "Sun, 06 Nov 99999999999999999999 08:49:37 GMT", ", , , , , ,",
    ])
    func otherFormsAreNone(_ text: String) {
        #expect(HTTPDate.parse(text) == nil)
    }
}

@Suite struct HTTPTrustedProxiesTests {
    private func peer(_ address: String) throws -> SocketAddress { try SocketAddress(ipAddress: address, port: 4711) }

    @Test func matchesNetworks() throws {
        let proxies = TrustedProxies(["10.0.0.0/8", "192.168.1.7", "2001:db8::/33", "::1", "nonsense", "1.2.3.4/33"])
        for address in ["10.255.0.1", "192.168.1.7", "2001:db8:7fff::1", "::1", "::ffff:10.1.2.3"] {
            let peer = try peer(address)
            #expect(proxies.contains(peer), "\(address)")
        }
        for address in ["11.0.0.1", "192.168.1.8", "2001:db8:8000::1", "::2", "::ffff:11.1.2.3", "1.2.3.4"] {
            let peer = try peer(address)
            #expect(!proxies.contains(peer), "\(address)")
        }
        let local = try SocketAddress(unixDomainSocketPath: "/tmp/x")
        #expect(proxies.contains(local))
        #expect(!proxies.contains(nil))
        let anybody = try peer("8.8.8.8")
        #expect(TrustedProxies(["0.0.0.0/0"]).contains(anybody))
    }

    @Test func findsTheClientBehindProxies() throws {
        let proxies = TrustedProxies(["10.0.0.0/8"])
        let near = try peer("10.0.0.1")
        #expect(proxies.client(of: near, forwardedFor: "6.6.6.6, 1.2.3.4 ,10.0.0.2") == "1.2.3.4")
        #expect(proxies.client(of: near, forwardedFor: "10.0.0.3") == "10.0.0.3")
        #expect(proxies.client(of: near, forwardedFor: "unknown") == nil)
        #expect(proxies.client(of: near, forwardedFor: nil) == nil)
        let stranger = try peer("9.9.9.9")
        #expect(proxies.client(of: stranger, forwardedFor: "1.2.3.4") == nil)
    }
}

@Suite struct HTTPClientSettingsTests {
    private func settings(
        _ change: (inout WsdConfiguration) -> Void = { _ in },
        host: String? = "example.org:8080",
        proto: String? = nil,
        forwarded: String? = nil
    ) -> ClientSettings? {
        var configuration = WsdConfiguration()
        change(&configuration)
        return ClientSettings(configuration, host: host, forwardedProto: proto, forwardedHost: forwarded)
    }

    @Test func saysWhereToConnect() {
        #expect(settings()?.connectionString == "ws://example.org:8080/ws")
        #expect(settings(proto: "https")?.connectionString == "wss://example.org:8080/ws")
        let forwarded = settings(proto: "HTTPS, http", forwarded: "chat.example, proxy")
        #expect(forwarded?.connectionString == "wss://chat.example/ws")
        let published = settings { $0.http.publicURL = "https://pub.example/app/" }
        #expect(published?.connectionString == "wss://pub.example/app/ws")
        #expect(settings({ $0.websocket.paths = ["/", "/live"] })?.connectionString == "ws://example.org:8080/live")
        #expect(settings(host: "[::1]:80")?.connectionString == "ws://[::1]:80/ws")
    }

    @Test(arguments: [nil, "", "a b", "x\"</script>", "a/b", "ü.example", "a@b"])
    func refusesWhatIsNoHost(_ host: String?) {
        #expect(settings(host: host) == nil)
        #expect(settings(forwarded: host)?.connectionString == "ws://example.org:8080/ws")
    }

    @Test func isJSONAndScript() throws {
        let settings = try #require(settings { $0.http.publicURL = "wss://a.b/\"</script>\\\u{2028}" })
        #expect(
            settings.json
                == #"{"connectionString":"wss://a.b/\"\u003c/script\u003e\\\u2028/ws","prefix":"/wsd/","#
                + #""maxMessageSize":65536,"pingIntervalMs":25000}"#
        )
        #expect(settings.script == "window.wsConfig = \(settings.json);\n")
    }
}

@Suite struct HTTPStaticPathTests {
    @Test func leadsIntoTheFolder() {
        #expect(StaticPath("/") == .file("", isDirectory: true))
        #expect(StaticPath("/a.js") == .file("a.js", isDirectory: false))
        #expect(StaticPath("/a/b/") == .file("a/b", isDirectory: true))
        #expect(StaticPath("/%C3%BC%20x") == .file("ü x", isDirectory: false))
        #expect(StaticPath("/.well-known/x") == .file(".well-known/x", isDirectory: false))
    }

    @Test(arguments: [
        "/..", "/../etc/passwd", "/a/../b", "/%2e%2e/x", "/.%2e/x", "/..%2fetc", "/a%2fb", "/.git/config", "/a/.env",
        "//etc/passwd", "/a//b", "/./a", "/a/.well-known/x", "//",
    ])
    func hides(_ path: String) {
        #expect(StaticPath(path) == .hidden)
    }

    @Test(arguments: ["", "a", "/%", "/%1", "/%zz", "/a%00b", "/%ff", "/%c3"])
    func isMalformed(_ path: String) {
        #expect(StaticPath(path) == .malformed)
    }
}

@Suite struct HTTPFileConditionsTests {
    private let modified: Int64 = 784_111_777

    private func answer(_ conditions: FileConditions, size: Int64 = 100) -> FileConditions.Answer {
        conditions.answer(tag: "\"t\"", modified: modified, size: size)
    }

    @Test func validators() {
        #expect(answer(FileConditions()) == .whole)
        for list in ["\"t\"", "W/\"t\"", "\"x\" , W/\"t\"", "*"] {
            #expect(answer(FileConditions(ifNoneMatch: list)) == .notModified, "\(list)")
        }
        #expect(answer(FileConditions(ifNoneMatch: "\"x\"", ifModifiedSince: HTTPDate.format(modified))) == .whole)
        #expect(answer(FileConditions(ifModifiedSince: HTTPDate.format(modified))) == .notModified)
        #expect(answer(FileConditions(ifModifiedSince: HTTPDate.format(modified - 1))) == .whole)
        #expect(answer(FileConditions(ifModifiedSince: "yesterday")) == .whole)
    }

    @Test(
        arguments: [
            ("bytes=0-0", .part(0..<1)), ("bytes=10-", .part(10..<100)), ("bytes=-10", .part(90..<100)),
            ("bytes=-1000", .part(0..<100)), ("bytes=50-1000", .part(50..<100)), ("bytes=99-", .part(99..<100)),
            ("bytes=100-", .unsatisfiable), ("bytes=100-200", .unsatisfiable), ("bytes=-0", .unsatisfiable),
            ("bytes=5-4", .whole), ("bytes=a-b", .whole), ("bytes=-", .whole), ("bytes=0-1,3-4", .whole),
            ("lines=1-2", .whole),
            ("bytes=0-99999999999999999999", .whole), ("bytes=--1", .whole), ("bytes=+1-2", .whole),
        ] as [(String, FileConditions.Answer)])
    func ranges(_ text: String, _ expected: FileConditions.Answer) {
        #expect(answer(FileConditions(range: text)) == expected)
    }

    @Test func rangesOfNothingAndOnConditions() {
        #expect(answer(FileConditions(range: "bytes=0-"), size: 0) == .unsatisfiable)
        #expect(answer(FileConditions(range: "bytes=-5"), size: 0) == .unsatisfiable)
        #expect(answer(FileConditions(ifRange: "\"t\"", range: "bytes=0-0")) == .part(0..<1))
        #expect(answer(FileConditions(ifRange: "\"old\"", range: "bytes=0-0")) == .whole)
        #expect(answer(FileConditions(ifRange: HTTPDate.format(modified), range: "bytes=0-0")) == .part(0..<1))
    }
}
