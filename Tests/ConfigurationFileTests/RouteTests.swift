import Model
import Testing

@testable import ConfigurationFile

/// The entries of `routes`.
@Suite struct RouteTests {
    private func errors(_ text: String) -> String {
        do throws(ConfigurationErrors) {
            _ = try load(text)
            return ""
        } catch {
            return error.description
        }
    }

    @Test func routesAreRead() throws {
        let loaded = try load(
            """
            routes:
              - path: /api/
                upstream: http://127.0.0.1:3000
                stripPrefix: true
                host: upstream
                connectTimeout: 1s
                timeout: 2m
                idleTimeout: 0
                hold: 0
                maxBody: 10MiB
              - {path: /, upstream: "unix:/run/app.sock"}
            """)
        var first = RouteConfiguration()
        (first.path, first.upstream) = ("/api", .tcp(host: "127.0.0.1", port: 3000, tls: false))
        (first.stripPrefix, first.host, first.maxBody) = (true, .upstream, 10 << 20)
        (first.connectTimeout, first.timeout) = (.seconds(1), .seconds(120))
        (first.idleTimeout, first.hold) = (.zero, .zero)
        var second = RouteConfiguration()
        (second.path, second.upstream) = ("/", .unix(path: "/run/app.sock"))
        #expect(loaded.configuration.routes == [first, second])
        #expect(loaded.source("routes") == "wsd.yaml:2")
        #expect(loaded.warnings.isEmpty)
        let environment = ["WSD_ROUTES": "[{path: /x, upstream: 'https://[::1]:8443'}]"]
        let route = try load("", environment: environment).configuration.routes.first
        #expect(route?.upstream == .tcp(host: "::1", port: 8443, tls: true))
    }

    @Test func whatIsNoUpstreamIsSaidToBeNone() {
        for (text, hint) in [
            ("127.0.0.1:3000", "did you mean http://127.0.0.1:3000?"), ("ws://app:1", "http://app:1"),
            ("/run/app.sock", "did you mean unix:/run/app.sock?"),
            ("http://app:1/path", "stripPrefix is on: http://app:1"),
            ("http://user:pass@app:1", "no user and password"), ("http://app:0", "it must be an address"),
            ("http://1.2.3", "it must be an address"), ("unix:app.sock", "it must be an address"),
        ] {
            let shown = errors("routes:\n  - {path: /, upstream: '\(text)'}")
            #expect(shown.contains(hint) && shown.contains("wsd.yaml:2"), "\(text): \(shown)")
        }
    }

    @Test func whatIsNoPathIsSaidToBeNone() {
        for text in ["api", "/a?b", "//", "/a//b", "/a/../b", "''"] {
            let shown = errors("routes:\n  - {path: \(text), upstream: 'http://a'}")
            #expect(shown.contains("routes[0].path") && shown.contains("begins with /"), "\(text): \(shown)")
        }
        #expect(errors("routes:\n  - {path: api, upstream: 'http://a'}").contains("did you mean /api?"))
        #expect(errors("routes:\n  - {path: /}").contains("upstream"))
        #expect(errors("routes:\n  - {upstream: 'http://a'}").contains("path"))
    }

    @Test func noPathStandsTwice() {
        let shown = errors("routes:\n  - {path: /a, upstream: 'http://a'}\n  - {path: /a/, upstream: 'http://b'}")
        #expect(shown.contains("routes[1] and routes[0] are both for /a") && shown.contains("wsd.yaml:3"))
    }

    @Test func whatNeverAnswersIsDoubted() throws {
        for (path, doubt) in [
            ("/wsd", "the route never does"), ("/wsd/x", "the route never does"), ("/healthz", "what lies below it"),
            ("/wsdx", nil), ("/ws", nil), ("/", nil),
        ] as [(String, String?)] {
            let warnings = try load("routes:\n  - {path: \(path), upstream: 'http://a'}").warnings.joined()
            #expect(doubt.map(warnings.contains) ?? warnings.isEmpty, "\(path): \(warnings)")
        }
    }
}
