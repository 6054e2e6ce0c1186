import Testing

@testable import ConfigurationFile
@testable import Model

/// The entries of `onEvent`.
@Suite struct EventHookTests {
    @Test func hooksAreRead() throws {
        let loaded = try load(
            """
            onEvent:
              - events: [process.failed, "*.exited"]
                programs: api
                run: bin/page "some body"
                rateLimit: 6/h burst 2
                timeout: 5s
              - {events: "worker.*", url: "https://chat.example.org/hooks/1?x=secret"}
            """)
        let hooks = loaded.configuration.onEvent
        #expect(hooks.map { $0.events.map(\.description) } == [["process.failed", "*.exited"], ["worker.*"]])
        #expect(hooks[0].run == ["/srv/app/bin/page", "some body"])
        #expect(hooks[0].programs == ["api"])
        #expect(hooks[0].rateLimit == RateLimit("6/h burst 2"))
        #expect(hooks[0].timeout == .seconds(5))
        #expect(hooks[1].run == [])
        #expect(hooks[1].rateLimit == RateLimit("20/m burst 20"))
        #expect(loaded.value("onEvent")?.contains("secret") == false)
        #expect(loaded.value("onEvent")?.contains("events: [\"worker.*\"]") == true)
    }

    @Test func whatCannotWorkIsSaid() {
        for (entry, hint) in [
            ("{events: process.exit, run: x}", "did you mean process.exited?"),
            ("{events: [], run: x}", "events is empty"), ("{events: '*'}", "give either run or url"),
            ("{events: '*', run: x, url: 'http://a/b'}", "give either run or url, not both"),
            ("{run: x}", "events"), ("{events: '*', script: x}", "did you mean run?"),
            ("{events: '*', run: x, rateLimit: 5}", "it needs a unit"),
            ("{events: '*', url: chat}", "it must be an address"),
        ] {
            let shown = problems("onEvent:\n  - \(entry)").joined(separator: "\n")
            #expect(shown.contains(hint), "\(entry): \(shown)")
        }
    }

    @Test func aProgramThatIsProbablyMistypedIsADoubt() throws {
        let loaded = try load(
            """
            programs: [{name: api, command: node}]
            onEvent: [{events: "*", programs: [apj, mails], run: x}]
            """)
        #expect(loaded.warnings.contains { $0.contains("did you mean api?") })
        #expect(loaded.warnings.allSatisfy { !$0.contains("mails") })
    }
}
