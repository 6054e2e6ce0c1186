import Model
import NIOCore
import Testing

@testable import WebSocketProtocol

@Suite struct SharedFrameTests {
    private func pool(threshold: Int = 100) -> DeflatePool {
        var configuration = CompressionConfiguration()
        configuration.threshold = threshold
        return DeflatePool(configuration)
    }

    private func server(_ pool: DeflatePool, takeover: Bool = false, bits: UInt8 = 15) -> WebSocketConnection {
        let parameters = DeflateParameters(serverContextTakeover: takeover, serverWindowBits: bits)
        return WebSocketConnection(deflate: parameters, pool: pool)
    }

    private func address(_ buffer: ByteBuffer) -> UnsafeRawPointer? {
        buffer.withUnsafeReadableBytes { $0.baseAddress }
    }

    @Test func compressesOncePerWindow() throws {
        let pool = pool()
        let payload = sampleText(3000, seed: 1)
        var message = SharedFrame(.text, payload)
        var frames: [ByteBuffer] = []
        for bits: UInt8 in [15, 15, 10, 15, 10] {
            var connection = server(pool, bits: bits)
            frames.append(connection.frame(of: &message))
            var client = WebSocketConnection(role: .client, deflate: connection.deflateParameters)
            #expect(client.events(from: frames[frames.count - 1]) == [.message(.text, payload)])
        }
        #expect(pool.counters.sent.messages == 2)
        #expect(pool.counters.sent.plainBytes == UInt64(2 * payload.readableBytes))
        #expect(address(frames[0]) == address(frames[1]) && address(frames[1]) == address(frames[3]))
        #expect(address(frames[2]) == address(frames[4]) && address(frames[0]) != address(frames[2]))
        // Not more room than the frame needs, but for what an allocation is rounded up by.
        #expect(frames[0].readableBytes < payload.readableBytes)
        #expect(frames[0].capacity <= 2 * (frames[0].readableBytes + 10))
        var plain = WebSocketConnection()
        #expect(plain.frame(of: &message) == FrameWriter.frame(.text, payload))
    }

    @Test func aWindowOfItsOwnMakesAFrameOfItsOwn() {
        let pool = pool()
        let payload = sampleText(1000, seed: 1)
        var one = server(pool, takeover: true)
        var client = WebSocketConnection(role: .client, deflate: one.deflateParameters)
        for expected in [100..<900, 5..<40] {
            var message = SharedFrame(.text, payload)
            var out = ByteBuffer()
            one.write(&message, into: &out)
            #expect(expected.contains(out.readableBytes))
            #expect(client.events(from: out) == [.message(.text, payload)])
        }
    }

    @Test func sendsPlainWhereItIsNoGain() {
        let pool = pool()
        var generator = SeededGenerator(seed: 3)
        let noise = ByteBuffer(bytes: (0..<500).map { _ in UInt8.random(in: 0...255, using: &generator) })
        for payload in [noise, ByteBuffer(repeating: 0x61, count: 99), ByteBuffer()] {
            var message = SharedFrame(.binary, payload)
            var connection = server(pool)
            #expect(connection.frame(of: &message) == FrameWriter.frame(.binary, payload))
            var out = ByteBuffer()
            connection.write(.binary, payload, into: &out)
            #expect(out == FrameWriter.frame(.binary, payload))
        }
        #expect(pool.counters.sent.messages == 0)
        var message = SharedFrame(.binary, ByteBuffer(repeating: 0x61, count: 100))
        var connection = server(pool)
        #expect(connection.frame(of: &message).readableBytes < 20)
    }

    @Test func aNewConfigurationCounts() {
        let pool = pool()
        var connection = server(pool)
        let payload = sampleText(5000, seed: 1)
        var best = ByteBuffer()
        connection.write(.text, payload, into: &best)
        pool.configuration.level = 1
        var fast = ByteBuffer()
        connection.write(.text, payload, into: &fast)
        #expect(fast.readableBytes > best.readableBytes)
        pool.configuration.threshold = 10_000
        var plain = ByteBuffer()
        connection.write(.text, payload, into: &plain)
        #expect(plain.readableBytes > 5000)
    }

    @Test func countsWhatItDoes() {
        let pool = pool(threshold: 0)
        var server = server(pool)
        var client = WebSocketConnection(role: .client, deflate: DeflateParameters(), pool: pool)
        var out = ByteBuffer()
        client.write(.text, ByteBuffer(string: "Hello"), maskingKey: 7, into: &out)
        #expect(server.events(from: out) == [.text("Hello")])
        var expected = DeflateCounters.Direction()
        expected.add(plain: 5, compressed: 7)
        #expect(pool.counters.received == expected)
        #expect(pool.counters.sent == expected)
    }

    @Test func heldBytesAreTold() {
        let pool = pool()
        var idle = server(pool, takeover: true)
        #expect(idle.compressionBytes == 0)
        var out = ByteBuffer()
        idle.write(.text, sampleText(1000, seed: 1), into: &out)
        #expect((256 * 1024...280 * 1024).contains(idle.compressionBytes))
        var sharing = server(pool)
        sharing.write(.text, sampleText(1000, seed: 1), into: &out)
        #expect(sharing.compressionBytes == 0)
        #expect(WebSocketConnection().compressionBytes == 0)
        #expect(MemoryLayout<WebSocketConnection>.size <= 104)
    }
}
