import Model
import NIOCore
import NIOEmbedded
import Testing
import WebSocketProtocol
import Wire

@testable import Worker

@Suite struct ConnectionGateTests {
    func response(_ worker: WorkerHarness, _ channel: EmbeddedChannel) throws -> String {
        worker.loop.run()
        return try channel.writes().map { String(buffer: $0) }.joined()
    }

    @Test func upgradesAndGreetsInOneWrite() throws {
        let worker = WorkerHarness()
        let channel = try worker.accept()
        try channel.writeInbound(worker.request())
        worker.loop.run()
        let writes = try channel.writes().map { String(buffer: $0) }
        #expect(writes.count == 1)
        #expect(writes[0].hasPrefix("HTTP/1.1 101 ") && writes[0].contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="))
        #expect(writes[0].contains(#"{"type":"connected","clientId":"7-1"}"#))
        #expect(worker.engine.connections.count == 1 && worker.engine.openSockets == 1)
        #expect(throws: (any Error).self) { try channel.pipeline.syncOperations.handler(type: ConnectionGate.self) }
    }

    @Test func takesTheHeadByteByByte() throws {
        let worker = WorkerHarness()
        let channel = try worker.accept()
        for byte in worker.request().readableBytesView { try channel.writeInbound(ByteBuffer(bytes: [byte])) }
        #expect(try response(worker, channel).hasPrefix("HTTP/1.1 101 "))
    }

    @Test func feedsOnWhatFollowsTheHead() throws {
        let worker = WorkerHarness()
        let channel = try worker.accept()
        var bytes = worker.request("/wsd/echo")
        bytes.writeImmutableBuffer(Frames.client("early"))
        try channel.writeInbound(bytes)
        #expect(try response(worker, channel).hasSuffix("early"))
    }

    @Test(arguments: [
        (
            "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                + "Sec-WebSocket-Version: 13\r\n\r\n", "400"
        ),
        (
            "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 8\r\n\r\n", "426"
        ),
        ("\u{16}\u{03}\u{01}", "400"),
        ("GET /ws HTTP/1.1\r\nX: \(String(repeating: "x", count: 20_000))\r\n\r\n", "431"),
    ])
    func refusesWithASentence(_ request: String, _ status: String) throws {
        let worker = WorkerHarness()
        let channel = try worker.accept()
        try channel.writeInbound(ByteBuffer(string: request))
        let text = try response(worker, channel)
        #expect(text.hasPrefix("HTTP/1.1 \(status) "))
        #expect(text.contains("Connection: ") && text.contains("close\r\n"))
        #expect(worker.engine.counters.handshakesRefused == 1)
        #expect(!channel.isActive && worker.engine.openSockets == 0)
    }

    @Test func refusesOtherPaths() throws {
        let worker = WorkerHarness { $0.websocket.echo = false }
        for path in ["/other", "/wsd/echo", "/ws/"] {
            let channel = try worker.accept()
            try channel.writeInbound(worker.request(path))
            #expect(try response(worker, channel).hasPrefix("HTTP/1.1 404 "))
        }
    }

    @Test func selectsNoSubprotocolItDoesNotSpeak() throws {
        let worker = WorkerHarness()
        let channel = try worker.accept()
        try channel.writeInbound(worker.request("/ws", "Sec-WebSocket-Protocol: graphql-ws\r\n"))
        let text = try response(worker, channel)
        #expect(text.hasPrefix("HTTP/1.1 101 ") && !text.contains("Sec-WebSocket-Protocol"))
    }

    @Test func slowHeadIsRefused() throws {
        let worker = WorkerHarness()
        let (silent, slow) = (try worker.accept(), try worker.accept())
        try slow.writeInbound(ByteBuffer(string: "GET /ws HT"))
        worker.advance(.milliseconds(9_500))
        #expect(silent.isActive && slow.isActive)
        worker.advance(.seconds(1))
        #expect(!silent.isActive && !slow.isActive)
        #expect(try response(worker, silent).isEmpty)
        #expect(try response(worker, slow).hasPrefix("HTTP/1.1 408 "))
    }

    @Test func whoWasAcceptedBeforeADrainIsServedAndThenClosedLikeTheOthers() throws {
        let worker = WorkerHarness()
        var finished = 0
        worker.engine.supervisor.finished = { finished += 1 }
        let (channel, silent) = (try worker.accept(), try worker.accept())
        worker.engine.beginDrain(code: .serviceRestart, spread: .zero, deadline: .seconds(30))
        try channel.writeInbound(worker.request())
        #expect(try response(worker, channel).hasPrefix("HTTP/1.1 101 "))
        worker.loop.advanceTime(by: .milliseconds(40))
        #expect(try channel.frames() == ["<close 1012 restart>"])
        try channel.writeInbound(Frames.close(1012))
        worker.loop.run()
        #expect(!channel.isActive && silent.isActive && finished == 0)
        worker.time.now += WorkerEngine.gateGrace
        worker.loop.advanceTime(by: .milliseconds(40))
        #expect(!silent.isActive && finished == 1)
    }

    @Test func believesATrustedProxyAlone() throws {
        for (proxies, expected) in [(["192.0.2.0/24"], "203.0.113.9"), ([], "192.0.2.1")] {
            let worker = WorkerHarness { $0.http.trustedProxies = proxies }
            let channel = try worker.accept()
            try channel.writeInbound(
                worker.request("/ws", "X-Forwarded-For: 203.0.113.9\r\nOrigin: https://a.example\r\n"))
            let info = try worker.handler(channel).info
            #expect(info.address == expected)
            #expect(info.origin == "https://a.example")
        }
    }
}
