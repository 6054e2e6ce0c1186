import Model
import NIOCore
import Testing

@testable import WebSocketProtocol

/// What the cases 1 to 7 of the Autobahn test suite send, and what has to come of it.
@Suite struct AutobahnTests {
    @Test(arguments: [0, 125, 126, 127, 128, 65_535, 65_536], [MessageKind.text, .binary])
    func case1Lengths(_ length: Int, _ kind: MessageKind) {
        let payload = ByteBuffer(repeating: 0x2A, count: length)
        let bytes = masked(kind == .text ? .text : .binary, payload)
        let limits = WebSocketLimits(maxMessageSize: 65_536)
        #expect(events(bytes, limits: limits) == [.message(kind, payload)])
        var connection = WebSocketConnection(limits: limits)
        let chops = Array(stride(from: 997, to: bytes.readableBytes, by: 997))
        #expect(connection.events(from: bytes, splitAt: chops) == [.message(kind, payload)])
    }

    @Test func case2Pings() {
        #expect(events(masked(.ping)) == [.ping("")])
        #expect(events(masked(.ping, "Hello, world!")) == [.ping("Hello, world!")])
        #expect(events(masked(.ping, hex("00ff fe fd"))) == [.ping(hex("00ff fe fd"))])
        let longest = ByteBuffer(repeating: 0xFE, count: 125)
        #expect(events(masked(.ping, longest)) == [.ping(longest)])
        #expect(events(masked(.ping, ByteBuffer(repeating: 0xFE, count: 126))).map(\.failure) == [.protocolError])
        #expect(events(joined(masked(.pong, "unsolicited"), masked(.ping, "p"))) == [.pong("unsolicited"), .ping("p")])
        let ten = (0..<10).map { masked(.ping, "payload-\($0)") }
        let all = ten.reduce(into: ByteBuffer()) { $0.writeImmutableBuffer($1) }
        #expect(events(all) == (0..<10).map { .ping("payload-\($0)") })
    }

    @Test(arguments: [UInt8(0x10), 0x20, 0x30, 0x40, 0x50, 0x60, 0x70])
    func case3ReservedBits(_ bits: UInt8) {
        for opcode in [Opcode.text, .binary, .close, .ping, .pong] {
            var frame = masked(opcode, opcode == .close ? "" : "Hello, world!")
            frame.setInteger(opcode.rawValue | 0x80 | bits, at: 0)
            let failure = WebSocketEvent.failed(.protocolError, reason: "a reserved bit is set")
            #expect(events(joined(masked(.text, "ok"), frame)) == [.text("ok"), failure])
        }
    }

    @Test(arguments: [UInt8(3), 4, 5, 6, 7, 11, 12, 13, 14, 15])
    func case4ReservedOpcodes(_ opcode: UInt8) {
        for payload in ["", "Hello, world!"] {
            var frame = masked(.text, payload)
            frame.setInteger(opcode | 0x80, at: 0)
            #expect(events(joined(masked(.text, "ok"), frame, masked(.ping))).map(\.failure) == [nil, .protocolError])
        }
    }

    @Test func case5Fragmentation() {
        let ping = masked(.ping, "p")
        // 5.1, 5.2: fragmented control frames.
        #expect(events(masked(.ping, "f", final: false)).map(\.failure) == [.protocolError])
        #expect(events(masked(.pong, "f", final: false)).map(\.failure) == [.protocolError])
        // 5.3 to 5.8: two fragments, with and without a ping between.
        let (one, two) = (masked(.text, "fragment1", final: false), masked(.continuation, "fragment2"))
        #expect(events(joined(one, two)) == [.text("fragment1fragment2")])
        #expect(events(joined(one, ping, two)) == [.ping("p"), .text("fragment1fragment2")])
        // 5.9 to 5.14: a continuation of nothing.
        for final in [true, false] {
            let lost = masked(.continuation, "non-continuation payload", final: final)
            #expect(events(joined(lost, masked(.text, "Hello, world!"))).map(\.failure) == [.protocolError])
        }
        // 5.15: a message, then a continuation of nothing.
        let lost = joined(one, two, masked(.continuation, "fragment3", final: false), masked(.text, "fragment4"))
        #expect(events(lost).map(\.failure) == [nil, .protocolError])
        // 5.18: a second message within the first.
        #expect(events(joined(one, masked(.text, "fragment2"))).map(\.failure) == [.protocolError])
        // 5.19, 5.20: five fragments, pings between.
        let five = joined(
            one, masked(.continuation, "fragment2", final: false), ping,
            masked(.continuation, "fragment3", final: false), masked(.continuation, "fragment4", final: false), ping,
            masked(.continuation, "fragment5"))
        #expect(events(five) == [.ping("p"), .ping("p"), .text("fragment1fragment2fragment3fragment4fragment5")])
    }

    @Test(arguments: [
        "cebae1bdb9cf83cebcceb5", "00", "c280", "e0a080", "f0908080", "7f", "dfbf", "efbfbf", "f48fbfbf", "ed9fbf",
        "ee8080", "efbfbd", "f09f92a5", "efbfbe", "f09fbfbe",
    ])
    func case6ValidText(_ payload: String) {
        #expect(events(masked(.text, hex(payload))) == [.message(.text, hex(payload))])
        var connection = WebSocketConnection()
        let octets = hex(payload)
        var frames = masked(.text, "", final: false)
        for byte in octets.readableBytesView {
            frames.writeImmutableBuffer(masked(.continuation, ByteBuffer(bytes: [byte]), final: false))
        }
        frames.writeImmutableBuffer(masked(.continuation))
        #expect(connection.events(from: frames) == [.message(.text, octets)])
    }

    @Test(arguments: [
        "cebae1bdb9cf83cebcceb5eda080656469746564", "f88888808080", "fc84808080 80", "f4908080", "f5808080", "ff",
        "c0af",
        "e080af", "f08080af", "eda080", "edbfbf", "ce", "cebae1", "cebae1bdb9cf", "80", "8080", "c020e020",
    ])
    func case6InvalidText(_ payload: String) {
        #expect(events(masked(.text, hex(payload))).map(\.failure) == [.invalidPayload])
    }

    @Test func case6FailsFastPerFragment() {
        // 6.4.1: the second fragment is wrong, the third never needed.
        let start = masked(.text, hex("cebae1bdb9cf83cebcceb5"), final: false)
        let wrong = masked(.continuation, hex("f4908080"), final: false)
        #expect(events(joined(start, wrong)).map(\.failure) == [.invalidPayload])
    }

    @Test func case7Closing() {
        let between = joined(masked(.text, "a"), masked(.close), masked(.text, "b"))
        #expect(events(between) == [.text("a"), .close(nil, reason: "")])
        #expect(events(joined(masked(.close), masked(.close))) == [.close(nil, reason: "")])
        #expect(events(joined(masked(.close), masked(.ping))) == [.close(nil, reason: "")])
        #expect(events(joined(masked(.text, "f", final: false), masked(.close))) == [.close(nil, reason: "")])
        // 7.3: payloads of the close frame.
        #expect(events(masked(.close, hex("03"))).map(\.failure) == [.protocolError])
        #expect(events(masked(.close, hex("03e8"))) == [.close(.normal, reason: "")])
        let longest = joined(hex("03e8"), ByteBuffer(repeating: 0x2A, count: 123))
        #expect(events(masked(.close, longest)) == [.close(.normal, reason: String(repeating: "*", count: 123))])
        let tooLong = joined(hex("03e8"), ByteBuffer(repeating: 0x2A, count: 124))
        #expect(events(masked(.close, tooLong)).map(\.failure) == [.protocolError])
        // 7.5.1
        #expect(events(masked(.close, hex("03e8 cebae1bdb9cf83eda080"))).map(\.failure) == [.invalidPayload])
    }

    @Test(arguments: [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999] as [UInt16])
    func case7ValidCodes(_ code: UInt16) {
        var payload = ByteBuffer()
        payload.writeInteger(code)
        #expect(events(masked(.close, payload)) == [.close(CloseCode(rawValue: code), reason: "")])
    }

    @Test(arguments: [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65_535] as [UInt16])
    func case7InvalidCodes(_ code: UInt16) {
        var payload = ByteBuffer()
        payload.writeInteger(code)
        #expect(events(masked(.close, payload)).map(\.failure) == [.protocolError])
    }

    /// Offers of the cases 13.1 to 13.7, what is answered, and messages both ways, whole and in fragments.
    @Test(arguments: [
        "", "server_no_context_takeover", "server_max_window_bits=9", "server_max_window_bits=15",
        "server_no_context_takeover; server_max_window_bits=9", "server_no_context_takeover; server_max_window_bits=15",
        "server_no_context_takeover; server_max_window_bits=9, permessage-deflate; server_no_context_takeover",
    ])
    func case13Compression(_ parameters: String) throws {
        var configuration = CompressionConfiguration()
        configuration.enabled = true
        configuration.threshold = 0
        var offer = HandshakeOffer(acceptKey: "", subprotocols: [])
        let list = "permessage-deflate; client_no_context_takeover; client_max_window_bits; " + parameters
        let text = parameters.isEmpty ? "permessage-deflate" : list
        offer.deflateOffers = try #require(ExtensionElement.list(text)).compactMap(DeflateOffer.init)
        let agreed = try #require(offer.agreeOnDeflate(configuration)).parameters
        var pair = DeflatePair(agreed, limits: WebSocketLimits(maxMessageSize: 1 << 17, maxFragments: 1 << 12))
        for (seed, size) in [16, 64, 256, 1024, 4096, 8192, 16_384, 32_768, 65_536, 131_000].enumerated() {
            let message = sampleText(size, seed: UInt64(seed + 1))
            #expect(pair.client.events(from: pair.toClient(message)) == [.message(.text, message)])
            var frames = ByteBuffer()
            var (rest, isCompressed) = pair.deflated(message)
            var opcode = Opcode.text
            while let piece = rest.readSlice(length: min(256, rest.readableBytes)), piece.readableBytes > 0 {
                FrameWriter.write(
                    opcode, piece, isFinal: rest.readableBytes == 0, isCompressed: isCompressed,
                    maskingKey: 0x5A5A_0001,
                    into: &frames)
                (opcode, isCompressed) = (.continuation, false)
            }
            #expect(pair.server.events(from: frames) == [.message(.text, message)])
        }
    }
}
