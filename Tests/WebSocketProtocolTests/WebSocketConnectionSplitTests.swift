import Model
import NIOCore
import Testing

@testable import WebSocketProtocol

/// The same bytes in whatever pieces are the same events, and no bytes trap.
@Suite struct WebSocketConnectionSplitTests {
    private static let conversation = joined(
        masked(.text, "short"), masked(.ping, "are you there"),
        masked(.binary, ByteBuffer(bytes: (0..<200).map { UInt8($0) })), masked(.text, "κόσ", final: false),
        masked(.pong, "yes"), masked(.continuation, "", final: false), masked(.continuation, "με €"),
        masked(.text, ByteBuffer(repeating: 0x7A, count: 300)), masked(.close, hex("03e8 676f6f64"))
    )

    @Test func everyPairOfPieces() {
        let bytes = Self.conversation
        let whole = events(bytes)
        #expect(whole.count == 7)
        for split in 0...bytes.readableBytes {
            var connection = WebSocketConnection()
            #expect(connection.events(from: bytes, splitAt: [split]) == whole, "split at \(split)")
        }
    }

    @Test(arguments: [1, 2, 3, 5, 7, 13])
    func piecesOfOneSize(_ size: Int) {
        let bytes = Self.conversation
        var connection = WebSocketConnection()
        let offsets = Array(stride(from: size, to: bytes.readableBytes, by: size))
        #expect(connection.events(from: bytes, splitAt: offsets) == events(bytes))
    }

    @Test func randomMutationsNeverTrapAndSplitAlike() {
        let limits = WebSocketLimits(maxMessageSize: 2000, maxFragments: 4)
        for seed in UInt64(1)...4000 {
            var generator = SeededGenerator(seed: seed &* 0x9E37_79B9)
            var bytes = Array(Self.conversation.readableBytesView)
            for _ in 0..<Int.random(in: 0...4, using: &generator) {
                let index = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: bytes[index] ^= 1 << UInt8.random(in: 0...7, using: &generator)
                case 1: bytes[index] = UInt8.random(in: 0...255, using: &generator)
                case 2: bytes.remove(at: index)
                default: bytes.insert(UInt8.random(in: 0...255, using: &generator), at: index)
                }
            }
            let buffer = ByteBuffer(bytes: bytes)
            let whole = events(buffer, limits: limits)
            let offsets = (0..<6).map { _ in Int.random(in: 0...bytes.count, using: &generator) }
            var connection = WebSocketConnection(limits: limits)
            let pieces = connection.events(from: buffer, splitAt: offsets)
            #expect(pieces == whole, "seed \(seed)")
            #expect(connection.heldBytes <= 2 * 2000 + FrameHeader.maxSize, "seed \(seed)")
        }
    }

    @Test func noiseNeverTraps() {
        for seed in UInt64(1)...2000 {
            var generator = SeededGenerator(seed: seed)
            var connection = WebSocketConnection(role: seed % 2 == 0 ? .server : .client)
            for _ in 0..<4 {
                let noise = (0..<Int.random(in: 0...30, using: &generator)).map { _ in
                    UInt8.random(in: 0...255, using: &generator)
                }
                _ = connection.events(from: ByteBuffer(bytes: noise))
            }
        }
    }
}
