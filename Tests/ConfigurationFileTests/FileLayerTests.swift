import Model
import Testing

@testable import ConfigurationFile

@Suite struct FileLayerTests {
    @Test func valuesOfAllKindsAreRead() throws {
        let loaded = try load(
            """
            mode: prod
            listen: ["127.0.0.1:9000", "unix:/run/app.sock"]
            workers:
              count: 3
              maxMemory: 512M
            restart: {factor: 1.5, maxDelay: 1m}
            websocket:
              paths: /only
              pingInterval: 0
              echo: on
            http:
              staticFolder: public
              trustedProxies:
                - 10.0.0.0/8
                - '::1'
            log:
              level: debug
            """)
        let configuration = loaded.configuration
        #expect(configuration.mode == .prod)
        #expect(configuration.listen == [.tcp(host: "127.0.0.1", port: 9000), .unix(path: "/run/app.sock")])
        #expect(configuration.workers.count == 3)
        #expect(configuration.workers.maxMemory == 512 << 20)
        #expect(configuration.restart.factor == 1.5)
        #expect(configuration.restart.maxDelay == .seconds(60))
        #expect(configuration.websocket.paths == ["/only"])
        #expect(configuration.websocket.pingInterval == .zero)
        #expect(configuration.websocket.echo == true)
        #expect(configuration.http.staticFolder == "/srv/app/public")
        #expect(configuration.http.trustedProxies == ["10.0.0.0/8", "::1"])
        #expect(configuration.log.level == .debug)
        #expect(loaded.file == "/srv/app/wsd.yaml")
        #expect(loaded.source("workers.count") == "wsd.yaml:4")
        #expect(loaded.source("restart.factor") == "wsd.yaml:6")
        #expect(loaded.source("rooms.announceMax") == "default")
        #expect(loaded.value("listen") == "[\"127.0.0.1:9000\", \"unix:/run/app.sock\"]")
        #expect(loaded.value("restart.maxDelay") == "1m")
    }

    @Test(arguments: ["", "\n\n", "# nothing\n", "---\n", "~\n", "workers:\nhttp:\n", "\u{FEFF}workers:\n"])
    func anEmptyFileChangesNothing(_ text: String) throws {
        #expect(try load(text).configuration == WsdConfiguration())
    }

    @Test func aMisspelledKeyIsShownWithTheNearestOne() throws {
        let error = #expect(throws: ConfigurationErrors.self) { try load("mode: dev\nworkers:\n  cuont: 4\n") }
        #expect(
            error?.description == """
                wsd.yaml:3:3: workers.cuont is not a key of wsd.yaml; did you mean workers.count?
                    3 |   cuont: 4
                      |   ^
                """)
    }

    @Test(arguments: [
        ("maxMessageSize: 1K", "1:1: maxMessageSize is not a key of wsd.yaml; did you mean websocket.maxMessageSize?"),
        ("worker:\n  count: 1", "1:1: worker is not a key of wsd.yaml; did you mean workers?"),
        ("http:\n  public_url: x", "2:3: http.public_url is not a key of wsd.yaml; did you mean http.publicURL?"),
        (
            "workers.count: 4",
            "1:1: workers.count is not a key of wsd.yaml as it stands; write `workers:` and below it, indented, `count: …`"
        ),
        (
            "rooms:\n  zebra: 1",
            "2:3: rooms.zebra is not a key of wsd.yaml; the keys of rooms are announceMax, maxPerClient, maxNameLength, presenceGrace, typingTimeout, broadcast, direct, rules, defaults"
        ),
        ("? [a]\n: 1", "1:3: a key must be a word"),
        (
            "workers: 4",
            "1:10: workers is a section: its keys (count, maxMemory, readyTimeout, heartbeatTimeout) stand below it, indented"
        ),
        ("- mode: dev", "1:1: the file must consist of keys and values, such as `mode: prod`"),
        ("just text", "1:1: the file must consist of keys and values, such as `mode: prod`"),
    ])
    func keys(_ text: String, _ expected: String) {
        #expect(problems(text) == ["wsd.yaml:\(expected)"])
    }

    @Test(arguments: [
        (
            "workers:\n  count: four",
            "2:10: workers.count is `four`; it must be a whole number from 0 to 1,024, or auto (one per core)"
        ),
        (
            "workers:\n  count:",
            "2:9: workers.count has no value; it must be a whole number from 0 to 1,024, or auto (one per core), or leave the line out"
        ),
        (
            "websocket:\n  pongTimeout: 30",
            "2:16: websocket.pongTimeout is `30`; it must be a time from 1s to 1h; it needs a unit: 30s or 30ms"
        ),
        (
            "restart:\n  factor: [2]",
            "2:11: restart.factor takes one value, not a list; it must be a number from 1 to 10"
        ),
        ("http:\n  metrics: {a: 1}", "2:12: http.metrics is not a section; it must be true or false"),
        ("mode: production", "1:7: mode is `production`; it must be dev or prod; did you mean prod?"),
        (
            "listen:\n  - \":80\"\n  - localhost",
            "3:5: listen holds `localhost`; it must be a list of addresses such as 8080, \":8080\", 127.0.0.1:8080, \"[::1]:8080\" or "
                + "unix:/run/app.sock; it needs a port: localhost:8080"
        ),
        ("listen: [8080: 1]", "1:10: an entry of listen must be text; put text with a colon or brackets in quotes"),
        (
            "websocket:\n  paths: [/a, null]",
            "2:15: an entry of websocket.paths must be text; put text with a colon or brackets in quotes"
        ),
    ])
    func values(_ text: String, _ expected: String) {
        #expect(problems(text) == ["wsd.yaml:\(expected)"])
    }

    @Test(arguments: [
        (
            "restart:\n  initialDelay: 20s", "2:17: restart.maxDelay (15s) must be at least restart.initialDelay (20s)"
        ),
        (
            "reload:\n  drainSpread: 2m\n  drainTimeout: 1m",
            "3:17: reload.drainTimeout (1m) must be at least reload.drainSpread (2m)"
        ),
        ("shutdown:\n  timeout: 1s", "2:12: shutdown.timeout (1s) must be at least shutdown.drainSpread (2s)"),
        ("log:\n  memoryTotal: 64K", "2:16: log.memoryTotal (64KiB) must be at least log.memoryPerChild (1MiB)"),
        (
            "websocket:\n  maxMessageSize: 9M",
            "2:19: hub.heldBytes (8MiB) must be at least websocket.maxMessageSize (9MiB)"
        ),
        ("listen: []", "1:9: listen is empty; the service needs an address to listen on"),
        ("listen: [80, '*:80']", "1:9: listen holds :80 twice"),
        ("listen: [80, 'localhost:80']", "1:9: listen holds localhost:80, which :80 (all addresses) includes"),
        ("listen: ['localhost:80', 80]", "1:9: listen holds localhost:80, which :80 (all addresses) includes"),
        ("websocket:\n  paths: []", "2:10: websocket.paths is empty; clients need a path to connect to"),
        ("websocket:\n  paths: [/a, /a]", "2:10: websocket.paths holds /a twice"),
        ("websocket:\n  paths: /readyz", "2:10: websocket.paths holds /readyz, which answers health checks"),
        (
            "http:\n  prefix: /ws/",
            "2:11: websocket.paths holds /ws, which lies under http.prefix (/ws/), where wsd's own pages are"
        ),
        (
            "http:\n  singlePage: true",
            "2:15: http.singlePage needs http.staticFolder: the folder whose index.html is to be served"
        ),
    ])
    func rules(_ text: String, _ expected: String) {
        #expect(problems(text) == ["wsd.yaml:\(expected)"])
    }

    @Test func portZeroMayStandTwice() throws {
        #expect(try load("listen: [0, 'localhost:0']").configuration.listen.count == 2)
    }

    @Test func aRuleIsSilentAboutAKeyThatHasNoValue() {
        #expect(problems("restart:\n  initialDelay: 20s\n  maxDelay: long").count == 1)
    }

    @Test func everythingIsReportedAtOnceInTheOrderOfTheFile() {
        let found = problems(
            "workers:\n  count: x\n  cuont: 1\nmode: what\nmode: dev\nrooms:\n  maxPerClient: 0\n",
            environment: ["WSD_LOG_LEVEL": "loud"], flags: ConfigurationFlags { $0.workers = "-1" })
        #expect(
            found.map { String($0.prefix { $0 != " " }) } == [
                "wsd.yaml:2:10:", "wsd.yaml:3:3:", "wsd.yaml:4:7:", "wsd.yaml:5:1:", "wsd.yaml:7:17:", "environment",
                "--workers:",
            ])
    }

    @Test func moreThanTwentyAreCounted() throws {
        let text = (1...30).map { "key\($0): 1\n" }.joined()
        let error = try #require(throws: ConfigurationErrors.self) { try load(text) }
        #expect(error.problems.count == 30)
        #expect(error.description.hasSuffix("\n… and 10 more."))
        #expect(error.description.split(separator: "\n").count == 20 * 3 + 1)
    }
}
