import Model
import Testing

@testable import ConfigurationFile

/// Lists of mappings: `rooms.rules` and `api.keys`.
@Suite struct EntryTests {
    private let hash = String(repeating: "0aB3", count: 16)

    @Test func rulesAreRead() throws {
        let loaded = try load(
            """
            rooms:
              defaults: {join: anyone, historySize: 10, rate: 1/s}
              rules:
                - match: "chat:*"
                  join: users
                  publish: granted
                  presence: nobody
                  history: anyone
                  publishNeedsMembership: true
                  historySize: 100
                  historyTTL: 24h
                  rate: 5/s burst 10
                  autoRead: on
                  webhooks: off
                - {match: "user:{user}", rate: off}
            """)
        let rooms = loaded.configuration.rooms
        var first = RoomRule(match: "chat:*")
        (first.join, first.publish, first.presence, first.history) = (.users, .granted, .nobody, .anyone)
        (first.publishNeedsMembership, first.autoRead, first.webhooks) = (true, true, false)
        (first.historySize, first.historyTTL) = (100, .seconds(86_400))
        first.rate = RateLimit(perSecond: 5, burst: 10)
        var second = RoomRule(match: "user:{user}")
        second.rate = .off
        #expect(rooms.rules == [first, second])
        #expect(rooms.defaults.join == .anyone)
        #expect(rooms.defaults.historySize == 10)
        #expect(rooms.defaults.rate == RateLimit(perSecond: 1, burst: 2))
        #expect(rooms.defaults.publish == nil)
        #expect(loaded.source("rooms.rules") == "wsd.yaml:4")
        #expect(loaded.source("rooms.defaults.rate") == "wsd.yaml:2")
    }

    @Test func aListOfOneNeedsNoDash() throws {
        #expect(try load("rooms:\n  rules: {match: a}").configuration.rooms.rules == [RoomRule(match: "a")])
        #expect(try load("rooms:\n  rules: []").configuration.rooms.rules == [])
    }

    @Test func keysAreReadAndTheirHashesHidden() throws {
        let loaded = try load(
            "api:\n  keys:\n    - {name: web, sha256: \(hash)}\n    - name: ops\n"
                + "      sha256: '\(String(repeating: "1", count: 64))'\n      allow: [observe, manage]")
        let keys = loaded.configuration.api.keys
        #expect(keys.map(\.name) == ["web", "ops"])
        #expect(keys[0].sha256 == hash.lowercased())
        #expect(keys.map(\.allow) == [[.publish, .manage, .observe], [.observe, .manage]])
        #expect(
            loaded.value("api.keys") == "[{name: web, sha256: \"********\"}, "
                + "{name: ops, sha256: \"********\", allow: [observe, manage]}]")
    }

    @Test(arguments: [
        ("[{match: a, jion: users}]", "2:22: rooms.rules[0] has no key `jion`; did you mean join?"),
        (
            "[{match: a, zebra: 1}]",
            "2:22: rooms.rules[0] has no key `zebra`; its keys are match, join, publish, presence, history, "
                + "publishNeedsMembership, historySize, historyTTL, rate, autoRead, webhooks"
        ),
        (
            "[{match: a}, {join: users}]",
            "2:23: rooms.rules[1] lacks match: a pattern over room names such as \"chat:*\" or \"user:{user}\""
        ),
        (
            "[{match: a, join: user}]",
            "2:28: rooms.rules[0].join is `user`; it must be anyone, users, granted or nobody; did you mean users?"
        ),
        (
            "[{match: a, historySize: [1]}]",
            "2:35: rooms.rules[0].historySize takes one value, not a list; it must be "
                + "a whole number from 0 to 1,000,000"
        ),
        (
            "[{match: a, historySize: }]",
            "2:35: rooms.rules[0].historySize has no value; it must be a whole number from 0 to "
                + "1,000,000, or leave the line out"
        ),
        (
            "[{match: a, rate: 10}]",
            "2:28: rooms.rules[0].rate is `10`; it must be a rate such as 10/s burst 20, 600/m or 30/h, "
                + "or off; it needs a unit: 10/s, 10/m or 10/h"
        ),
        ("[a]", "2:11: rooms.rules[0] must consist of keys and values, such as `match: …`"),
        ("a", "2:10: rooms.rules must be a list of rules, each with match and what differs from rooms.defaults"),
        (
            "",
            "2:9: rooms.rules has no value; it must be a list of rules, each with match and what differs from "
                + "rooms.defaults, or leave the line out"
        ),
        ("[{[a]: 1, match: b}]", "2:12: a key must be a word"),
        ("[{match: 'a', match: b}]", "2:12: `match` is set twice; a key stands once"),
        (
            "[{match: 'x:{userId}'}]",
            "2:19: rooms.rules[0].match is `x:{userId}`; it must be a pattern over room names such as "
                + "\"chat:*\" or \"user:{user}\"; did you mean {user}?"
        ),
    ])
    func faults(_ value: String, _ expected: String) {
        #expect(problems("rooms:\n  rules: \(value)") == ["wsd.yaml:\(expected)"])
    }

    @Test func everyFaultOfAListIsReported() {
        let found = problems("rooms:\n  rules:\n    - {match: a, join: x, publish: y}\n    - {match: b, rate: z}")
        #expect(found.map { String($0.prefix(13)) } == ["wsd.yaml:3:24", "wsd.yaml:3:36", "wsd.yaml:4:24"])
    }

    @Test func whatCannotBeReadHidesNoOtherFault() {
        let found = problems("rooms:\n  rules:\n    - {mach: a, publish: [b]}\n    - a\n    - {match: \"*\", rate: 5}")
        #expect(
            found.map { String($0.prefix(34)) } == [
                "wsd.yaml:3:8: rooms.rules[0] has n", "wsd.yaml:3:26: rooms.rules[0].publ",
                "wsd.yaml:3:7: rooms.rules[0] lacks", "wsd.yaml:4:7: rooms.rules[1] must ",
                "wsd.yaml:5:26: rooms.rules[2].rate",
            ])
    }

    @Test func thereIsALimit() {
        let rules = (0...EntrySchema.max).map { "    - match: room\($0)\n" }
        #expect(problems("rooms:\n  rules:\n\(rules.dropLast().joined())") == [])
        #expect(
            problems("rooms:\n  rules:\n\(rules.joined())") == ["wsd.yaml:3:5: rooms.rules holds more than 256 entries"]
        )
    }

    @Test(arguments: [
        ("a", "a", "rooms.rules[1] and rooms.rules[0] are both about `a`; only the first would hold"),
        (
            "chat:*", "chat:secret",
            "rooms.rules[1] would never hold: rooms.rules[0] is about `chat:*`, which fits all of its "
                + "rooms; put the narrower rule first"
        ),
        (
            "*", "chat:*",
            "rooms.rules[1] would never hold: rooms.rules[0] is about `*`, which fits all of its rooms; put the "
                + "narrower rule first"
        ),
        (
            "u:{user}", "u:*",
            "rooms.rules[1] would never hold: rooms.rules[0] is about `u:{user}`, which fits all of its rooms; "
                + "put the narrower rule first"
        ),
    ])
    func aRuleBehindAWiderOneIsRefused(_ first: String, _ second: String, _ message: String) {
        let text = "rooms:\n  rules:\n    - match: '\(first)'\n    - match: '\(second)'"
        #expect(problems(text) == ["wsd.yaml:4:14: \(message)"])
    }

    @Test(arguments: [("chat:secret", "chat:*"), ("a*b", "a*"), ("a*", "b*"), ("x{us*", "x{user}"), ("*a", "*")])
    func narrowerRulesMayComeFirst(_ first: String, _ second: String) {
        #expect(problems("rooms:\n  rules:\n    - match: '\(first)'\n    - match: '\(second)'") == [])
    }

    @Test func keysOfTheAPIAreUnique() {
        let other = String(repeating: "1", count: 64)
        let text =
            "api:\n  keys:\n    - {name: a, sha256: \(hash)}\n    - {name: a, sha256: '\(other)'}\n"
            + "    - {name: b, sha256: \(hash)}"
        #expect(
            problems(text) == [
                "wsd.yaml:4:14: api.keys[1] has the name a, as api.keys[0] has",
                "wsd.yaml:5:25: api.keys[2] (b) and api.keys[0] (a) are the same key",
            ])
    }

    @Test func aKeyIsGoodForSomething() {
        #expect(
            problems("api:\n  keys: {name: a, sha256: \(hash), allow: []}") == [
                "wsd.yaml:2:100: api.keys[0] (a) may do nothing: allow is empty"
            ])
    }

    /// A key that stands where its hash belongs is not told on.
    @Test(arguments: [
        "{name: a, sha256: wsd_hidden}", "{name: a, sha265: wsd_hidden}", "{name: a b, sha256: wsd_hidden}",
        "wsd_hidden",
        "{name: a, sha256: [wsd_hidden]}", "{name: a, sha256: {wsd_hidden: 1}}", "{name: a, sha256: , key: wsd_hidden}",
        "{name: , sha256: wsd_hidden}",
    ])
    func linesWithKeysAreNotShown(_ entry: String) throws {
        for (text, environment) in [("api:\n  keys: [\(entry)]", [:]), (nil, ["WSD_API_KEYS": "[\(entry)]"])] {
            let error = try #require(throws: ConfigurationErrors.self) { try load(text, environment: environment) }
            #expect(!error.description.contains("wsd_hidden"))
        }
    }

    @Test func variablesAndFlagsHoldYAML() throws {
        let environment = ["WSD_ROOMS_RULES": "- match: a\n  join: nobody\n- match: b"]
        let flags = ConfigurationFlags { $0.settings = ["rooms.rules=[{match: c}]"] }
        #expect(try load(environment: environment).configuration.rooms.rules.map(\.match) == ["a", "b"])
        let loaded = try load("rooms: {rules: [{match: d}]}", environment: environment, flags: flags)
        #expect(loaded.configuration.rooms.rules == [RoomRule(match: "c")])
        #expect(loaded.source("rooms.rules") == "--set rooms.rules")
        let none = try load("rooms: {rules: [{match: d}]}", environment: ["WSD_ROOMS_RULES": "none"])
        #expect(none.configuration.rooms.rules == [])
    }

    @Test(arguments: [
        ("[{match: a, jion: b}]", "1:13: rooms.rules[0] has no key `jion`; did you mean join?"),
        (
            "[{match: a",
            "2:1: not valid YAML: a list in brackets is not closed, or text with brackets or a comma is not in quotes"
        ),
        (
            "#",
            " rooms.rules has no value; it must be a list of rules, each with match and what differs from rooms.defaults, or none"
        ),
    ])
    func faultsOfVariables(_ value: String, _ expected: String) {
        #expect(
            problems("mode: dev", environment: ["WSD_ROOMS_RULES": value]) == [
                "environment WSD_ROOMS_RULES:\(expected)"
            ])
    }
}
