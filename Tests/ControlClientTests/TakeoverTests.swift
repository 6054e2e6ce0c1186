import ControlClient
import Glibc
import Testing
import Wire

@testable import wsctl

/// What a command does when another program takes over the service that it speaks to.
@Suite struct TakeoverTests {
    private typealias Connection = [ScriptedServer.Step]

    private static let former = version("0.1.0", takeovers: 0)
    private static let successor = version("0.2.0", takeovers: 1)

    private static func version(_ version: String, pid: Int = 4711, takeovers: Int) -> Connection {
        answer(#"{"pid":\#(pid),"program":"/usr/bin/wsd","takeovers":\#(takeovers),"version":"\#(version)"}"#)
    }

    private static func answer(_ line: String, status: String = "200 OK") -> Connection {
        [.send("HTTP/1.1 \(status)\r\nContent-Length: \(line.utf8.count)\r\n\r\n\(line)")]
    }

    /// Lines of an answer that is cut off behind them.
    private static func cut(_ lines: String...) -> Connection {
        [.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")]
            + lines.map { .send("\(String($0.utf8.count + 1, radix: 16))\r\n\($0)\n\r\n") }
    }

    private static func log(_ sequence: Int) -> String {
        """
        {"fields":{},"level":"info","message":"m\(sequence)","pid":1,"sequence":\(sequence),"source":"hub","time":1}
        """
    }

    private static func event(_ sequence: Int) -> String {
        #"{"level":"info","message":"m","sequence":\#(sequence),"time":1,"type":"process.ready"}"#
    }

    private static func progress(_ message: String, done: Bool = false, succeeded: String = "null") -> String {
        #"{"done":\#(done),"message":"\#(message)","operation":"upgrade","succeeded":\#(succeeded)}"#
    }

    private static var quick: Comeback.Patience {
        var patience = Comeback.Patience()
        (patience.all, patience.settling, patience.interval) = (
            .seconds(10), .milliseconds(1), .milliseconds(1)
        )
        return patience
    }

    /// Runs `body` with a session on a pipe and returns what it wrote.
    private static func output<Result>(
        _ server: ScriptedServer, json: Bool = false, _ body: (Session) async throws -> Result
    ) async throws -> (result: Result, text: String) {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        defer { close(ends[0]) }
        let session = Session(client: server.client(), output: Output(descriptor: ends[1]), style: .plain, json: json)
        let result: Result
        do {
            defer { close(ends[1]) }
            result = try await body(session)
        }
        var bytes = [UInt8](repeating: 0, count: 64 * 1024)
        let count = read(ends[0], &bytes, bytes.count)
        return (result, String(decoding: bytes.prefix(max(0, count)), as: UTF8.self))
    }

    @Test(arguments: [false, true])
    func anUpgradeIsDoneOnceTheSuccessorAnswers(json: Bool) async throws {
        let steps = [Self.progress("wsd 0.2.0 can take over"), Self.progress("wsd 0.2.0 takes over now")]
        // The second look comes to one that still waits for the successor, and is cut off.
        let server = try ScriptedServer(connections: [
            Self.former, Self.cut(steps[0], steps[1]), [], Self.successor,
        ])
        let (status, text) = try await Self.output(server, json: json) {
            try await $0.upgrade(UpgradeBody(program: "/opt/wsd"))
        }
        #expect(status == .success)
        let last = "wsd 0.1.0 → 0.2.0, pid 4711, nothing was stopped ("
        if json {
            #expect(text.hasPrefix(steps[0] + "\n" + steps[1] + "\n{\"done\":true,"))
            #expect(text.contains(last) && text.hasSuffix("\"succeeded\":true}\n"))
        } else {
            #expect(text.hasPrefix("  wsd 0.2.0 can take over\n  wsd 0.2.0 takes over now\n\(last)"))
            #expect(text.hasSuffix("ms)\n"))
        }
        #expect(server.requests[1].hasPrefix("POST /v1/upgrade "))
        #expect(server.requests[1].hasSuffix(#"{"program":"/opt/wsd"}"#))
    }

    @Test(arguments: [
        (UpgradeBody(checkOnly: true), "true", CommandStatus.success), (UpgradeBody(), "false", .unwell),
    ])
    func anUpgradeMayEndBeforeTheTakeover(body: UpgradeBody, succeeded: String, expected: CommandStatus) async throws {
        let server = try ScriptedServer(connections: [
            Self.former, Self.cut(Self.progress("so it is", done: true, succeeded: succeeded)),
        ])
        let (status, text) = try await Self.output(server) { try await $0.upgrade(body) }
        #expect(status == expected)
        #expect(text.hasPrefix("upgrade ") && text.hasSuffix(": so it is\n"))
    }

    @Test func anOlderServiceIsNamed() async throws {
        let refusal = Self.answer(
            #"{"code":"not_found","message":"There is no /v1/upgrade."}"#, status: "404 Not Found")
        let server = try ScriptedServer(connections: [Self.former, refusal])
        await #expect {
            try await Self.output(server) { try await $0.upgrade(UpgradeBody()) }
        } throws: { error in
            let isRefused = (error as? ControlClientError).map { CommandStatus($0) == .refused } ?? false
            return isRefused && "\(error)".hasPrefix("wsd 0.1.0 (pid 4711) is too old to be replaced while it runs.")
        }
    }

    @Test func anUpgradeThatDidNotHappenFails() async throws {
        let begun = Self.cut(Self.progress("wsd 0.2.0 takes over now"))
        let same = try ScriptedServer(connections: [Self.former, begun, Self.former, Self.former, Self.former])
        let (status, _) = try await Self.output(same) { try await $0.upgrade(UpgradeBody(), Self.quick) }
        #expect(status == .unwell)

        let another = Self.version("0.2.0", pid: 4712, takeovers: 0)
        let restarted = try ScriptedServer(connections: [Self.former, begun, another])
        await #expect {
            try await Self.output(restarted) { try await $0.upgrade(UpgradeBody()) }
        } throws: {
            "\($0)".contains("(pid 4711) has ended instead of being replaced, and another one (pid 4712, 0.2.0)")
        }

        let gone = try ScriptedServer(connections: [Self.former, begun + [.end]])
        await #expect {
            try await Self.output(gone) { try await $0.upgrade(UpgradeBody(), Self.quick) }
        } throws: { "\($0)".contains("has not answered within 10 s of being replaced") }

        let cut = try ScriptedServer(connections: [Self.former, Self.cut()])
        await #expect(throws: ControlClientError.cutOff) {
            try await Self.output(cut) { try await $0.upgrade(UpgradeBody()) }
        }
    }

    @Test(arguments: [([6, 7], 7), ([], 5)])
    func logsGoOnBehindTheLastLine(shown: [Int], after: Int) async throws {
        let lines = shown.map(Self.log)
        let first = lines.count == 2 ? Self.cut(lines[0], lines[1]) : Self.cut()
        let server = try ScriptedServer(connections: [
            Self.former, Self.answer(Self.log(5)), first, Self.successor, Self.cut(Self.log(8)) + [.end],
        ])
        let (status, text) = try await Self.output(server, json: true) {
            try await LogReader(session: $0, query: [("grep", "m")], highlight: nil).follow(lines: "0", Self.quick)
        }
        #expect(status == .noAnswer)
        #expect(text == (lines + [Self.log(8)]).map { $0 + "\n" }.joined())
        #expect(server.requests[2].hasPrefix("GET /v1/logs?follow=1&lines=0&grep=m "))
        #expect(server.requests[4].hasPrefix("GET /v1/logs?follow=1&after=\(after)&grep=m "))
    }

    @Test func aRestartedServiceCountsAnew() async throws {
        let server = try ScriptedServer(connections: [
            Self.former, Self.answer(Self.log(5)), Self.cut(Self.log(6)),
            Self.version("0.1.0", pid: 4712, takeovers: 0),
            Self.cut(Self.log(1)) + [.end],
        ])
        let (_, text) = try await Self.output(server, json: true) {
            try await LogReader(session: $0, query: [], highlight: nil).follow(lines: nil, Self.quick)
        }
        #expect(text == "\(Self.log(6))\n\(Self.log(1))\n")
        #expect(server.requests[4].hasPrefix("GET /v1/logs?follow=1&lines=1000000 "))
    }

    @Test(arguments: [false, true])
    func eventsGoOnBehindTheLast(json: Bool) async throws {
        let server = try ScriptedServer(connections: [
            Self.former, Self.answer(Self.event(3)), Self.cut(Self.event(3), Self.event(4)), Self.successor,
            Self.cut(Self.event(5)) + [.end],
        ])
        let (_, text) = try await Self.output(server, json: json) { session in
            await #expect(throws: ControlClientError.cutOff) {
                try await EventReader(query: [("type", "process.*")]).follow(session, [("count", "1")], Self.quick)
            }
        }
        #expect(text.split(separator: "\n").count == 3)
        #expect(server.requests[2].hasPrefix("GET /v1/events?follow=1&count=1&type=process.%2A "))
        #expect(server.requests[4].hasPrefix("GET /v1/events?follow=1&after=4&type=process.%2A "))
    }

    @Test func aStreamThatIsOverIsNotAskedForAgain() async throws {
        let server = try ScriptedServer(connections: [Self.former, Self.cut()])
        _ = try await Self.output(server) { try await $0.followed(Self.quick) { _, _ in true } }
        #expect(server.requests.count == 1)
    }

    @Test func whatGoesOnWithTheFormerProgramIsSaid() {
        func rest(_ processes: [ProcessStatus]) -> String? {
            var status = Sample.status()
            status.processes = processes
            return UpgradeScreen.rest(status)
        }
        let supervisor = ProcessStatus(name: "supervisor", state: .ready, pid: 1)
        let hub = ProcessStatus(name: "hub", state: .ready, pid: 2)
        let workers: [ProcessStatus] = [1, 2].map { (number: Int) in
            ProcessStatus(name: "worker \(number)", worker: number, state: .ready, pid: 3)
        }
        #expect(rest([supervisor]) == nil)
        #expect(rest([supervisor, hub] + workers)?.hasPrefix("The hub and 2 workers still run the program") == true)
        #expect(rest([supervisor, hub])?.hasPrefix("The hub still runs the program") == true)
        #expect(rest([supervisor] + workers)?.hasPrefix("2 workers still run the program") == true)
    }
}
