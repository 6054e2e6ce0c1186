import Model
import NIOCore
import NIOEmbedded
import Testing

@testable import Worker

@Suite struct ProxyGateTests {
    static let line = "PROXY TCP4 203.0.113.9 192.0.2.1 54321 443\r\n"

    func world(_ proxies: [String] = ["192.0.2.0/24"]) -> WorkerHarness {
        WorkerHarness {
            $0.limits.proxyProtocol = true
            $0.http.trustedProxies = proxies
        }
    }

    func text(_ worker: WorkerHarness, _ channel: EmbeddedChannel) throws -> String {
        worker.loop.run()
        return try channel.writes().map { String(buffer: $0) }.joined()
    }

    @Test func theProxySaysWhoTheClientIs() throws {
        let worker = world()
        let channel = try worker.accept()
        var bytes = ByteBuffer(string: Self.line)
        bytes.writeImmutableBuffer(worker.request())
        for byte in bytes.readableBytesView { try channel.writeInbound(ByteBuffer(bytes: [byte])) }
        #expect(try text(worker, channel).hasPrefix("HTTP/1.1 101 "))
        #expect(try worker.handler(channel).info.address == "203.0.113.9")
    }

    @Test func aProxyThatSpeaksForItselfIsItself() throws {
        let worker = world()
        let channel = try worker.accept()
        try channel.writeInbound(ByteBuffer(string: "PROXY UNKNOWN\r\n"))
        try channel.writeInbound(worker.request("/ws", "X-Forwarded-For: 198.51.100.7\r\n"))
        #expect(try text(worker, channel).hasPrefix("HTTP/1.1 101 "))
        #expect(try worker.handler(channel).info.address == "198.51.100.7")
    }

    @Test func aTrustedProxyHasToSendIt() throws {
        let worker = world()
        for bytes in [worker.request(), ByteBuffer(string: "PROXY TCP4 nonsense\r\n")] {
            let channel = try worker.accept()
            try channel.writeInbound(bytes)
            #expect(try text(worker, channel).hasPrefix("HTTP/1.1 400 "))
            #expect(!channel.isActive)
        }
        #expect(worker.engine.admission.refusals[.proxyHeader] == 2)
    }

    @Test func nobodyElseMaySendIt() throws {
        let worker = world(["198.51.100.0/24"])
        let channel = try worker.accept()
        try channel.writeInbound(worker.request())
        #expect(try text(worker, channel).hasPrefix("HTTP/1.1 101 "))
        let liar = try worker.accept()
        try liar.writeInbound(ByteBuffer(string: Self.line))
        try liar.writeInbound(worker.request())
        #expect(try text(worker, liar).hasPrefix("HTTP/1.1 400 "))
    }

    @Test func aHeaderThatDoesNotComeIsNotWaitedForForEver() throws {
        let worker = world()
        let (silent, slow) = (try worker.accept(), try worker.accept())
        try slow.writeInbound(ByteBuffer(string: "PROXY TC"))
        worker.advance(.milliseconds(10_500))
        #expect(!silent.isActive && !slow.isActive)
        #expect(try text(worker, silent).isEmpty)
        #expect(try text(worker, slow).hasPrefix("HTTP/1.1 408 "))
    }
}
