import Testing

@testable import wsctl

@Suite struct InvocationTests {
    private let commands = ["status", "stats", "stop", "scale", "logs", "reload", "restart"]

    @Test(arguments: [
        (["status"], ["status"]),
        (["--socket", "/a", "status", "--json"], ["status", "--socket", "/a", "--json"]),
        (["--json", "--socket=/a", "publish", "r", "{}"], ["publish", "--json", "--socket=/a", "r", "{}"]),
        (["--json", "key", "new", "web"], ["key", "new", "--json", "web"]), (["--json", "key"], ["key", "--json"]),
        (
            ["--json", "start", "--watch=src", "-i", "2", "--", "a", "--watch=x", "--"],
            [
                "start", "--json", "--watch-path", "src", "-i", "2", "--command", "a", "--command", "--watch=x",
                "--command", "--",
            ]
        ),
        (["publish", "r", "--", "{}"], ["publish", "r", "--", "{}"]),
        (["--socket"], ["--socket"]), (["--socket", "/a"], ["--socket", "/a"]),
        (["--socket", "/a", "--help"], ["--socket", "/a", "--help"]), (["--version"], ["--version"]), ([], []),
    ])
    func commonFlagsMayComeFirst(arguments: [String], expected: [String]) {
        #expect(Invocation.normalized(arguments) == expected)
    }

    @Test(arguments: [
        ("stat", "'status' or 'stats' or 'stop'"), ("statsu", "'status' or 'stats'"), ("log", "'logs'"),
        ("re", "'reload' or 'restart'"), ("restrat", "'restart'"), ("sotp", "'stop'"),
    ])
    func suggestsACommand(typed: String, meant: String) {
        #expect(
            Invocation.complaint([typed], commands: commands)
                == "There is no command '\(typed)'. Did you mean \(meant)? `wsctl --help` lists all.")
    }

    @Test func wordsOfPM2AreAnswered() {
        #expect(
            Invocation.complaint(["kill"], commands: commands)
                == "'kill' is a command of PM2. Here: `wsctl stop`, which ends wsd with its programs.")
        #expect(Invocation.complaint(["sendSignal"], commands: commands)?.contains("wsctl signal NAME") == true)
        let typed = ["app.js", "--max-memory-restart=200M"]
        #expect(
            PM2Words.complaint(Invocation.normalized(["start"] + typed))
                == "--max-memory-restart is an option of PM2. Here: --max-memory SIZE.")
        #expect(PM2Words.complaint(["restart", "api", "--update-env"])?.contains("--env-file") == true)
        for fine in [["start", "--max-memory", "1G", "a.js"], ["start", "--", "x", "-f"], ["logs", "-f"], []] {
            #expect(PM2Words.complaint(Invocation.normalized(fine)) == nil)
        }
    }

    @Test func doesNotGuessWildly() {
        let plain = "There is no command 'bananas'. `wsctl --help` lists them."
        #expect(Invocation.complaint(["bananas"], commands: commands) == plain)
        #expect(Invocation.complaint(["x\u{1b}[2J"], commands: commands)?.contains("\u{1b}") == false)
        #expect(
            Invocation.complaint([String(repeating: "s", count: 10_000)], commands: commands)?.contains("mean") == false
        )
        for fine in [["status"], ["help"], ["--help"], []] {
            #expect(Invocation.complaint(fine, commands: commands) == nil)
        }
    }
}
