import Model
import Testing

@testable import ConfigurationFile

/// The table against the configuration, and the documents against the table.
@Suite struct SchemaTests {
    private let schema = ConfigurationSchema.current

    /// Fields below a value, by their paths: those of sections one by one, all others as they are.
    private func fields(of value: Any, _ section: String) -> [String] {
        Mirror(reflecting: value).children.flatMap { child in
            let name = section.isEmpty ? child.label ?? "" : "\(section).\(child.label ?? "")"
            return schema.isSection(name) ? fields(of: child.value, name) : [name]
        }
    }

    /// What a part has, and the file does not.
    private let withoutKey: Set = [
        "rooms.defaults.match", "webhooks.disconnect.onFailure", "webhooks.roomEmpty.onFailure",
    ]

    @Test func everyFieldHasItsKey() {
        let fields = fields(of: WsdConfiguration(), "").filter { !withoutKey.contains($0) }
        #expect(Set(schema.keys.map(\.name)) == Set(fields))
        #expect(schema.keys.count == fields.count)
        #expect(Set(schema.keys.map(\.section)).subtracting([""]) == Set(schema.sections.map(\.name)))
    }

    @Test func everyFieldOfAnEntryHasItsKey() {
        let entries: [(String, Any)] = [
            ("rooms.rules", RoomRule()), ("api.keys", APIKey()), ("routes", RouteConfiguration()),
        ]
        for (key, fresh) in entries {
            let leaves = schema.key(key)?.entries?.fields.map(\.leaf) ?? []
            #expect(Set(leaves) == Set(Mirror(reflecting: fresh).children.map { $0.label ?? "" }))
            #expect(Set(leaves).count == leaves.count)
        }
    }

    @Test func sectionsFollowTheOneTheyLieIn() {
        for (index, section) in schema.sections.enumerated() where !section.parent.isEmpty {
            let before = schema.sections[index - 1]
            #expect(before.name == section.parent || before.parent == section.parent)
        }
        for section in schema.sections {
            guard let like = section.like else { continue }
            let known = Set(schema.keys(in: like).map(\.leaf))
            #expect(schema.keys(in: section.name).allSatisfy { known.contains($0.leaf) })
        }
    }

    @Test func namesAreUnique() {
        let variables = schema.keys.map(\.variable) + EnvironmentLayer.others
        #expect(Set(variables).count == variables.count)
        #expect(SchemaKey.variable(for: "websocket.maxMessageSize") == "WSD_WEBSOCKET_MAX_MESSAGE_SIZE")
        #expect(SchemaKey.variable(for: "http.publicURL") == "WSD_HTTP_PUBLIC_URL")
    }

    @Test func everyFlagOfAKeyIsRead() {
        let flags = ConfigurationFlags {
            $0.mode = "prod"
            $0.listen = ["1"]
            $0.workers = "1"
            $0.socket = "/s"
            $0.logLevel = "info"
            $0.logFormat = "json"
        }
        let layer = FlagLayer(flags, schema: schema, context: ValueContext(folder: "/"))
        #expect(Set(layer.assignments.map(\.key.name)) == Set(schema.keys.filter { !$0.flags.isEmpty }.map(\.name)))
        #expect(layer.assignments.allSatisfy { $0.key.flags.contains($0.origin.text) })
    }

    /// What `wsctl config` shows can be put into a file.
    @Test func everyTextReadsBack() throws {
        let environment = [
            "WSD_MODE": "prod", "WSD_WORKERS_COUNT": "3", "WSD_WORKERS_MAX_MEMORY": "1.5G",
            "WSD_RESTART_FACTOR": "1.25",
            "WSD_WEBSOCKET_ECHO": "on", "WSD_HTTP_STATIC_FOLDER": "a b\"\\\u{1}c",
            "WSD_HTTP_PUBLIC_URL": "wss://[::1]:1/x",
            "WSD_HTTP_TRUSTED_PROXIES": "::1,10.0.0.0/8", "WSD_SOCKET": "~", "WSD_CONTROL_GROUP": "7",
            "WSD_SHUTDOWN_TIMEOUT": "90s", "WSD_LIMITS_ORIGINS": "https://*.example.org, same-host",
            "WSD_LIMITS_MESSAGE_RATE": "off", "WSD_LIMITS_USER_RATE": "90/h", "WSD_ROOMS_DEFAULTS_JOIN": "users",
            "WSD_ROOMS_DEFAULTS_HISTORY_TTL": "365h", "WSD_ROOMS_DEFAULTS_HISTORY_SIZE": "5",
            "WSD_AUTH_COOKIE": "token", "WSD_AUTH_QUERY_PARAMETER": "none", "WSD_AUTH_AUDIENCE": "a, \"b\"",
            "WSD_WEBSOCKET_COMPRESSION_ENABLED": "1",
            "WSD_ROOMS_RULES": "[{match: 'a\"*', rate: off, historyTTL: 2m}, {join: nobody, match: b}]",
        ]
        let loaded = try load(environment: environment)
        var text = ""
        for entry in loaded.entries where !entry.key.contains(".") { text += "\(entry.key): \(entry.value)\n" }
        for section in schema.sections {
            let indent = String(repeating: "  ", count: section.depth)
            text += "\(indent)\(section.leaf):\n"
            for key in schema.keys(in: section.name) {
                text += "\(indent)  \(key.leaf): \(loaded.value(key.name) ?? "")\n"
            }
        }
        #expect(try load(text).configuration == loaded.configuration)
        #expect(
            loaded.value("rooms.rules")
                == "[{match: \"a\\\"*\", historyTTL: 2m, rate: off}, {match: b, join: nobody}]")
    }

    @Test func everyExampleOfAListIsRight() throws {
        for key in schema.keys {
            guard let entries = key.entries else { continue }
            let lines = entries.example.split(separator: "\n").map { "    \($0)\n" }.joined()
            let parents = key.section.isEmpty ? "" : "\(key.section):\n  "
            let loaded = try load("\(parents)\(key.leaf):\n\(lines)")
            #expect(loaded.source(key.name) == (key.section.isEmpty ? "wsd.yaml:2" : "wsd.yaml:3"))
            #expect(loaded.value(key.name) != "[]")
        }
    }

    @Test func secretsAreNeverShown() throws {
        let secret = SchemaKey(
            "http.publicURL", \.http.publicURL, ValueFormat.webSocketURL.orWord("auto"), secret: true, "A secret.")
        var schema = schema
        schema.keys = schema.keys.map { $0.name == secret.name ? secret : $0 }
        let shown = try ConfigurationFileTests.load("http:\n  publicURL: wss://hidden\n", schema: schema)
        let entry = try #require(shown.entries.first { $0.key == secret.name })
        #expect(
            entry
                == LoadedEntry(
                    key: secret.name, value: "********", source: "wsd.yaml:2", reloadable: true, secret: true))
        #expect(shown.configuration.http.publicURL == "wss://hidden")
        #expect(try ConfigurationFileTests.load("", schema: schema).value(secret.name) == "auto")
        for value in ["hidden", "[hidden]", "{hidden: 1}"] {
            let error = try #require(throws: ConfigurationErrors.self) {
                try ConfigurationFileTests.load("http:\n  publicURL: \(value)\n", schema: schema)
            }
            #expect(error.description.hasPrefix("wsd.yaml:2:14: http.publicURL "))
            #expect(!error.description.contains("hidden"))
        }
    }

    @Test func theExampleChangesNothing() throws {
        #expect(try load(ExampleFile.text()).configuration == WsdConfiguration())
    }

    @Test func theExampleShowsEveryDefault() throws {
        let lines = ExampleFile.text().split(separator: "\n", omittingEmptySubsequences: false)
        var count = 0
        let uncommented = lines.map { line -> String in
            let body = line.drop { $0 == " " }
            guard body.first == "#", let next = body.dropFirst().first, next != " " else { return String(line) }
            count += 1
            return String(line.prefix { $0 == " " }) + body.dropFirst()
        }
        let loaded = try load(uncommented.joined(separator: "\n"))
        #expect(loaded.configuration == WsdConfiguration())
        #expect(count == schema.keys.count)
        #expect(loaded.entries.allSatisfy { $0.source.hasPrefix("wsd.yaml:") })
        #expect(lines.allSatisfy { $0.count <= 120 })
    }

    @Test func theExampleIsWhatTheTableMakes() throws {
        try compare("wsd.example.yaml", ExampleFile.text(), "--print-example-config")
    }

    @Test func theReferenceIsWhatTheTableMakes() throws {
        try compare("docs/configuration.md", Reference.text(), "--print-config-reference")
    }

    private func compare(_ path: String, _ expected: String, _ flag: String) throws {
        let same = try projectFile(path) == expected
        #expect(same, "\(path) is out of date; write it anew: wsd \(flag) > \(path)")
    }
}
