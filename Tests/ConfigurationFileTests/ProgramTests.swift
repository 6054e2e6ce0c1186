import Model
import Testing

@testable import ConfigurationFile

/// Entries of `programs` in the file.
@Suite struct ProgramTests {
    private func program(_ lines: String) throws -> ProgramConfiguration {
        try #require(load("programs:\n  - name: api\n\(lines)").configuration.programs.first)
    }

    private func fault(_ lines: String) -> [String] {
        problems("programs:\n  - {name: db, command: x}\n  - name: api\n    command: x\n    \(lines)")
            .map { String($0.drop { $0 != " " }.dropFirst()) }
    }

    @Test func everyKeyIsRead() throws {
        let read = try program(
            """
                command: [node, "server.js", ""]
                instances: max
                autostart: no
                folder: app
                environment: {PORT: 3000, EMPTY: "", TEXT: "a=b c"}
                environmentFiles: [.env, -/etc/default/api]
                listen: [9000, "unix:/run/api.sock"]
                user: app
                group: 100
                umask: 027
                nice: -5
                limits: [nofile=1024:4096, core=unlimited, as=2GiB]
                restart: on-failure
                stopExitCodes: [0, 64]
                restartDelay: 1s
                restartMaxDelay: 2m
                restartFactor: 1.5
                stableAfter: 0
                maxUnstable: 3
                stopSignal: INT
                stopTimeout: 1m
                ready: log:listening on
                readyTimeout: 1m
                alive: http://3000/healthz?full=1
                aliveInterval: 1s
                aliveTimeout: 200ms
                aliveFailures: 2
                maxMemory: 512MiB
                watch: [., ../lib/, /etc/api.conf]
                watchIgnore: ["*.log", dist/**]
                watchDelay: 1s
                cron: 30 4 * * mon
                dependsOn: db
                restartsWith: [db]
              - {name: db, command: x}
            """)
        var expected = ProgramConfiguration()
        expected.name = "api"
        expected.command = ["node", "server.js", ""]
        (expected.instances, expected.autostart, expected.folder) = (nil, false, "/srv/app/app")
        expected.environment = ["PORT=3000", "EMPTY=", "TEXT=a=b c"]
        expected.environmentFiles = ["/srv/app/.env", "-/etc/default/api"]
        expected.listen = [.tcp(host: nil, port: 9000), .unix(path: "/run/api.sock")]
        (expected.user, expected.group, expected.umask, expected.nice) = ("app", "100", 0o27, -5)
        expected.limits = [
            ProgramLimit(resource: "nofile", soft: 1024, hard: 4096),
            ProgramLimit(resource: "core", soft: nil, hard: nil),
            ProgramLimit(resource: "as", soft: 2 << 30, hard: 2 << 30),
        ]
        (expected.restart, expected.stopExitCodes) = (.onFailure, [0, 64])
        expected.backoff.initialDelay = .seconds(1)
        expected.backoff.maxDelay = .seconds(120)
        (expected.backoff.factor, expected.backoff.stableAfter, expected.backoff.maxUnstable) = (1.5, .zero, 3)
        (expected.stopSignal, expected.stopTimeout) = (2, .seconds(60))
        (expected.ready, expected.readyTimeout) = (.log("listening on"), .seconds(60))
        expected.alive = .http(.tcp(host: "127.0.0.1", port: 3000, tls: false), path: "/healthz?full=1")
        (expected.aliveInterval, expected.aliveTimeout) = (.seconds(1), .milliseconds(200))
        (expected.aliveFailures, expected.maxMemory) = (2, 512 << 20)
        expected.watch = ["/srv/app", "/srv/app/../lib", "/etc/api.conf"]
        (expected.watchIgnore, expected.watchDelay) = (["*.log", "dist/**"], .seconds(1))
        expected.cron = try CronSchedule("30 4 * * mon")
        (expected.dependsOn, expected.restartsWith) = (["db"], ["db"])
        #expect(read == expected)
        // What goes on in the state directory, and over the control socket, is the same program.
        #expect(try ProgramEntry.parse(json: ProgramEntry.text(read), defaults: nil) == read)
    }

    @Test func allButTwoKeysHaveDefaults() throws {
        var expected = ProgramConfiguration()
        (expected.name, expected.command, expected.folder) = ("api", ["node", "a b.js"], "/srv/app")
        #expect(try program("    command: node 'a b.js'") == expected)
        #expect(
            try load(environment: ["WSD_PROGRAMS": "{name: api, command: [\"node\", 'a b.js']}"]).configuration.programs
                == [expected])
    }

    @Test func everyFieldHasItsKey() {
        let fields = Mirror(reflecting: ProgramConfiguration()).children.compactMap(\.label).filter { $0 != "backoff" }
        let backoff = ["restartDelay", "restartMaxDelay", "restartFactor", "stableAfter", "maxUnstable"]
        let leaves = ConfigurationSchema.program.map(\.leaf)
        #expect(Set(leaves) == Set(fields + backoff) && leaves.count == Set(leaves).count)
        let synonyms = ConfigurationSchema.current.key("programs")?.entries?.synonyms ?? [:]
        #expect(synonyms.allSatisfy { leaves.contains($1) && $0 == $0.lowercased() })
    }

    @Test(arguments: [
        ("node server.js", ["node", "server.js"]), ("  a \t b\n", ["a", "b"]),
        ("sh -c 'a && b > \"$C\"'", ["sh", "-c", "a && b > \"$C\""]), ("a\\ b \"\" ''", ["a b", "", ""]),
        ("\"a \\\"b\\\" \\n\" c'd'e", ["a \"b\" \\n", "cde"]), ("curl http://a/?b=c#d", ["curl", "http://a/?b=c#d"]),
        ("\\$HOME '~'", ["$HOME", "~"]), ("ls a~", ["ls", "a~"]), ("é 'ü'", ["é", "ü"]),
    ])
    func commandsAreSplitAsByAShell(_ text: String, _ words: [String]) throws {
        #expect(try CommandWords.split(text) == words)
    }

    @Test func aLongWordTakesNoLongerThanItIs() throws {
        // In place: a copy for each character takes minutes.
        let word = String(repeating: "a\\ ", count: 300_000)
        #expect(try CommandWords.split(word)[0].utf8.count == 600_000)
    }

    @Test(arguments: [
        ("a | b", "there is no shell, to which | means something: put it in single quotes, or write sh -c 'a | b'"),
        ("echo $HOME", "there is no shell, to which $ means something"),
        ("echo \"`id`\"", "there is no shell, to which ` means something"),
        ("cat *.log", "there is no shell, to which * means something"),
        ("~/bin/api", "there is no shell, to which ~ means something"),
        ("it's; x", "a quote is not closed"), ("a \"b\\", "a quote is not closed"), ("a\\", "a backslash ends it"),
        (" ", "it is empty"), ("PORT=1 node a", "PORT belongs to environment"),
    ])
    func commandsThatNeedMore(_ text: String, _ hint: String) {
        let error = #expect(throws: InvalidValue.self) { try CommandWords.split(text) }
        #expect(error?.hint?.hasPrefix(hint) == true)
    }

    @Test(arguments: [
        (
            "stopSignal: SIGFOO",
            "programs[1] (api).stopSignal is `SIGFOO`; it must be a signal such as SIGTERM, INT or 15"
        ),
        (
            "stopSignal: STOP",
            "programs[1] (api).stopSignal is `STOP`; it must be a signal such as SIGTERM, INT or 15; no process ends by it"
        ),
        (
            "instances: 0",
            "programs[1] (api).instances is `0`; it must be a whole number from 1 to 256, or max (one for each core); "
                + "one for each core is max; a program that is not to start has autostart: false"
        ),
        (
            "restart: true",
            "programs[1] (api).restart is `true`; it must be always, on-failure or never; did you mean always?"
        ),
        (
            "limits: [LimitNOFILE=1]",
            "programs[1] (api).limits holds `LimitNOFILE=1`; it must be a list of limits such as nofile=4096, "
                + "nofile=1024:4096 (soft and hard) or core=unlimited, or name: value for each; did you mean nofile?"
        ),
        (
            "cron: 61 * * * *",
            "programs[1] (api).cron is `61 * * * *`; it must be five fields as in crontab(5), such as \"30 4 * * *\", "
                + "or @daily; the minute of a schedule"
        ),
        ("cwd: /srv", "programs[1] (api) has no key `cwd`; did you mean folder?"),
        ("WorkingDirectory: /srv", "programs[1] (api) has no key `WorkingDirectory`; did you mean folder?"),
        ("max_memory_restart: 1G", "programs[1] (api) has no key `max_memory_restart`; did you mean maxMemory?"),
        ("env: {A: b}", "programs[1] (api) has no key `env`; did you mean environment?"),
        (
            "environment: {A: }",
            "A in programs[1] (api).environment must be text; write \"\" for an empty one"
        ),
        (
            "ready: 1h",
            "programs[1] (api).ready (1h) must be less than readyTimeout (30s), or no process would ever be ready"
        ),
        (
            "restartDelay: 1m",
            "programs[1] (api).restartMaxDelay (15s) must be at least restartDelay (1m)"
        ),
        (
            "dependsOn: [dp, api]",
            "programs[1] (api).dependsOn names the program itself"
        ),
        (
            "restartsWith: dbs",
            "programs[1] (api).restartsWith names `dbs`, which is no entry of programs; did you mean db?"
        ),
        ("listen: 8080", "programs[1] (api).listen holds :8080, which wsd itself (listen) listens on"),
        ("listen: 0", "programs[1] (api).listen holds port 0; nobody would know where to connect"),
        ("environment: [A=1, A=2]", "programs[1] (api).environment sets A twice"),
    ])
    func faults(_ line: String, _ expected: String) {
        #expect(fault(line).first?.hasPrefix(expected) == true, "\(fault(line))")
    }

    @Test func namesAreUniqueAndDependenciesEnd() {
        #expect(
            problems("programs: [{name: a, command: x}, {name: a, command: y}]") == [
                "wsd.yaml:1:42: programs[1] has the name a, as programs[0] has"
            ])
        let circle = ["c: [a]", "a: [b]", "b: [d, c]", "d: []"].map { line in
            "  - {name: \(line.prefix(1)), command: x, dependsOn: \(line.dropFirst(3))}\n"
        }
        #expect(
            problems("programs:\n\(circle.joined())") == [
                "wsd.yaml:2:38: programs[0] (c).dependsOn leads to a circle, which could never start: c → a → b → c"
            ])
        let names = problems("programs: [{name: workers, command: x}, {name: 12, command: x}, {name: a b, command: x}]")
        #expect(names.count == 3)
        #expect(names.first?.hasSuffix("workers means something else where a program is named") == true)
        #expect(names.dropFirst().first?.hasSuffix("digits alone are a program's number") == true)
        #expect(
            problems("programs:\n  api:\n    command: x") == [
                "wsd.yaml:2:3: programs is a list: write `- name: api`, and the rest right below name"
            ])
    }

    @Test func aManagerOfProgramsAloneLeavesThePortToThem() {
        let text =
            "workers: {count: 0}\nprograms: [{name: a, command: x, listen: 8080}, {name: b, command: x, listen: 8080}]"
        #expect(problems(text).map { $0.hasSuffix("which programs[0] (a) listens on") } == [true])
    }

    @Test(arguments: [
        "- {name: a, command: x, environment: {KEY: hidden}, restart: 1}",
        "- {name: a, command: x, env: {KEY: hidden}}", "- name: a\n    command: x\n    env: KEY=hidden",
        "- name: a\n    command: x\n    environment: {LISTEN_FDS: hidden}",
        "- name: a\n    command: x\n    environment: [hidden]", "- {name: a, environment: {KEY: hidden}}",
        "- name: a\n    command: x\n    environment: {KEY: hidden, KEY2: }",
    ])
    func valuesOfVariablesAreNotShown(_ entry: String) throws {
        let error = try #require(throws: ConfigurationErrors.self) { try load("programs:\n  \(entry)") }
        #expect(!error.description.contains("hidden"), "\(error)")
    }

    @Test func aConfigurationIsShownWithoutThem() throws {
        let loaded = try load("programs: {name: a, command: [x, -y], environment: {KEY: hidden}}")
        #expect(
            loaded.value("programs")
                == "[{name: a, command: [x, \"-y\"], folder: /srv/app, environment: [\"KEY=********\"]}]")
    }

    @Test(arguments: [
        "tcp://127.0.0.1:3000", "tcp://[::1]:80", "http://127.0.0.1:3000/", "http://app.internal/healthz?a=b",
        "unix:/run/app.sock:/healthz", "unix:/run/app.sock:/a:/b", "notify", "log:a: b", "0", "1500ms",
    ])
    func readinessReadsBack(_ text: String) throws {
        let format = ValueFormat<ProgramReadiness>.readiness
        #expect(try format.text(format.parse(text, ValueContext(folder: "/"))) == text)
    }

    @Test(arguments: [
        ("3000", "did you mean tcp://127.0.0.1:3000?"), ("localhost:80", "did you mean tcp://localhost:80?"),
        ("/healthz", "it needs an address: http://127.0.0.1:3000/healthz"),
        ("https://a/b", "it does not speak TLS: ask a plain port, or tcp:// for connecting alone"),
        ("tcp://db", "it needs a port: tcp://db:3000"),
        ("unix:/run/a.sock", "it needs the path to ask for: unix:/run/a.sock:/healthz"),
        ("http://a/b c", "its path holds what a request cannot"), ("http://a@b/", "no user and password"),
        ("tcp://127.0.0.1:0", nil), ("http://", nil), ("ftp://a", nil), ("unix:run:/a", nil),
    ])
    func wrongProbes(_ text: String, _ hint: String?) {
        let error = #expect(throws: InvalidValue.self) {
            try ValueFormat<ProgramProbe>.probe.parse(text, ValueContext(folder: "/"))
        }
        #expect(error?.hint == hint)
    }

    @Test func signalsHaveNames() {
        for number in Array(Int32(1)...31) + Array(Int32(34)...64) {
            #expect(SignalName.text(number).flatMap(SignalName.number) == number)
        }
        #expect(SignalName.number("sigusr1") == 10 && SignalName.number("9") == 9)
        #expect(SignalName.text(37) == "SIGRTMIN+3" && SignalName.number("RTMIN") == 34)
        for wrong in ["", "0", "32", "65", "SIG", "-1", "RTMIN+31", "RTMIN-1", "9999999999"] {
            #expect(SignalName.number(wrong) == nil)
        }
    }

    @Test func aReloadChangesThem() throws {
        let (old, new) = try (
            load("programs: {name: a, command: x, environment: {A: 1}}").configuration,
            load("programs: {name: a, command: x, environment: {A: 2}}").configuration
        )
        #expect(ConfigurationLoader.differences(old, new) == (["programs"], []))
        #expect(ConfigurationLoader.reloaded(old, to: new).programs.first?.environment == ["A=2"])
    }

    @Test func whatSaysNothingIsDoubted() throws {
        let loaded = try load(
            """
            programs:
              - {name: a, command: x, folder: /, aliveFailures: 2, watchDelay: 1s, dependsOn: b}
              - {name: b, command: x, folder: /nowhere, autostart: off, alive: tcp://1, instances: 2}
            """)
        #expect(
            loaded.warnings.map { String($0.prefix(45)) } == [
                "programs[0] (a).aliveInterval, aliveTimeout a", "programs[0] (a).watchIgnore and watchDelay sa",
                "programs[0] (a).dependsOn: it waits until som", "programs[1] (b).folder: /nowhere cannot be en",
                "programs[1] (b).alive asks the same address f",
            ])
    }
}
