import ControlClient
import Glibc
import Testing
import Wire

@testable import wsctl

/// What a command writes and how it ends, against a scripted service.
@Suite struct SessionTests {
    private static let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

    private static func chunk(_ lines: String...) -> String {
        let text = lines.map { $0 + "\n" }.joined()
        return "\(String(text.utf8.count, radix: 16))\r\n\(text)\r\n"
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

    private static let step = #"{"operation":"stop","message":"12 clients to close","done":false}"#

    @Test func anOperationShowsItsSteps() async throws {
        let done = #"{"operation":"stop","message":"all ended","done":true,"succeeded":true}"#
        let server = try ScriptedServer([
            .send(Self.head + Self.chunk(Self.step, Self.step)), .sendBytewise(Self.chunk(done) + "0\r\n\r\n"),
        ])
        let (status, text) = try await Self.output(server) { try await $0.operate(ControlRequest(.post, "/v1/stop")) }
        #expect(status == .success)
        #expect(text.hasPrefix("  12 clients to close\nstop done in "))
        #expect(text.hasSuffix(": all ended\n"))
        #expect(server.request.hasPrefix("POST /v1/stop HTTP/1.1\r\n"))
        #expect(server.request.contains("Content-Length: 0\r\n"))
    }

    @Test func aFailedOperationIsNotWell() async throws {
        let done = #"{"operation":"reload","message":"worker 1 did not become ready","done":true,"succeeded":false}"#
        let server = try ScriptedServer([.send(Self.head + Self.chunk(done) + "0\r\n\r\n")])
        let (status, text) = try await Self.output(server, json: true) {
            try await $0.operate(ControlRequest(.post, "/v1/reload"))
        }
        #expect(status == .unwell)
        #expect(text == done + "\n")
    }

    @Test func aStopEndsTheConnectionToo() async throws {
        let server = try ScriptedServer([.send(Self.head + Self.chunk(Self.step))])
        let (status, text) = try await Self.output(server) {
            try await $0.operate(ControlRequest(.post, "/v1/stop"), endsService: true)
        }
        #expect(status == .success)
        #expect(text == "  12 clients to close\nwsd has ended.\n")
    }

    @Test(arguments: ["", "0\r\n\r\n"])
    func anOperationWithoutALastWordIsCutOff(end: String) async throws {
        let server = try ScriptedServer([.send(Self.head + Self.chunk(Self.step) + end)])
        await #expect(throws: ControlClientError.cutOff) {
            try await Self.output(server) { try await $0.operate(ControlRequest(.post, "/v1/reload")) }
        }
    }

    @Test(arguments: [false, true])
    func aListThatIsNotCompleteIsNotWell(json: Bool) async throws {
        let server = try ScriptedServer([
            .send(
                Self.head + Self.chunk(#"{"room":"a","members":1}"#, #"{"problem":"Worker 2 is silent."}"#)
                    + "0\r\n\r\n")
        ])
        var rooms: [RoomInfo] = []
        let (listing, text) = try await Self.output(server, json: json) { session in
            try await session.list(RoomInfo.self, ControlRequest(.get, "/v1/rooms")) { rooms.append($0) }
        }
        #expect(listing.status == .unwell)
        #expect(listing.count == 1)
        #expect(rooms == (json ? [] : [RoomInfo(room: "a", members: 1)]))
        #expect(text == (json ? "{\"room\":\"a\",\"members\":1}\n" : ""))
    }

    @Test func aReaderThatLeftEndsTheOutput() throws {
        signal(SIGPIPE, SIG_IGN)
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        close(ends[0])
        defer { close(ends[1]) }
        #expect(throws: OutputError.closed) { try Output(descriptor: ends[1]).line("x") }
        #expect(throws: OutputError.failed(EBADF)) { try Output(descriptor: -1).line("x") }
    }
}
