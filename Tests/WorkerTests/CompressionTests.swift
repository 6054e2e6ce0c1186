import Model
import NIOCore
import NIOEmbedded
import Realtime
import Testing
import WebSocketProtocol
import Wire

@testable import Worker

@Suite struct CompressionTests {
    static let offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n"

    /// A worker that compresses what has 16 bytes or more.
    func worker(_ change: (inout WsdConfiguration) -> Void = { _ in }) -> WorkerHarness {
        let worker = WorkerHarness {
            $0.websocket.compression.enabled = true
            $0.websocket.compression.threshold = 16
            change(&$0)
        }
        worker.connectHub()
        return worker
    }

    @Test func aRoomMessageIsCompressedOnce() throws {
        let worker = worker()
        let channels = try (0..<3).map { _ in try worker.client("/ws", Self.offer) }
        let plain = try worker.client()
        for channel in channels + [plain] { try worker.send(#"{"type":"joinRoom","roomId":"r"}"#, to: channel) }
        let data = "\"" + String(repeating: "abc", count: 100) + "\""
        worker.deliver("r", data, sequence: 1)
        worker.loop.run()
        #expect(worker.engine.deflatePool.counters.sent.messages == 1)
        let written = try channels.map { try $0.writes() }
        #expect(written.allSatisfy { $0.count == 1 && $0[0].readableBytes < 50 && $0 == written[0] })
        #expect(written[0][0].getInteger(at: 0, as: UInt8.self) == 0xC1)
        #expect(try plain.frames() == [data])
        let counters = worker.engine.currentCounters()
        #expect(counters.compressionIn == 302 && counters.compressionOut < 50)
        #expect(try worker.handler(channels[0]).core.compressionRatio ?? 1 < 0.2)
    }

    @Test func aWindowOfItsOwnIsUsedForEveryMessage() throws {
        let worker = worker { $0.websocket.compression.serverContextTakeover = true }
        let channel = try worker.client("/ws", Self.offer)
        try worker.send(#"{"type":"joinRoom","roomId":"r"}"#, to: channel)
        let data = "\"the quick brown fox jumps over the lazy dog\""
        var sizes: [Int] = []
        for sequence in 1...2 {
            worker.deliver("r", data, sequence: UInt64(sequence))
            worker.loop.run()
            sizes.append(try channel.writes().reduce(0) { $0 + $1.readableBytes })
        }
        #expect(sizes[1] < sizes[0])
    }

    @Test func isOffUnlessConfigured() throws {
        let worker = WorkerHarness()
        let channel = try worker.accept()
        try channel.writeInbound(worker.request("/ws", Self.offer))
        worker.loop.run()
        let text = String(buffer: try #require(try channel.writes().first))
        #expect(text.contains(" 101 ") && !text.contains("Extensions"))
    }
}
