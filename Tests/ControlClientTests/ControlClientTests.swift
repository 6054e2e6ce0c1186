import ControlClient
import Glibc
import NIOCore
import Testing
import Wire

@Suite struct ControlClientTests {
    private static let chunkedHead = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

    private static func lines(
        _ client: ControlClient, _ request: ControlRequest = ControlRequest(.get, "/v1/logs")
    ) async throws -> [String] {
        var lines: [String] = []
        try await client.lines(request) { lines.append(String(decoding: $0, as: UTF8.self)) }
        return lines
    }

    @Test func readsAWholeAnswer() async throws {
        let body = #"{"version":"0.1.0","pid":4711}"#
        let server = try ScriptedServer([
            .sendBytewise(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n"),
            .sendBytewise(body),
        ])
        let answer = try await server.client().value(VersionAnswer.self, ControlRequest(.get, "/v1/version"))
        #expect(answer == VersionAnswer(version: "0.1.0", pid: 4711))
        #expect(server.request == "GET /v1/version HTTP/1.1\r\nHost: wsd\r\nConnection: close\r\n\r\n")
    }

    @Test func sendsABodyWithItsLength() async throws {
        let server = try ScriptedServer([.send("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{\"count\":1}")])
        let body = ControlClient.encode(KickBody(client: "a-1", reason: "grüße"))
        _ = try await server.client().bytes(ControlRequest(.post, "/v1/kick", body: body))
        #expect(
            server.request == """
                POST /v1/kick HTTP/1.1\r\nHost: wsd\r\nConnection: close\r\nContent-Type: application/json\r
                Content-Length: 35\r\n\r\n{"client":"a-1","reason":"grüße"}
                """)
    }

    @Test func handsLinesOverWhileTheStreamGoesOn() async throws {
        let server = try ScriptedServer([
            .send(Self.chunkedHead + "6\r\n{\"a\":1\r\n2\r\n}\n\r\n"), .await, .send("8\r\n{\"b\":2}\n\r\n"), .await,
            .sendBytewise("4\r\n{\"c\"\r\n4\r\n:3}\n\r\n0\r\n\r\n"),
        ])
        var lines: [String] = []
        try await server.client().lines(ControlRequest(.get, "/v1/logs", query: [("follow", "1")])) { line in
            lines.append(String(decoding: line, as: UTF8.self))
            server.proceed()
        }
        #expect(lines == [#"{"a":1}"#, #"{"b":2}"#, #"{"c":3}"#])
    }

    @Test func takesALastLineWithoutItsEnd() async throws {
        let server = try ScriptedServer([.send(Self.chunkedHead + "5\r\n1\n\n 2\r\n0\r\n\r\n")])
        #expect(try await Self.lines(server.client()) == ["1", " 2"])
    }

    @Test func stopsWhenTheConsumerThrows() async throws {
        struct Enough: Error {}
        let server = try ScriptedServer([.send(Self.chunkedHead + "4\r\n1\n2\n\r\n"), .awaitClose])
        var seen = 0
        await #expect(throws: Enough.self) {
            try await server.client().lines(ControlRequest(.get, "/v1/logs")) { _ in
                seen += 1
                throw Enough()
            }
        }
        #expect(seen == 1)
    }

    @Test(arguments: [
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n1\n2\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n1\n2\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n1\n2\n",
    ])
    func saysThatAStreamWasCutOff(answer: String) async throws {
        let server = try ScriptedServer([.send(answer)])
        var lines: [String] = []
        await #expect(throws: ControlClientError.cutOff) {
            try await server.client().lines(ControlRequest(.get, "/v1/logs")) {
                lines.append(String(decoding: $0, as: UTF8.self))
            }
        }
        #expect(lines == ["1", "2"])
    }

    @Test(arguments: ["", "HTTP/1.1 20", "HTTP/1.1 200 OK\r\nContent-"])
    func saysThatTheConnectionBrokeBeforeTheAnswer(answer: String) async throws {
        let server = try ScriptedServer([.send(answer)])
        await #expect(throws: ControlClientError.cutOff) { try await Self.lines(server.client()) }
    }

    @Test(arguments: [
        "SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "\u{0}\u{1}\u{2}",
    ])
    func refusesGarbage(answer: String) async throws {
        let server = try ScriptedServer([.send(answer), .awaitClose])
        let error = await #expect(throws: ControlClientError.self) { try await Self.lines(server.client()) }
        guard case .garbled? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test func refusesJSONOfAnotherShape() async throws {
        let server = try ScriptedServer([.send("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{\"pid\":\"a\"}")])
        let error = await #expect(throws: ControlClientError.self) {
            try await server.client().value(VersionAnswer.self, ControlRequest(.get, "/v1/version"))
        }
        #expect(error == .garbled("no VersionAnswer in it (no version)"))
    }

    @Test func passesOnWhatTheServiceRefused() async throws {
        let body = #"{"code":"busy","message":"A reload is running."}"#
        let server = try ScriptedServer([
            .send("HTTP/1.1 409 Conflict\r\nContent-Length: \(body.utf8.count)\r\n\r\n"), .sendBytewise(body),
        ])
        let busy = ControlClientError.refused(status: 409, ControlError(code: "busy", message: "A reload is running."))
        await #expect(throws: busy) { try await server.client().bytes(ControlRequest(.post, "/v1/reload")) }
        #expect(busy.description == "A reload is running.")
    }

    @Test func saysThatAnErrorIsNotOneOfOurs() async throws {
        let server = try ScriptedServer([.send("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 5\r\n\r\n<html")])
        await #expect(throws: ControlClientError.garbled("HTTP status 502 Bad Gateway without wsd's error object")) {
            try await server.client().bytes(ControlRequest(.get, "/v1/status"))
        }
    }

    @Test func skipsInterimAnswers() async throws {
        let server = try ScriptedServer([
            .send("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        ])
        #expect(try await server.client().bytes(ControlRequest(.get, "/v1/status")) == Array("{}".utf8))
    }

    @Test func givesUpOnAServiceThatSaysNothing() async throws {
        let server = try ScriptedServer([.awaitClose])
        var limits = ControlLimits()
        limits.answerTimeout = .milliseconds(30)
        await #expect(throws: ControlClientError.noAnswer(path: server.path, seconds: 0)) {
            try await server.client(limits: limits).bytes(ControlRequest(.get, "/v1/status"))
        }
    }

    @Test func boundsALine() async throws {
        let server = try ScriptedServer([.send(Self.chunkedHead + "14\r\n12345678901234567890\r\n"), .awaitClose])
        var limits = ControlLimits()
        limits.line = 16
        await #expect(throws: ControlClientError.garbled("a line of more than 16 bytes")) {
            try await Self.lines(server.client(limits: limits))
        }
    }

    @Test func boundsAWholeAnswer() async throws {
        let server = try ScriptedServer([
            .send("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n12345678901234567890"), .awaitClose,
        ])
        var limits = ControlLimits()
        limits.wholeAnswer = 16
        await #expect(throws: ControlClientError.garbled("more than 16 bytes")) {
            try await server.client(limits: limits).bytes(ControlRequest(.get, "/v1/status"))
        }
    }

    @Test func triesTheNextSocket() async throws {
        let server = try ScriptedServer([.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")])
        let stale = try ScriptedServer.leaveStaleFile()
        defer { unlink(stale) }
        let client = ControlClient(socket: ControlSocket(candidates: ["/nowhere/control.sock", stale, server.path]))
        #expect(try await client.bytes(ControlRequest(.get, "/v1/status")) == Array("{}".utf8))
    }

    @Test func saysWhatBecameOfEachSocket() async throws {
        let stale = try ScriptedServer.leaveStaleFile()
        defer { unlink(stale) }
        let client = ControlClient(socket: ControlSocket(candidates: ["/nowhere/control.sock", stale]))
        let expected = ControlClientError.notRunning([
            SocketAttempt(path: "/nowhere/control.sock", outcome: .absent), SocketAttempt(path: stale, outcome: .stale),
        ])
        await #expect(throws: expected) { try await client.bytes(ControlRequest(.get, "/v1/status")) }
    }

    @Test func saysThatAPathIsTooLong() async throws {
        let path = "/tmp/" + String(repeating: "x", count: 120)
        let client = ControlClient(socket: ControlSocket(candidates: [path]))
        let error = await #expect(throws: ControlClientError.self) {
            try await client.bytes(ControlRequest(.get, "/v1/status"))
        }
        #expect(error?.description.hasSuffix("wsd takes at most 97 bytes.") == true)
    }
}
