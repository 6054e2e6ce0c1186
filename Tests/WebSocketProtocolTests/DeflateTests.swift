import FoundationEssentials
import Model
import NIOCore
import Testing

@testable import WebSocketProtocol

/// Both ends of a connection with permessage-deflate, and what is fed to them.
struct DeflatePair {
    var server: WebSocketConnection
    var client: WebSocketConnection

    init(
        _ parameters: DeflateParameters = DeflateParameters(),
        threshold: Int = 0,
        limits: WebSocketLimits = WebSocketLimits()
    ) {
        var configuration = CompressionConfiguration()
        configuration.enabled = true
        configuration.threshold = threshold
        server = WebSocketConnection(
            role: .server, limits: limits, deflate: parameters, pool: DeflatePool(configuration))
        client = WebSocketConnection(
            role: .client, limits: limits, deflate: parameters, pool: DeflatePool(configuration))
    }

    mutating func toServer(_ payload: ByteBuffer, _ kind: MessageKind = .text) -> ByteBuffer {
        var out = ByteBuffer()
        client.write(kind, payload, maskingKey: 0x3D21_FA37, into: &out)
        return out
    }

    mutating func toClient(_ payload: ByteBuffer, _ kind: MessageKind = .text) -> ByteBuffer {
        var out = ByteBuffer()
        server.write(kind, payload, into: &out)
        return out
    }

    /// The payload of the client's next frame, and whether it is compressed.
    mutating func deflated(_ payload: ByteBuffer) -> (ByteBuffer, Bool) {
        var frame = toServer(payload)
        let rules = FrameHeader.Rules(masked: true, compression: true)
        guard case .header(let header) = frame.withUnsafeReadableBytes({ FrameHeader.read($0, rules: rules) }) else {
            return (frame, false)
        }
        frame.moveReaderIndex(forwardBy: header.size)
        _ = frame.withUnsafeMutableReadableBytes { Masking.apply(header.maskingKey, to: $0) }
        return (frame, header.isCompressed)
    }
}

/// A client's frame with RSV1.
func compressed(_ opcode: Opcode, _ payload: ByteBuffer, final: Bool = true) -> ByteBuffer {
    var out = ByteBuffer()
    FrameWriter.write(opcode, payload, isFinal: final, isCompressed: true, maskingKey: 0x0102_0304, into: &out)
    return out
}

/// Text with some repetition in it, as JSON has.
func sampleText(_ count: Int, seed: UInt64) -> ByteBuffer {
    var generator = SeededGenerator(seed: seed &* 0x9E37_79B9)
    var out = ByteBuffer()
    let words = ["{\"type\":", "\"message\"", ",", "grün ", "0123", "lobby", "}", "ada ", "€"]
    while out.readableBytes < count {
        out.writeString(words[Int.random(in: 0..<words.count, using: &generator)])
        if Int.random(in: 0..<6, using: &generator) == 0 {
            out.writeString(String(generator.next(), radix: 36))
        }
    }
    return out
}

@Suite struct DeflateExampleTests {
    private func client(_ frames: String...) -> [[WebSocketEvent]] {
        var pair = DeflatePair()
        return frames.map { pair.client.events(from: hex($0)) }
    }

    /// RFC 7692 section 7.2.3.
    @Test func readsTheExamplesOfTheRFC() {
        #expect(client("c107 f248cdc9c90700") == [[.text("Hello")]])
        #expect(client("4103 f248cd", "8004 c9c90700") == [[], [.text("Hello")]])
        #expect(client("c107 f248cdc9c90700", "c105 f200110000") == [[.text("Hello")], [.text("Hello")]])
        #expect(client("c10b 000500faff48656c6c6f00") == [[.text("Hello")]])
        #expect(client("c108 f348cdc9c9070000") == [[.text("Hello")]])
        #expect(client("c10d f2480500 0000ffffcac9c90700") == [[.text("Hello")]])
        #expect(client("c101 00") == [[.text("")]])
    }

    @Test func writesTheExamplesOfTheRFC() {
        var pair = DeflatePair()
        #expect(pair.toClient(ByteBuffer(string: "Hello")) == hex("c107 f248cdc9c90700"))
        #expect(pair.toClient(ByteBuffer(string: "Hello")) == hex("c105 f200110000"))
        #expect(pair.toClient(ByteBuffer()) == hex("c101 00"))
        let third = pair.toClient(ByteBuffer(string: "Hello"))
        #expect(third.readableBytes <= 7)
        #expect(pair.client.events(from: joined(hex("c107 f248cdc9c90700 c105 f200110000 c101 00"), third)).count == 4)
    }

    @Test func mixesWithPlainMessagesAndControlFrames() {
        #expect(
            client("8105 48656c6c6f", "4103 f248cd", "8901 70", "8004 c9c90700", "8105 48656c6c6f")
                == [[.text("Hello")], [], [.ping("p")], [.text("Hello")], [.text("Hello")]])
    }

    @Test func takesLastBlocksAnywhere() {
        // Ends with a last block, without the octet that the RFC adds; the window goes on.
        #expect(client("c107 f348cdc9c90700", "c105 f200110000") == [[.text("Hello")], [.text("Hello")]])
        // Two streams in one message.
        #expect(client("c10f f348cdc9c90700 f348cdc9c90700 00") == [[.text("HelloHello")]])
        // An empty message that not even has the header of a block.
        #expect(client("c100", "c107 f248cdc9c90700") == [[.text("")], [.text("Hello")]])
    }
}

@Suite struct DeflateRuleTests {
    private func events(_ bytes: ByteBuffer, max: Int = 65_536) -> [WebSocketEvent] {
        var pair = DeflatePair(limits: WebSocketLimits(maxMessageSize: max))
        return pair.server.events(from: bytes)
    }

    private static let hello = hex("f248cdc9c90700")

    @Test func rsv1IsForFirstFramesOfMessages() {
        #expect(events(compressed(.text, Self.hello)) == [.text("Hello")])
        #expect(events(compressed(.binary, Self.hello)) == [.binary("Hello")])
        #expect(WebSocketProtocolTests.events(compressed(.text, Self.hello)).map(\.failure) == [.protocolError])
        for opcode in [Opcode.ping, .pong, .close] {
            #expect(events(compressed(opcode, ByteBuffer())).map(\.failure) == [.protocolError])
        }
        let begun = compressed(.text, hex("f248cd"), final: false)
        #expect(events(joined(begun, compressed(.continuation, hex("c9c90700")))).map(\.failure) == [.protocolError])
        let plain = masked(.text, "a", final: false)
        #expect(events(joined(plain, compressed(.continuation, hex("c9c90700")))).map(\.failure) == [.protocolError])
        for bits: UInt8 in [0x10, 0x20, 0x30, 0x50, 0x60, 0x70] {
            var frame = masked(.text, "a")
            frame.setInteger(0x81 | bits, at: 0)
            #expect(events(frame).map(\.failure) == [.protocolError])
        }
    }

    @Test(arguments: [
        // A reserved kind of block; a stored block whose lengths do not fit; a distance before the start.
        "07", "000500faf048656c6c6f00", "020000", "4a040200",
        // Breaks off within a block, within a length, within a character.
        "f248cdc9", "000500faff4865", "00050000", "f2",
        // An octet behind the end.
        "f248cdc9c9070001", "f248cdc9c90700ff",
        // What the sender had to take off is still there, with more behind it.
        "f248cdc9c907000000ffff 03",
    ])
    func refusesWhatIsNotDeflate(_ payload: String) {
        #expect(events(compressed(.binary, hex(payload))).map(\.failure) == [.invalidPayload])
    }

    @Test func checksTextBehindTheCompression() {
        let wrong = hex("000300fcff 61e282 00")
        #expect(events(compressed(.text, wrong)).map(\.failure) == [.invalidPayload])
        #expect(events(compressed(.binary, wrong)) == [.message(.binary, hex("61e282"))])
        // Compressed bytes need not be UTF-8, whole or in fragments.
        let frames = joined(
            compressed(.text, hex("f248"), final: false), masked(.continuation, hex("cdc9"), final: false),
            masked(.continuation, hex("c90700")))
        #expect(events(frames) == [.text("Hello")])
    }

    @Test func withoutTakeoverEachMessageStandsAlone() {
        let again = joined(compressed(.text, Self.hello), compressed(.text, hex("f200110000")))
        #expect(events(again) == [.text("Hello"), .text("Hello")])
        var pair = DeflatePair(DeflateParameters(clientContextTakeover: false))
        #expect(pair.server.events(from: again).map(\.failure) == [nil, .invalidPayload])
    }

    @Test func boundsWhatComesOut() {
        for size in [999, 1000, 1001, 5000, 10_000_000] {
            var pair = DeflatePair()
            let bomb = pair.toServer(ByteBuffer(repeating: 0x61, count: size), .binary)
            #expect(bomb.readableBytes < size / 20)
            let failure = events(bomb, max: 1000).map(\.failure)
            #expect(failure == [size <= 1000 ? nil : .messageTooBig], "\(size)")
        }
        // Blocks that make nothing of much, and a limit of nothing.
        let idle = ByteBuffer(bytes: Array(repeating: [0x00, 0x00, 0x00, 0xFF, 0xFF], count: 200).joined() + [0])
        #expect(events(compressed(.binary, idle), max: 1000) == [.binary("")])
        #expect(events(compressed(.binary, idle), max: 800).map(\.failure) == [.messageTooBig])
        #expect(events(compressed(.text, Self.hello), max: 5) == [.text("Hello")])
        #expect(events(compressed(.text, Self.hello), max: 4).map(\.failure) == [.messageTooBig])
        #expect(events(compressed(.text, hex("00")), max: 0) == [.text("")])
    }

    @Test func whatDoesNotCompressStillFits() {
        var generator = SeededGenerator(seed: 7)
        let noise = ByteBuffer(bytes: (0..<1000).map { _ in UInt8.random(in: 0...255, using: &generator) })
        var pair = DeflatePair(limits: WebSocketLimits(maxMessageSize: 1000))
        let frame = pair.toServer(noise, .binary)
        #expect(frame.readableBytes > 1000)
        #expect(pair.server.events(from: frame) == [.message(.binary, noise)])
    }

    @Test func aFailedDecompressionEndsTheConnectionOnly() {
        let pool = DeflatePool()
        var (one, two) = (
            WebSocketConnection(deflate: DeflateParameters(), pool: pool),
            WebSocketConnection(deflate: DeflateParameters(), pool: pool)
        )
        #expect(two.events(from: compressed(.text, Self.hello)) == [.text("Hello")])
        #expect(one.events(from: compressed(.text, hex("f248cdc9"))).map(\.failure) == [.invalidPayload])
        #expect(two.events(from: compressed(.text, hex("f200110000"))) == [.text("Hello")])
    }
}

@Suite struct DeflateRoundTripTests {
    @Test(arguments: [UInt8(9), 10, 12, 15], [true, false])
    func everyWindow(_ bits: UInt8, _ takeover: Bool) {
        let parameters = DeflateParameters(
            serverContextTakeover: takeover, clientContextTakeover: takeover, serverWindowBits: bits,
            clientWindowBits: bits)
        var pair = DeflatePair(parameters, limits: WebSocketLimits(maxMessageSize: 200_000))
        for (seed, size) in [1, 10, 300, 1000, 40_000, 5, 31_000, 33_000, 100_000, 700, 0, 32_768, 32_768].enumerated()
        {
            let text = size == 0 ? ByteBuffer() : sampleText(size, seed: UInt64(seed / 2 + 1))
            #expect(pair.server.events(from: pair.toServer(text)) == [.message(.text, text)], "\(size)")
            #expect(pair.client.events(from: pair.toClient(text)) == [.message(.text, text)], "\(size)")
        }
        let window = takeover ? 1 << Int(bits) : 0
        #expect(pair.server.deflate?.received.readableBytes == window)
        #expect(pair.server.deflate?.received.capacity == window)
    }

    @Test func aMessageOfItsOwnMakesTheNextSmaller() {
        let text = sampleText(2000, seed: 1)
        var keeping = DeflatePair()
        let first = keeping.toClient(text).readableBytes
        #expect(keeping.toClient(text).readableBytes < first / 10)
        var forgetting = DeflatePair(DeflateParameters(serverContextTakeover: false))
        #expect(forgetting.toClient(text) == forgetting.toClient(text))
    }

    @Test func splitsAndMigrationsMakeNoDifference() throws {
        var pair = DeflatePair()
        let texts = (1...4).map { sampleText(60, seed: UInt64($0 / 2)) }
        var bytes = ByteBuffer()
        for text in texts { bytes.writeImmutableBuffer(pair.toServer(text)) }
        bytes.writeImmutableBuffer(compressed(.text, hex("f248"), final: false))
        bytes.writeImmutableBuffer(masked(.ping, "p"))
        bytes.writeImmutableBuffer(masked(.continuation, hex("cdc9c90700")))
        let expected = texts.map { WebSocketEvent.message(.text, $0) } + [.ping("p"), .text("Hello")]
        for split in 0...bytes.readableBytes {
            var first = WebSocketConnection(deflate: DeflateParameters())
            var result = first.events(from: try #require(bytes.getSlice(at: 0, length: split)))
            var second = try JSONDecoder().decode(WebSocketConnection.self, from: JSONEncoder().encode(first))
            second.use(DeflatePool())
            let rest = try #require(bytes.getSlice(at: split, length: bytes.readableBytes - split))
            result += second.events(from: rest)
            #expect(result == expected, "split at \(split)")
        }
    }

    @Test(arguments: [UInt8(9), 12, 15])
    func theOwnWindowMigrates(_ bits: UInt8) throws {
        var pair = DeflatePair(
            DeflateParameters(serverWindowBits: bits), limits: WebSocketLimits(maxMessageSize: 1 << 17))
        for seed in UInt64(1)...6 {
            let text = sampleText(seed % 2 == 0 ? 50_000 : 300, seed: seed / 3)
            #expect(pair.client.events(from: pair.toClient(text)) == [.message(.text, text)])
            pair.server = try JSONDecoder().decode(
                WebSocketConnection.self, from: JSONEncoder().encode(pair.server))
            // Twice without use in between.
            pair.server = try JSONDecoder().decode(
                WebSocketConnection.self, from: JSONEncoder().encode(pair.server))
        }
        let text = sampleText(2000, seed: 2)
        var configuration = CompressionConfiguration()
        configuration.threshold = 0
        pair.server.use(DeflatePool(configuration))
        let first = pair.toClient(text)
        #expect(pair.client.events(from: first) == [.message(.text, text)])
    }

    @Test func copiesGoTheirOwnWay() {
        var pair = DeflatePair()
        let text = sampleText(500, seed: 3)
        #expect(pair.client.events(from: pair.toClient(text)) == [.message(.text, text)])
        #expect(pair.server.events(from: pair.toServer(text)) == [.message(.text, text)])
        var other = pair
        for seed in UInt64(10)...13 {
            let (one, two) = (sampleText(400, seed: seed), sampleText(400, seed: seed * 7))
            #expect(pair.client.events(from: pair.toClient(one)) == [.message(.text, one)])
            #expect(other.client.events(from: other.toClient(two)) == [.message(.text, two)])
            #expect(pair.server.events(from: pair.toServer(one)) == [.message(.text, one)])
            #expect(other.server.events(from: other.toServer(two)) == [.message(.text, two)])
        }
    }

    @Test func eightBitsAreNineOrNothing() {
        // A client told 8 bits that is a zlib uses 9.
        var pair = DeflatePair(DeflateParameters(clientWindowBits: 8))
        let nine = DeflatePool()
        nine.configuration.threshold = 0
        var client = WebSocketConnection(role: .client, deflate: DeflateParameters(clientWindowBits: 9), pool: nine)
        for seed in UInt64(1)...8 {
            let text = sampleText(300, seed: seed / 4)
            var out = ByteBuffer()
            client.write(.text, text, maskingKey: 1, into: &out)
            #expect(pair.server.events(from: out) == [.message(.text, text)])
        }
        // Ours sends as it is.
        var plain = masked(.text, sampleText(300, seed: 1))
        #expect(pair.toServer(sampleText(300, seed: 1)) == plain)
        pair = DeflatePair(DeflateParameters(clientContextTakeover: false, clientWindowBits: 8))
        plain = masked(.text, sampleText(300, seed: 1))
        #expect(pair.toServer(sampleText(300, seed: 1)) == plain)
    }

    @Test func randomBytesNeverTrap() {
        let pool = DeflatePool()
        for seed in UInt64(1)...20_000 {
            var generator = SeededGenerator(seed: seed &* 0x9E37_79B9)
            var connection = WebSocketConnection(
                limits: WebSocketLimits(maxMessageSize: 3000, maxFragments: 4),
                deflate: DeflateParameters(clientContextTakeover: seed % 2 == 0), pool: pool)
            for _ in 0..<3 {
                var payload = (0..<Int.random(in: 0...40, using: &generator)).map { _ in
                    UInt8.random(in: 0...255, using: &generator)
                }
                // Most noise begins with a reserved kind of block or a stored one.
                if !payload.isEmpty { payload[0] = payload[0] & 0xF8 | [2, 4, 3, 5][Int(seed % 4)] }
                for case .message(_, let message) in connection.events(
                    from: compressed(.binary, ByteBuffer(bytes: payload)))
                {
                    #expect(message.readableBytes <= 3000, "seed \(seed)")
                }
            }
        }
    }

    @Test func mutationsSplitAlikeAndNeverTrap() {
        let pool = DeflatePool()
        let limits = WebSocketLimits(maxMessageSize: 4000, maxFragments: 8)
        var pair = DeflatePair()
        var conversation = ByteBuffer()
        for seed in UInt64(1)...5 { conversation.writeImmutableBuffer(pair.toServer(sampleText(150, seed: seed / 2))) }
        for seed in UInt64(1)...3000 {
            var generator = SeededGenerator(seed: seed &* 0x9E37_79B9)
            var bytes = Array(conversation.readableBytesView)
            for _ in 0..<Int.random(in: 0...3, using: &generator) {
                let index = Int.random(in: 0..<bytes.count, using: &generator)
                bytes[index] ^= 1 << UInt8.random(in: 0...7, using: &generator)
            }
            let buffer = ByteBuffer(bytes: bytes)
            var (one, two) = (
                WebSocketConnection(limits: limits, deflate: DeflateParameters(), pool: pool),
                WebSocketConnection(limits: limits, deflate: DeflateParameters(), pool: pool)
            )
            let offsets = (0..<6).map { _ in Int.random(in: 0...bytes.count, using: &generator) }
            #expect(one.events(from: buffer, splitAt: offsets) == two.events(from: buffer), "seed \(seed)")
            #expect(one.heldBytes <= 2 * 5000 + FrameHeader.maxSize, "seed \(seed)")
        }
    }
}
