import Model
import Testing

@testable import ConfigurationFile

/// Sections about who may connect and what they may do.
@Suite struct AccessTests {
    @Test func sectionsWithinSectionsAreRead() throws {
        let loaded = try load(
            """
            websocket:
              compression: {enabled: true, level: 9, threshold: 0}
              pingInterval: 5s
            rooms:
              broadcast: nobody
              presenceGrace: 0
            limits:
              origins: ["https://app.example.org", "HTTPS://*.example.org:8443"]
              messageRate: off
              userRate: 600/m
              perUserPolicy: refuseNewest
              whenHubAway: refuse
            webhooks:
              publish:
                onFailure: allow
                retries: 0
              roomEmpty: {queue: 5}
            history: {store: memory, directory: state}
            """)
        let configuration = loaded.configuration
        #expect(configuration.websocket.compression.enabled)
        #expect(configuration.websocket.compression.level == 9)
        #expect(configuration.websocket.pingInterval == .seconds(5))
        #expect(configuration.rooms.broadcast == .nobody)
        #expect(configuration.rooms.presenceGrace == .zero)
        #expect(configuration.limits.origins == ["https://app.example.org", "https://*.example.org:8443"])
        #expect(configuration.limits.messageRate == nil)
        #expect(configuration.limits.userRate == RateLimit(perSecond: 10, burst: 20))
        #expect(configuration.limits.perUserPolicy == .refuseNewest)
        #expect(configuration.limits.whenHubAway == .refuse)
        #expect(configuration.webhooks.publish.onFailure == .allow)
        #expect(configuration.webhooks.roomEmpty.queue == 5)
        #expect(configuration.history.store == .memory)
        #expect(configuration.history.directory == "/srv/app/state")
        #expect(loaded.source("webhooks.publish.retries") == "wsd.yaml:16")
        #expect(loaded.value("limits.messageRate") == "off")
        #expect(loaded.value("limits.userRate") == "10/s burst 20")
    }

    @Test func variablesAndFlagsReachThem() throws {
        let environment = ["WSD_WEBHOOKS_CONNECT_TIMEOUT": "1s", "WSD_LIMITS_ORIGINS": "same-host,https://a.example"]
        let flags = ConfigurationFlags { $0.settings = ["rooms.defaults.historySize=100", "limits.connectRate=1/s"] }
        let loaded = try load(environment: environment, flags: flags)
        #expect(loaded.configuration.webhooks.connect.timeout == .seconds(1))
        #expect(loaded.configuration.limits.origins == ["same-host", "https://a.example"])
        #expect(loaded.configuration.rooms.defaults.historySize == 100)
        #expect(loaded.source("rooms.defaults.historySize") == "--set rooms.defaults.historySize")
        #expect(try load(environment: ["WSD_LIMITS_ORIGINS": "auto"]).configuration.limits.origins == nil)
    }

    @Test(arguments: [
        (
            "websocket:\n  compression:\n    levle: 1",
            "3:5: websocket.compression.levle is not a key of wsd.yaml; did you mean websocket.compression.level?"
        ),
        (
            "websocket:\n  compresion: {}",
            "2:3: websocket.compresion is not a key of wsd.yaml; did you mean websocket.compression?"
        ),
        (
            "websocket:\n  compression: true",
            "2:16: websocket.compression is a section: its keys (enabled, threshold, level, memoryLevel, serverWindowBits, "
                + "clientWindowBits, serverContextTakeover, clientContextTakeover) stand below it, indented"
        ),
        (
            "webhooks.join.url: x",
            "1:1: webhooks.join.url is not a key of wsd.yaml as it stands; write `webhooks: join:` and below it, indented, `url: …`"
        ),
        ("webhooks.join: {}", "1:1: webhooks.join is not a key of wsd.yaml; did you mean webhooks.join?"),
        (
            "webhooks:\n  disconnect: {onFailure: allow}",
            "2:16: webhooks.disconnect.onFailure is not a key of wsd.yaml; the keys of webhooks.disconnect are "
                + "url, timeout, retries, concurrency, queue"
        ),
        (
            "webhooks:\n  message: {url: a}",
            "2:3: webhooks.message is not a key of wsd.yaml; the keys of webhooks are "
                + "secretFile, connect, join, publish, rpc, disconnect, roomEmpty"
        ),
        (
            "rooms:\n  defaults: {zebra: a}",
            "2:14: rooms.defaults.zebra is not a key of wsd.yaml; the keys of rooms.defaults are "
                + "join, publish, presence, history, publishNeedsMembership, historySize, historyTTL, rate, autoRead, webhooks"
        ),
    ])
    func keys(_ text: String, _ expected: String) {
        #expect(problems(text) == ["wsd.yaml:\(expected)"])
    }

    @Test(arguments: [
        (
            "limits:\n  proxyProtocol: on",
            "2:18: limits.proxyProtocol needs http.trustedProxies: the addresses of the proxies that "
                + "send it"
        ),
        (
            "limits:\n  origins: []",
            "2:12: limits.origins is empty, so that no page could connect; for all of them write \"*\""
        ),
        ("limits:\n  origins: [same-host, same-host]", "2:12: limits.origins holds same-host twice"),
        ("limits:\n  origins: [same-host, '*']", "2:12: limits.origins holds *, which includes all others"),
        (
            "hub:\n  linkQueue: 512K\napi:\n  maxBody: 512K\nhistory:\n  recoveryPage: 1M",
            "2:14: hub.linkQueue (512KiB) must be at "
                + "least history.recoveryPage (1MiB)"
        ),
        ("api:\n  maxBody: 9M", "2:12: hub.heldBytes (8MiB) must be at least api.maxBody (9MiB)"),
    ])
    func rules(_ text: String, _ expected: String) {
        #expect(
            problems(text).filter { !$0.contains("linkQueue (512KiB) must be at least api") } == [
                "wsd.yaml:\(expected)"
            ])
    }

    @Test func whatNobodyCouldDoIsDoubted() throws {
        let users = try load("rooms: {broadcast: users, rules: [{match: a, join: granted}]}")
        #expect(users.warnings.count == 1)
        #expect(
            users.warnings.first?.hasPrefix("rooms.broadcast (and 1 more) is for users only, but nobody can be") == true
        )
        #expect(try load("rooms: {defaults: {join: anyone}}").warnings == [])
        let history = try load("rooms: {defaults: {historyTTL: 2h}, rules: [{match: a, historyTTL: 1h}, {match: b}]}")
        #expect(
            history.warnings == [
                "rooms.defaults.historyTTL says nothing, because no messages are kept there: set historySize",
                "rooms.rules[0].historyTTL says nothing, because no messages are kept there: set historySize",
            ])
        #expect(try load("rooms: {defaults: {historyTTL: 2h}, rules: [{match: a, historySize: 1}]}").warnings == [])
    }

    @Test func theStoreStaysAsItIsOnAReload() throws {
        let new = try load("history: {store: memory, directory: /x, recoveryPage: 1M}").configuration
        let differences = ConfigurationLoader.differences(WsdConfiguration(), new)
        #expect(differences.reloadable == ["history.recoveryPage"])
        #expect(differences.notReloadable == ["history.store", "history.directory"])
        let rules = try load("rooms: {rules: [{match: a}]}").configuration
        #expect(ConfigurationLoader.differences(WsdConfiguration(), rules).reloadable == ["rooms.rules"])
        #expect(ConfigurationLoader.reloaded(WsdConfiguration(), to: rules).rooms.rules == [RoomRule(match: "a")])
    }

    private func read<Value>(_ text: String, _ format: ValueFormat<Value>) -> Value? {
        try? format.parse(text, ValueContext(folder: "/"))
    }

    private func hint<Value>(_ text: String, _ format: ValueFormat<Value>) -> String? {
        do throws(InvalidValue) {
            _ = try format.parse(text, ValueContext(folder: "/"))
            return nil
        } catch {
            return error.hint
        }
    }

    @Test(arguments: [
        ("wss://a.example", "it is the page's address that counts: http:// or https://"),
        ("https://a.example:443", "did you mean https://a.example?"),
        ("http://a.example/", "did you mean http://a.example?"),
        ("a.example", "did you mean https://a.example?"),
        ("https://ä.example", "write the host as browsers send it: xn--…"),
        ("https://a.example/app", "an origin has no path: https://a.example"),
    ])
    func originHints(_ text: String, _ expected: String) {
        #expect(hint(text, .origin) == expected)
    }

    @Test(arguments: [
        ("10", "it needs a unit: 10/s, 10/m or 10/h"), ("none", "did you mean off?"),
        ("0.5/s", "whole numbers only; a slow rate has a longer unit, such as 30/m"),
    ])
    func rateHints(_ text: String, _ expected: String) {
        #expect(hint(text, .rateOrOff) == expected)
    }

    @Test(arguments: [
        "http://localhost:3000", "https://app.example.org/hooks/x?a=b&c=d", "http://[::1]:1/", "https://10.0.0.1?x",
    ])
    func webhookURL(_ text: String) {
        #expect(read(text, .webhookURL) == text)
    }

    @Test(arguments: [
        "", "ftp://a/", "https://", "https:///x", "app.example.org", "https://u:p@host/", "https://host/#f",
        "https://a b/",
        "https://host/x y", "https://host:0/", "https://host/?a b", "https://host/../x", "unix:/run/x",
    ])
    func noWebhookURL(_ text: String) {
        #expect(read(text, .webhookURL) == nil)
    }
}
