import Model
import Testing

@Suite struct ConfigurationTextTests {
    @Test(
        arguments: [
            ("10/s burst 20", 10, 20, "10/s burst 20"), ("600/m burst 50", 10, 50, "10/s burst 50"),
            ("10/s", 10, 20, "10/s burst 20"), ("30/m", 0.5, 1, "30/m burst 1"), ("1/h", 1.0 / 3600, 1, "1/h burst 1"),
            ("7/m  burst 3", 7.0 / 60, 3, "7/m burst 3"), ("1000000/s", 1e6, 1_000_000, "1000000/s burst 1000000"),
            ("3600000000/h burst 1", 1e6, 1, "1000000/s burst 1"),
        ] as [(String, Double, Int, String)])
    func rates(text: String, perSecond: Double, burst: Int, canonical: String) {
        #expect(RateLimit(text) == RateLimit(perSecond: perSecond, burst: burst))
        #expect(RateLimit(text)?.description == canonical)
    }

    @Test func everyRateReadsBack() {
        for amount in (1...400).map({ $0 * 7 }) {
            for unit in ["s", "m", "h"] {
                let limit = RateLimit("\(amount)/\(unit) burst 9")
                #expect(limit != nil && RateLimit(limit?.description ?? "") == limit)
            }
        }
        #expect(RateLimit("off") == .off)
        #expect(RateLimit.off.description == "off")
    }

    @Test(arguments: [
        "", "10", "/s", "10/", "10/d", "0/s", "-1/s", "1.5/s", "1000001/s", "10/s burst", "10/s burst 0",
        "10/s burst 1000001",
        "10/s 20", "10/s burst 1 2", "off burst 1", "99999999999999999999/s", "10 /s", "١/s", "OFF",
    ])
    func noRates(text: String) {
        #expect(RateLimit(text) == nil)
    }

    @Test(
        arguments: [
            ("*", "null", nil, true), ("same-host", "https://a.example", "a.example", true),
            ("same-host", "https://A.example", "a.EXAMPLE:443", true),
            ("same-host", "http://a.example:8080", "a.example:8080", true),
            ("same-host", "http://a.example:8080", "a.example", false),
            ("same-host", "https://b.example", "a.example", false),
            ("same-host", "null", "null", false), ("same-host", "https://a.example", nil, false),
            ("same-host", "http://[::1]:8080", "[::1]:8080", true),
            ("https://a.example", "https://a.example", nil, true),
            ("https://a.example", "http://a.example", nil, false),
            ("https://a.example", "https://a.example:8443", nil, false),
            ("https://a.example", "https://a.example.evil", nil, false),
            ("https://*.a.example", "https://x.a.example", nil, true),
            ("https://*.a.example", "https://x.y.a.example", nil, true),
            ("https://*.a.example", "https://a.example", nil, false),
            ("https://*.a.example", "https://.a.example", nil, false),
            ("https://*.a.example", "https://xa.example", nil, false),
            ("https://*.a.example", "http://x.a.example", nil, false),
            ("https://*.a.example", "https://x.a.example:1", nil, false),
            ("https://*.a.example:1", "https://x.a.example:1", nil, true),
            ("https://*.a.example", "https://evil/x.a.example", nil, false),
            ("capacitor://localhost", "capacitor://localhost", nil, true),
        ] as [(String, String, String?, Bool)])
    func origins(pattern: String, origin: String, host: String?, allowed: Bool) throws {
        #expect(try #require(OriginPattern(pattern)).allows(origin, host: host) == allowed)
    }

    @Test(arguments: [
        "", "a.example", "https://", "https://a.example/", "https://a.example:443", "http://a.example:80",
        "https://a.example:0",
        "https://a.example:x", "https://*", "https://*.", "https://a.*.example", "https://*a.example",
        "https://ä.example",
        "null", "1://a", "https:a.example", "https://[::1", "https://[x]", "https://u@a.example", "https://a..example",
        "wss://a.example",
    ])
    func noOrigins(text: String) {
        #expect(OriginPattern(text) == nil)
    }

    @Test(arguments: [
        "*", "same-host", "https://a.example", "https://*.a.example:8443", "http://[::1]:8080",
    ])
    func originsReadBack(text: String) {
        #expect(OriginPattern(text)?.description == text)
    }

    @Test func stateDirectory() {
        var history = HistoryConfiguration()
        let environment = ["STATE_DIRECTORY": "/var/lib/a:/var/lib/b", "XDG_STATE_HOME": "/x", "HOME": "/home/ann"]
        #expect(history.stateDirectory(environment: environment, uid: 7) == "/var/lib/a")
        #expect(history.stateDirectory(environment: ["STATE_DIRECTORY": ""], uid: 0) == "/var/lib/wsd")
        #expect(history.stateDirectory(environment: ["XDG_STATE_HOME": "/x", "HOME": "/h"], uid: 7) == "/x/wsd")
        #expect(
            history.stateDirectory(environment: ["XDG_STATE_HOME": "x", "HOME": "/h"], uid: 7) == "/h/.local/state/wsd")
        #expect(history.stateDirectory(environment: [:], uid: 7) == nil)
        history.directory = "/srv"
        #expect(history.stateDirectory(environment: environment, uid: 0) == "/srv")
    }

    @Test func allowedOriginsFollowTheMode() {
        var configuration = WsdConfiguration()
        #expect(configuration.allowedOrigins == [.any])
        configuration.mode = .prod
        #expect(configuration.allowedOrigins == [.sameHost])
        configuration.limits.origins = ["https://a.example"]
        #expect(configuration.allowedOrigins == [.exact("https://a.example")])
    }
}
