import Model
import Testing

@testable import ConfigurationFile

/// Which source of a value wins.
@Suite struct LayerTests {
    @Test func flagsBeatVariablesBeatTheFileBeatsDefaults() throws {
        let text = "workers: {count: 2}\nlog: {level: debug}\nrooms: {announceMax: 1}"
        let environment = ["WSD_WORKERS_COUNT": "3", "WSD_LOG_LEVEL": "error", "WSD_ROOMS_MAX_PER_CLIENT": ""]
        let loaded = try load(text, environment: environment, flags: ConfigurationFlags { $0.workers = "4" })
        #expect(loaded.configuration.workers.count == 4)
        #expect(loaded.configuration.log.level == .error)
        #expect(loaded.configuration.rooms.announceMax == 1)
        #expect(loaded.source("workers.count") == "--workers")
        #expect(loaded.source("log.level") == "environment WSD_LOG_LEVEL")
        #expect(loaded.source("rooms.announceMax") == "wsd.yaml:3")
        #expect(loaded.source("rooms.maxPerClient") == "default")
    }

    /// A wsd that another one runs as a program: the socket above is not its own, but one that it was given is.
    @Test func theSocketOfTheSupervisorAboveDoesNotCount() throws {
        let text = "control: {socket: /run/own.sock}"
        for (given, expected) in [("/run/outer.sock", "/run/own.sock"), ("/run/given.sock", "/run/given.sock")] {
            let loaded = try load(
                text, environment: ["WSD_SUPERVISOR": "/run/outer.sock", "WSD_SOCKET": given, "WSD_PROGRAM": "inner"])
            #expect(loaded.configuration.control.socket == expected)
            #expect(loaded.warnings.isEmpty)
        }
        let loader = ConfigurationLoader(environment: ["WSD_SUPERVISOR": "/o", "WSD_SOCKET": "/o", "A": "b"])
        #expect(loader.environment == ["WSD_SUPERVISOR": "/o", "A": "b"])
    }

    @Test func aWrongValueIsRefusedEvenWhereAStrongerOneHidesIt() {
        let found = problems("workers: {count: x}", flags: ConfigurationFlags { $0.workers = "4" })
        #expect(found.count == 1)
    }

    @Test func listsInVariablesAreSeparatedByCommas() throws {
        let environment = ["WSD_WEBSOCKET_PATHS": "/a, /b", "WSD_HTTP_TRUSTED_PROXIES": "none"]
        let loaded = try load("http: {trustedProxies: 10.0.0.0/8}", environment: environment)
        #expect(loaded.configuration.websocket.paths == ["/a", "/b"])
        #expect(loaded.configuration.http.trustedProxies == [])
    }

    @Test func pathsInVariablesStartAtTheWorkingFolder() throws {
        let found = FileReader.Found(
            source: SourceText(name: "/etc/wsd/wsd.yaml", text: "log: {file: wsd.log}"), path: "/etc/wsd/wsd.yaml")
        let loader = ConfigurationLoader(environment: ["WSD_HTTP_STATIC_FOLDER": "public"], workingFolder: "/srv/app")
        let configuration = try loader.load(found).configuration
        #expect(configuration.log.file == "/etc/wsd/wsd.log")
        #expect(configuration.http.staticFolder == "/srv/app/public")
    }

    @Test func wrongVariablesAndFlagsAreNamed() {
        let environment = ["WSD_WORKERS_COUNT": "many", "WSD_PORT": "http", "PORT": "-1", "WSD_HOST": "a b"]
        let flags = ConfigurationFlags {
            $0.mode = "production"
            $0.port = "65536"
            $0.settings = ["rooms.maxPerClient", "rooms.announceMx=1", "log.level=info", "log.level=debug"]
        }
        #expect(
            problems(environment: environment, flags: flags) == [
                "--set rooms.maxPerClient: it needs a value: --set key=value",
                "--set rooms.announceMx: rooms.announceMx is not a key of wsd.yaml; did you mean rooms.announceMax?",
                "--set log.level: log.level is already set by --set log.level",
                "environment WSD_WORKERS_COUNT: workers.count is `many`; it must be a whole number from 0 to 1,024, or auto (one per core)",
                "--dev: mode is `production`; it must be dev or prod; did you mean prod?",
                "environment PORT: PORT is `-1`; it must be a port number from 0 to 65,535",
                "environment WSD_HOST: WSD_HOST is `a b`; it must be a host name or address such as localhost, 0.0.0.0 or ::, or * for all addresses",
                "environment WSD_PORT: WSD_PORT is `http`; it must be a port number from 0 to 65,535",
                "--port: --port is `65536`; it must be a port number from 0 to 65,535",
            ])
    }

    @Test func aKubernetesServiceLinkIsExplained() {
        #expect(
            problems(environment: ["WSD_PORT": "tcp://10.0.0.1:80"]).first?.contains("enableServiceLinks: false")
                == true)
    }

    @Test func nearMissesAmongVariablesAreWarnedAbout() throws {
        let environment = [
            "WSD_WORKER_COUNT": "3", "WSD_SERVICE_HOST": "10.0.0.1", "OTHER": "x", "PORT": "80", "WEBSOCKET_PORT": "81",
            "WSD_CONTROL_SOCKET": "/run/x.sock",
        ]
        #expect(
            try load(environment: environment).warnings == [
                "WSD_WORKER_COUNT is not a variable of wsd; did you mean WSD_WORKERS_COUNT?",
                "PORT (80) and WEBSOCKET_PORT (81) differ; PORT is used",
            ])
    }

    @Test func aFolderThatIsNotThereIsWarnedAbout() throws {
        let loaded = try load("http: {staticFolder: /nonexistent/folder}")
        #expect(loaded.warnings == ["http.staticFolder: /nonexistent/folder cannot be read: No such file or directory"])
    }

    struct ListenCase: Sendable {
        var file: String?
        var environment: [String: String] = [:]
        var host: String?
        var port: String?
        var listen: [String] = []
        var expected: [String]
        var source: String
    }

    @Test(arguments: [
        ListenCase(expected: ["127.0.0.1:8080"], source: "default"),
        ListenCase(file: "mode: prod", expected: [":8080"], source: "default"),
        ListenCase(environment: ["WSD_MODE": "prod"], expected: [":8080"], source: "default"),
        ListenCase(environment: ["PORT": "3000"], expected: [":3000"], source: "environment PORT"),
        ListenCase(environment: ["WEBSOCKET_PORT": "3001"], expected: [":3001"], source: "environment WEBSOCKET_PORT"),
        ListenCase(
            environment: ["PORT": "", "WEBSOCKET_PORT": "3001"], expected: [":3001"],
            source: "environment WEBSOCKET_PORT"),
        ListenCase(
            file: "listen: 'localhost:1'", environment: ["PORT": "3000"], expected: [":3000"],
            source: "environment PORT"),
        ListenCase(
            environment: ["PORT": "3000", "WSD_HOST": "127.0.0.1"], expected: ["127.0.0.1:3000"],
            source: "environment WSD_HOST, environment PORT"),
        ListenCase(
            file: "listen: ['unix:/run/a.sock', '[::1]:9000', 80]", environment: ["WSD_PORT": "9001"],
            expected: ["[::1]:9001"],
            source: "environment WSD_PORT, wsd.yaml:1"),
        ListenCase(
            file: "listen: unix:/run/a.sock", port: "9000", expected: ["127.0.0.1:9000"], source: "--port, wsd.yaml:1"),
        ListenCase(host: "*", expected: [":8080"], source: "--host"),
        ListenCase(host: "[::]", expected: ["[::]:8080"], source: "--host"),
        ListenCase(
            environment: ["WSD_HOST": "::1", "WSD_PORT": "0"], expected: ["[::1]:0"],
            source: "environment WSD_HOST, environment WSD_PORT"),
        ListenCase(
            environment: ["PORT": "3000"], port: "4000", expected: [":4000"], source: "--port, environment PORT"),
        ListenCase(
            environment: ["WSD_LISTEN": "80,unix:/run/a.sock", "PORT": "3000"], expected: [":80", "unix:/run/a.sock"],
            source: "environment WSD_LISTEN"),
        ListenCase(
            environment: ["WSD_LISTEN": "80", "PORT": "3000"], listen: ["81", "82"], expected: [":81", ":82"],
            source: "--listen"),
    ])
    func addresses(_ example: ListenCase) throws {
        let flags = ConfigurationFlags {
            $0.host = example.host
            $0.port = example.port
            $0.listen = example.listen
        }
        let loaded = try load(example.file, environment: example.environment, flags: flags)
        #expect(loaded.configuration.listen.map(\.description) == example.expected)
        #expect(loaded.source("listen") == example.source)
    }

    @Test func aListAndAHalfAddressExcludeEachOther() {
        #expect(
            problems(environment: ["WSD_LISTEN": "80", "WSD_PORT": "81"]) == [
                "environment WSD_PORT: WSD_PORT and environment WSD_LISTEN exclude each other; name the addresses in one of them"
            ])
        let flags = ConfigurationFlags {
            $0.host = "localhost"
            $0.settings = ["listen=80"]
        }
        #expect(
            problems(flags: flags) == [
                "--host: --host and --set listen exclude each other; name the addresses in one of them"
            ])
    }

    @Test func differencesTellWhatAReloadCanChange() throws {
        let old = WsdConfiguration()
        let new = try load("mode: prod\nrooms: {announceMax: 5}\nlog: {level: debug}").configuration
        let differences = ConfigurationLoader.differences(old, new)
        #expect(differences.reloadable == ["rooms.announceMax", "log.level"])
        #expect(differences.notReloadable == ["mode", "listen"])
        let merged = ConfigurationLoader.reloaded(old, to: new)
        #expect(merged.mode == .dev)
        #expect(merged.listen == old.listen)
        #expect(merged.rooms.announceMax == 5)
        #expect(ConfigurationLoader.differences(old, merged).notReloadable == [])
    }

    @Test(arguments: [("workers: {count: 0}", "workers: {count: 2}"), ("workers: {count: 2}", "workers: {count: 0}")])
    func aReloadNeitherBeginsNorEndsTheServingOfClients(_ before: String, _ after: String) throws {
        let (old, new) = (try load(before), try load(after))
        #expect(
            ConfigurationLoader.differences(old.configuration, new.configuration).notReloadable == ["workers.count"])
        let merged = ConfigurationLoader.reloaded(old, to: new)
        #expect(merged.configuration.workers.count == old.configuration.workers.count)
        #expect(merged.value("workers.count") == old.value("workers.count"))
    }

    @Test func sourcesFollowTheValuesThatAReloadKeeps() throws {
        let old = try load("listen: 80", environment: ["WSD_LOG_LEVEL": "debug"])
        let merged = ConfigurationLoader.reloaded(old, to: try load("log: {level: error}\nlisten: 81\n"))
        #expect(merged.configuration.listen == [.tcp(host: nil, port: 80)])
        #expect(merged.value("listen") == "[\":80\"]")
        #expect(merged.source("listen") == "wsd.yaml:1")
        #expect(merged.configuration.log.level == .error)
        #expect(merged.source("log.level") == "wsd.yaml:1")
    }
}
