import Model
import NIOCore
import NIOEmbedded
import Testing
import WebSocketProtocol
import Wire

@testable import Worker

@Suite struct LiveTests {
    // MARK: Who may

    @Test(arguments: [
        ("", "", "401"),
        ("", "Authorization: Bearer wrong\r\n", "401"),
        ("", "Authorization: Basic \(LiveFixture.observer)\r\n", "401"),
        ("?token=wrong", "", "401"),
        ("?key=\(LiveFixture.observer)", "", "401"),
        ("", "Authorization: Bearer \(LiveFixture.publisher)\r\n", "403"),
        ("?token=\(LiveFixture.publisher)", "", "403"),
        // The field goes before the parameter.
        ("?token=\(LiveFixture.observer)", "Authorization: Bearer wrong\r\n", "401"),
    ])
    func refusesWithoutAKeyThatObserves(_ query: String, _ fields: String, _ status: String) throws {
        for path in ["/ws/logs", "/ws/stats"] {
            let live = LiveFixture()
            let channel = try live.ask(path + query, fields)
            let text = try live.text(channel)
            #expect(text.hasPrefix("HTTP/1.1 \(status) ") && text.contains("Content-Type: text/plain"))
            #expect(text.contains("\r\nWWW-Authenticate: Bearer"))
            #expect(!channel.isActive && live.worker.engine.openSockets == 0)
            #expect(live.feeds.calls.isEmpty)
            #expect(live.worker.engine.admission.refusals[.token] == 1)
        }
    }

    @Test(arguments: [
        "Authorization: Bearer \(LiveFixture.observer)\r\n", "Authorization: bearer \(LiveFixture.observer)\r\n", "",
    ])
    func acceptsOnceTheSupervisorHasAnswered(_ fields: String) throws {
        let live = LiveFixture()
        let query = fields.isEmpty ? "?token=\(LiveFixture.observer)&level=warning" : "?level=warning"
        let channel = try live.ask("/ws/logs" + query, fields)
        #expect(try live.text(channel) == "")
        #expect(live.feeds.calls.map(\.uri) == ["/v1/logs?follow=1&level=warning"])
        live.feeds.calls[0].send(.opened)
        live.feeds.calls[0].lines(#"{"message":"one"}"#, #"{"message":"two"}"#)
        let writes = try channel.writes()
        #expect(writes.count == 2)
        #expect(String(buffer: writes[0]).hasPrefix("HTTP/1.1 101 "))
        #expect(String(buffer: writes[0]).contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="))
        #expect(Frames.read(writes[1]) == [#"{"message":"one"}"#, #"{"message":"two"}"#])
        // It is no client of the service.
        #expect(live.worker.engine.connections.count == 0 && live.worker.engine.openSockets == 1)
    }

    @Test func withoutAKeyThatObservesThereIsNothing() throws {
        for keys in [[], [LiveFixture.keys[1]]] {
            let live = LiveFixture { $0.api.keys = keys }
            let channel = try live.ask("/ws/logs", "Authorization: Bearer \(LiveFixture.publisher)\r\n")
            let text = try live.text(channel)
            #expect(text.hasPrefix("HTTP/1.1 404 ") && text.contains("no API key allows observe"))
        }
    }

    @Test func theRefusalSaysWhetherTheKeyIsMissingUnknownOrTooWeak() throws {
        let live = LiveFixture()
        func refusal(_ fields: String) throws -> String { try live.text(try live.ask("/ws/stats", fields)) }
        let missing = try refusal("")
        #expect(missing.contains("WWW-Authenticate: Bearer\r\n") && missing.contains("Send an API key"))
        let unknown = try refusal("Authorization: Bearer wrong-secret\r\n")
        #expect(unknown.contains("WWW-Authenticate: Bearer error=\"invalid_token\"\r\n"))
        #expect(unknown.contains("The API key is not known") && !unknown.contains("wrong-secret"))
        let weak = try refusal("Authorization: Bearer \(LiveFixture.publisher)\r\n")
        #expect(weak.contains("WWW-Authenticate: Bearer error=\"insufficient_scope\"\r\n"))
        #expect(weak.contains("may not observe") && !weak.contains(LiveFixture.publisher))
    }

    @Test func theRulesOfOriginsHold() throws {
        let live = LiveFixture { $0.limits.origins = ["https://ops.example"] }
        let key = "Authorization: Bearer \(LiveFixture.observer)\r\n"
        let other = try live.ask("/ws/stats", key + "Origin: https://evil.example\r\n")
        #expect(try live.text(other).hasPrefix("HTTP/1.1 403 "))
        _ = try live.ask("/ws/stats", key + "Origin: https://ops.example\r\n")
        #expect(live.feeds.calls.count == 1)
    }

    @Test func aConfiguredPathGoesBefore() throws {
        let live = LiveFixture { $0.websocket.paths = ["/ws/logs"] }
        let channel = try live.ask("/ws/logs")
        #expect(try live.text(channel).hasPrefix("HTTP/1.1 101 "))
        #expect(live.worker.engine.connections.count == 1)
    }

    @Test func keysAreNeverLogged() throws {
        let log = LogRecorder()
        let live = LiveFixture(logger: log.logger())
        for key in [LiveFixture.observer, LiveFixture.publisher, "another-secret"] {
            _ = try live.ask("/ws/logs?token=\(key)")
            _ = try live.ask("/ws/stats", "Authorization: Bearer \(key)\r\n")
        }
        for call in live.feeds.calls { call.send(.opened) }
        #expect(live.feeds.calls.count == 2)
        #expect(live.feeds.calls.allSatisfy { !$0.uri.contains(LiveFixture.observer) })
        #expect(log.all.contains { $0.contains("dashboard") })
        for secret in [LiveFixture.observer, LiveFixture.publisher, "another-secret"] {
            #expect(log.all.allSatisfy { !$0.contains(secret) })
        }
    }

    @Test func aWorkerHasSoManyAndNoMore() throws {
        let live = LiveFixture()
        let first = try (0..<LiveConnections.maximum).map { _ in try live.open() }
        let refused = try live.ask("/ws/logs", "Authorization: Bearer \(LiveFixture.observer)\r\n")
        #expect(try live.text(refused).hasPrefix("HTTP/1.1 503 "))
        try first[0].channel.close().wait()
        _ = try live.open()
        #expect(live.worker.engine.openSockets == LiveConnections.maximum)
        let counters = live.worker.engine.currentCounters()
        #expect(counters.liveConnections == LiveConnections.maximum && counters.clients == 0)
    }

    // MARK: What the client says

    @Test func itListensOnlyToPingAndClose() throws {
        let live = LiveFixture()
        let (channel, call) = try live.open()
        try live.worker.send(#"{"type":"joinRoom","roomId":"r","requestId":1}"#, to: channel)
        try live.worker.send("nonsense", to: channel)
        #expect(try channel.frames() == [])
        var ping = ByteBuffer()
        Frames.write(.ping, ByteBuffer(string: "p"), into: &ping)
        try channel.writeInbound(ping)
        #expect(try channel.frames() == ["<pong p>"])
        try channel.writeInbound(Frames.close(1000))
        #expect(try channel.frames() == ["<close 1000 >"])
        #expect(call.isEnded)
        call.lines("{}")
        #expect(try channel.frames() == [])
        live.worker.loop.advanceTime(by: .seconds(3))
        #expect(!channel.isActive && live.worker.engine.openSockets == 0)
    }

    @Test func whatCameWithTheHandshakeIsReadAfterIt() throws {
        let live = LiveFixture()
        let channel = try live.worker.accept()
        var bytes = live.worker.request("/ws/logs?token=\(LiveFixture.observer)")
        Frames.write(.ping, ByteBuffer(string: "early"), into: &bytes)
        try channel.writeInbound(bytes)
        #expect(try channel.writes().isEmpty)
        live.feeds.calls[0].send(.opened)
        let writes = try channel.writes()
        #expect(writes.count == 2 && Frames.read(writes[1]) == ["<pong early>"])
    }

    @Test func whoBreaksTheProtocolIsClosed() throws {
        let live = LiveFixture()
        let (channel, call) = try live.open()
        try channel.writeInbound(ByteBuffer(bytes: [0x81, 0x01, 0x61]))
        #expect(try channel.frames().first?.hasPrefix("<close 1002") == true)
        #expect(call.isEnded)
    }

    @Test func aSilentPageIsPingedThenCut() throws {
        let live = LiveFixture()
        let (channel, call) = try live.open()
        live.worker.loop.advanceTime(by: .seconds(25))
        #expect(try channel.frames() == ["<ping>"])
        var pong = ByteBuffer()
        Frames.write(.pong, ByteBuffer(), into: &pong)
        try channel.writeInbound(pong)
        live.worker.loop.advanceTime(by: .seconds(10))
        #expect(channel.isActive)
        live.worker.loop.advanceTime(by: .seconds(25))
        #expect(try channel.frames() == ["<ping>"])
        live.worker.loop.advanceTime(by: .seconds(10))
        #expect(try channel.frames() == ["<close 4000 no pong in time>"])
        #expect(!channel.isActive && call.isEnded)
    }

    // MARK: The supervisor

    @Test func theSupervisorsRefusalBecomesTheHandshakes() throws {
        let live = LiveFixture()
        let channel = try live.ask("/ws/logs?level=loud", "Authorization: Bearer \(LiveFixture.observer)\r\n")
        live.feeds.calls[0].send(.refused(HTTPRefusal(status: 400, sentence: "“level” must be one of …")))
        let text = try live.text(channel)
        #expect(text.hasPrefix("HTTP/1.1 400 ") && text.hasSuffix("“level” must be one of …\n"))
        live.worker.loop.advanceTime(by: .seconds(3))
        #expect(!channel.isActive && live.worker.engine.openSockets == 0)
    }

    @Test func theEndOfTheStreamClosesForAReconnect() throws {
        let live = LiveFixture()
        let (ended, broken) = (try live.open(), try live.open("/ws/stats"))
        ended.call.send(.ended)
        broken.call.send(.broken)
        #expect(try ended.channel.frames() == ["<close 1012 the supervisor ended the stream>"])
        #expect(try broken.channel.frames() == ["<close 1011 the stream is broken>"])
        try ended.channel.writeInbound(Frames.close(1012))
        #expect(!ended.channel.isActive)
        live.worker.loop.advanceTime(by: .seconds(3))
        #expect(!broken.channel.isActive)
    }

    @Test func drainingClosesThem() throws {
        let live = LiveFixture()
        var finished = 0
        live.worker.engine.supervisor.finished = { finished += 1 }
        let (open, asking) = (try live.open(), try live.ask("/ws/stats?token=\(LiveFixture.observer)"))
        let late = try live.worker.accept()
        live.worker.engine.beginDrain(code: .serviceRestart, spread: .seconds(60), deadline: .seconds(60))
        #expect(try open.channel.frames() == ["<close 1012 restart>"])
        #expect(try live.text(asking).hasPrefix("HTTP/1.1 503 "))
        #expect(open.call.isEnded && finished == 0)
        try open.channel.writeInbound(Frames.close(1012))
        try late.writeInbound(live.worker.request("/ws/logs?token=\(LiveFixture.observer)"))
        #expect(try live.text(late).hasPrefix("HTTP/1.1 503 "))
        live.worker.time.now += .seconds(3)
        live.worker.loop.advanceTime(by: .seconds(3))
        #expect(live.worker.engine.openSockets == 0 && finished == 1)
    }

    @Test func theDeadlineOfADrainCutsThem() throws {
        let live = LiveFixture()
        let (channel, _) = try live.open()
        live.worker.engine.beginDrain(code: .goingAway, spread: .zero, deadline: .milliseconds(500))
        live.worker.time.now += .seconds(1)
        live.worker.loop.advanceTime(by: .seconds(1))
        #expect(!channel.isActive)
    }

    // MARK: A page that does not read

    @Test func aSlowPageLosesLinesAndIsToldHowMany() throws {
        let live = LiveFixture()
        let (channel, call) = try live.open()
        let transport = HeldTransport()
        try channel.pipeline.syncOperations.addHandler(transport, position: .first)
        let line = #"{"message":"\#(String(repeating: "x", count: 986))"}"#
        #expect(line.utf8.count == 1000)
        // A text frame of 1,000 bytes has a header of 4.
        let fitting = (LiveHandler.maxQueue - 1000) / 1004 + 1
        for _ in 0..<(fitting + 7) { call.lines(line) }
        #expect(try channel.frames() == [])
        transport.letGo()
        var frames = try channel.frames()
        #expect(frames.prefix(fitting).allSatisfy { $0 == line })
        #expect(frames.dropFirst(fitting).isEmpty)
        // What is to be told is written behind, like any line.
        transport.letGo()
        #expect(try channel.frames() == [#"{"type":"dropped","count":7}"#])
        call.lines(line)
        transport.letGo()
        frames = try channel.frames()
        #expect(frames == [line] && transport.count == 0)
    }

    @Test func dropsUntilThePageHasReadOn() throws {
        let live = LiveFixture()
        let (channel, call) = try live.open()
        let transport = HeldTransport()
        try channel.pipeline.syncOperations.addHandler(transport, position: .first)
        let large = "\"" + String(repeating: "x", count: LiveHandler.maxQueue) + "\""
        // One alone always fits, whatever its size.
        call.lines(large)
        call.lines("1")
        call.lines("2")
        transport.letGo()
        call.lines("3")
        transport.letGo()
        #expect(try channel.frames() == [large, #"{"type":"dropped","count":2}"#, "3"])
    }

    @Test func whoIsClosedIsToldFirst() throws {
        let live = LiveFixture()
        let (channel, call) = try live.open()
        let transport = HeldTransport()
        try channel.pipeline.syncOperations.addHandler(transport, position: .first)
        call.lines("\"" + String(repeating: "x", count: LiveHandler.maxQueue) + "\"", "1", "2", "3")
        call.send(.ended)
        transport.letGo()
        let frames = try channel.frames()
        #expect(
            frames.dropFirst() == [#"{"type":"dropped","count":3}"#, "<close 1012 the supervisor ended the stream>"])
    }

    @Test func aPageThatReadsGetsEveryLineOfABurst() throws {
        let live = LiveFixture()
        let (channel, call) = try live.open()
        let line = "\"" + String(repeating: "x", count: 998) + "\""
        for _ in 0..<2000 { call.send(.line(ByteBuffer(string: line))) }
        call.send(.pause)
        let frames = try channel.frames()
        #expect(frames.count == 2000 && frames.allSatisfy { $0 == line })
    }
}
