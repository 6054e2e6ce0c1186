import ControlClient
import Ecosystem
import Glibc
import Testing
import Wire

@testable import wsctl

/// What `wsctl import` says, and what it sends.
@Suite struct ImportTests {
    private static func imported(_ text: String) throws -> EcosystemImport {
        let host = EcosystemHost(folder: "/srv", cores: 2, script: { _ in .missing }, path: { _ in nil })
        return try EcosystemImport(text, name: "e.json", environment: nil, host: host)
    }

    @Test func theScreenBeginsWithWhatIsLeftToDo() throws {
        let result = try Self.imported(
            """
            {"apps": [{"name": "api", "script": "a.js", "kill_timeout": 3000, "treekill": false, "time": true}],
             "deploy": {"production": {"host": "\\u001b[2J"}}}
            """)
        let lines = ImportScreen.lines(result, Style(coloured: false, width: 72))
        #expect(
            lines == [
                "The file",
                "       SETTING             HERE",
                "to do  deploy: production  -",
                "            wsd runs programs and brings none to a machine: let git,",
                "            rsync or CI do it and end with `wsctl reload NAME`",
                "",
                "api  node a.js",
                "            SETTING             HERE",
                "to do       treekill: false     -",
                "            what a program leaves behind is always killed: run what is",
                "            to outlive it as another program",
                "differs     PM2_KILL_SIGNAL     stopSignal: SIGINT",
                "            what PM2 sends, which the app may know; take it out for",
                "            wsd's own SIGTERM",
                "taken       name: api           name: api",
                "taken       script: a.js        command: node a.js",
                "taken       kill_timeout: 3000  stopTimeout: 3s",
                "not needed  time: true          -",
                "            every line of the log has its time",
                "",
                "1 program. 2 things left to do, see above.",
            ])
    }

    @Test func controlCharactersOfAFileDoNotReachTheTerminal() throws {
        let result = try Self.imported(#"{"script": "a\u001b[2J.js", "x\u0007": "\u009b2J", "cwd": "/a\nb"}"#)
        for line in ImportScreen.lines(result, .plain) {
            #expect(!line.unicodeScalars.contains { $0.value < 0x20 || (0x7F..<0xA0).contains($0.value) })
        }
    }

    private static func started(_ text: String, answer: String, status: String) async throws -> (CommandStatus, String)
    {
        let head = "HTTP/1.1 \(status)\r\nContent-Length: \(answer.utf8.count)\r\n\r\n"
        let server = try ScriptedServer([.send(head + answer)])
        let null = open("/dev/null", O_WRONLY | O_CLOEXEC)
        try #require(null >= 0)
        defer { close(null) }
        let session = Session(client: server.client(), output: Output(descriptor: null), style: .plain, json: false)
        return (try await session.start(try imported(text).programs, known: ["a"]), server.request)
    }

    @Test func aProgramThatIsThereStaysAndTheNextIsStarted() async throws {
        let done = #"{"operation":"start","message":"b is ready","done":true,"succeeded":true}"# + "\n"
        let (status, request) = try await Self.started(
            "[{script: 'a.js'}, {script: 'b.js'}]", answer: done, status: "200 OK")
        #expect(status == .refused)
        #expect(request.hasPrefix("POST /v1/programs HTTP/1.1\r\n"))
        #expect(request.contains("application/json"))
        #expect(request.hasSuffix(try Self.imported("{script: 'b.js'}").programs[0].json))
    }

    @Test func aRefusedProgramIsTold() async throws {
        let refusal = #"{"code":"invalid","message":"No."}"#
        let (status, _) = try await Self.started(
            "{script: 'b.js'}", answer: refusal, status: "422 Unprocessable Content")
        #expect(status == .refused)
    }

    @Test func aFileIsReadFromItsOwnFolder() throws {
        let folder = "/tmp/wsd-import-\(getpid())-\(UInt64.random(in: 0...UInt64.max))"
        try #require(mkdir(folder, 0o700) == 0)
        defer { rmdir(folder) }
        let path = "\(folder)/ecosystem.yml"
        let descriptor = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0o600)
        try #require(descriptor >= 0)
        defer { unlink(path) }
        try Output(descriptor: descriptor).line("apps:\n  - script: ./a.js\n    cwd: sub")
        close(descriptor)
        let source = try EcosystemSource("ecosystem.yml", folder: folder)
        let result = try source.converted(for: nil, environment: ["PATH": "/x"], isPrinted: false)
        let expected = #"{"name":"a","command":["node","./a.js"],"folder":"\#(folder)/sub","#
        #expect(result.programs[0].json.hasPrefix(expected + #""environment":{"PATH":"/x"}"#))
        #expect(throws: ControlClientError.self) { try EcosystemSource("missing.yml", folder: folder) }
    }
}
