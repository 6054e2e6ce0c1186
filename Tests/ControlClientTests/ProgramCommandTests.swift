import ArgumentParser
import ControlClient
import Testing
import Wire

@testable import wsctl

@Suite struct ProgramCommandTests {
    private static func entry(
        _ arguments: [String], _ words: [String] = ["node", "app.js"], isOneText: Bool = false
    ) throws -> String {
        let options = try EntryOptions.parse(arguments)
        let entry = try options.entry(
            .init(words: words, isOneText: isOneText), folder: "/srv/app",
            environment: ["PATH": "/opt/node/bin:/bin", "TOKEN": "t"])
        return String(decoding: entry.request.body ?? [], as: UTF8.self)
    }

    @Test func aProgramIsSentAsAnEntryOfTheConfiguration() throws {
        #expect(
            try Self.entry([]) == """
                {"command":["node","app.js"],"environment":{"PATH":"/opt/node/bin:/bin"},"folder":"/srv/app","name":"app"}
                """)
        #expect(
            try Self.entry([
                "--name", "api", "-i", "max", "--cwd", "../web", "--env", "A=b=c", "--env", "TOKEN", "--env",
                "PATH=/bin",
                "--env-file", "x.env", "--env-file=-/etc/y.env", "--watch", "--watch-path", "src", "--ignore",
                "*.log",
                "--cron", "0 4 * * *", "--user", "app", "--restart", "on-failure", "--max-memory", "200M", "--ready",
                "tcp://3000", "--listen", "unix:run/a.sock", "--listen", "8080", "--stop-signal", "INT",
                "--stop-timeout",
                "5s", "--set", "stableAfter=3s", "--set", "dependsOn=db", "--set", "dependsOn=cache",
            ]) == """
                {"command":["node","app.js"],"cron":"0 4 * * *","dependsOn":["db","cache"],\
                "environment":{"A":"b=c","PATH":"/bin","TOKEN":"t"},"environmentFiles":["/srv/app/x.env","-/etc/y.env"],\
                "folder":"/srv/web","instances":"max","listen":["unix:/srv/app/run/a.sock","8080"],"maxMemory":"200M",\
                "name":"api","ready":"tcp://3000","restart":"on-failure","stableAfter":"3s","stopSignal":"INT",\
                "stopTimeout":"5s","user":"app","watch":["/srv/web","/srv/app/src"],"watchIgnore":["*.log"]}
                """)
        #expect(try Self.entry([], ["npm run dev"], isOneText: true).contains(#""command":"npm run dev""#))
        #expect(try Self.entry([], ["npm run dev"], isOneText: true).contains(#""name":"app""#))
    }

    @Test(arguments: [["--env", "NONE"], ["--set", "=x"], ["--set", "environment=x"]])
    func aWrongSettingIsRefused(arguments: [String]) {
        #expect(throws: StartComplaint.self) { try Self.entry(arguments) }
    }

    @Test func targetsAreProgramsOrWorkers() throws {
        var expected = try TargetSelection([])
        (expected.programs, expected.workers) = (["api", "3", "api:2"], [2])
        #expect(try TargetSelection(["api", "worker:2", "3", "api:2", "api", "worker:2"]) == expected)
        #expect(try TargetSelection(["0", "worker:1"]).allWorkers)
        #expect(try TargetSelection(["api", "all"]).programs == ["all"])
        for wrong in ["", "worker", "worker:0", "worker:x", "hub"] {
            #expect(throws: TargetComplaint.self) { try TargetSelection([wrong]) }
        }
    }

    @Test(arguments: [
        (["stop", "workers"], false), (["stop", "api", "all"], true), (["delete"], false), (["delete", "2"], true),
        (["restart", "api", "--now"], false), (["restart", "worker:1", "--now"], true), (["restart", "worker"], false),
        (["reload"], true), (["reload", "api"], true), (["scale", "4"], true), (["scale", "api", "2"], true),
        (["scale", "api"], false), (["scale", "api", "0"], false), (["scale", "1025"], false),
        (["scale", "worker:1", "2"], false), (["start"], false), (["start", "--", "a", "--help"], true),
        (["logs", "api:2", "web", "worker:1", "workers", "hub", "all"], true),
        (["logs", "api", "--worker", "1"], false), (["logs", "api,web"], false), (["logs", "worker"], false),
        (["upgrade", "--check"], true), (["update", "--program", "wsd", "--all"], true),
        (["upgrade", "--check", "--all"], false), (["upgrade", "wsd"], false),
        (["ps"], true), (["signal", "api"], false), (["describe", "worker:1"], false),
    ])
    func commandLinesAreChecked(arguments: [String], isRight: Bool) {
        let parsed: Bool
        do {
            _ = try Wsctl.parseAsRoot(Invocation.normalized(arguments))
            parsed = true
        } catch {
            parsed = false
        }
        #expect(parsed == isRight)
    }

    @Test func allHasTheWorkersInItOnce() throws {
        for (names, hasWorkers, now, programs, allWorkers) in [
            (["a", "b"], true, false, ["all"], false), (["a", "b"], true, true, ["a", "b"], true),
            (["a"], false, true, ["a"], false), ([], true, false, [], true), ([], false, false, [], false),
        ] {
            var selection = try TargetSelection(["all", "worker:1"])
            selection.spellOut(programs: names, hasWorkers: hasWorkers, now: now)
            #expect(selection.programs == programs && selection.allWorkers == allWorkers && selection.workers.isEmpty)
        }
    }

    @Test func aNumberThatIsNoProgramIsExplained() async throws {
        let body = #"{"code":"not_found","message":"There is no program “2”."}"#
        let server = try ScriptedServer([
            .send("HTTP/1.1 404 Not Found\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
        ])
        let session = Session(client: server.client(), output: Output(descriptor: -1), style: .plain, json: false)
        await #expect {
            _ = try await session.replace("restart", try TargetSelection(["2"]))
        } throws: { error in
            "\(error)" == "There is no program “2”. A number is that of a program; a worker is named worker:2."
        }
        #expect(server.request.hasPrefix("POST /v1/programs/restart "))
        #expect(server.request.hasSuffix(#"{"targets":["2"]}"#))
    }
}
