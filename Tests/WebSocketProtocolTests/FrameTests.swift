import Model
import NIOCore
import Testing

@testable import WebSocketProtocol

@Suite struct FrameHeaderTests {
    private func read(_ text: String, masked: Bool = true) -> FrameHeader.Result {
        hex(text).withUnsafeReadableBytes { FrameHeader.read($0, rules: FrameHeader.Rules(masked: masked)) }
    }

    @Test func readsTheExamplesOfTheRFC() {
        // Section 5.7.
        #expect(
            read("810548656c6c6f", masked: false)
                == .header(FrameHeader(isFinal: true, opcode: .text, size: 2, length: 5, maskingKey: 0))
        )
        #expect(
            read("818537fa213d7f9f4d5158")
                == .header(FrameHeader(isFinal: true, opcode: .text, size: 6, length: 5, maskingKey: 0x3D21_FA37))
        )
        #expect(
            read("010348656c", masked: false)
                == .header(FrameHeader(isFinal: false, opcode: .text, size: 2, length: 3, maskingKey: 0))
        )
        #expect(
            read("827E0100", masked: false)
                == .header(FrameHeader(isFinal: true, opcode: .binary, size: 4, length: 256, maskingKey: 0))
        )
        #expect(
            read("827F0000000000010000", masked: false)
                == .header(FrameHeader(isFinal: true, opcode: .binary, size: 10, length: 65_536, maskingKey: 0))
        )
    }

    @Test(arguments: [
        ("", 2), ("81", 2), ("8185", 6), ("8185000000", 6), ("81FE", 4), ("81FE00", 4), ("81FE0080", 8), ("81FF", 10),
        ("81FF0000000000", 10), ("81FF0000000000010000", 14), ("81FF000000000001000037fa21", 14),
    ])
    func asksForMore(_ bytes: String, _ needed: Int) {
        #expect(read(bytes) == .incomplete(needed))
    }

    @Test(arguments: [
        "C1", "A1", "91",  // reserved bits
        "83", "84", "85", "86", "87", "8B", "8C", "8D", "8E", "8F",  // reserved opcodes
        "08", "09", "0A",  // fragmented control frames
        "88FE", "89FF",  // long control frames
        "8105",  // not masked
        "81FE007D", "81FF000000000000FFFF", "81FF8000000000000000",  // lengths
    ])
    func refusesAtOnce(_ bytes: String) {
        guard case .violation = read(bytes) else {
            Issue.record("\(bytes) was not refused")
            return
        }
    }

    @Test func aClientRefusesMaskedFrames() {
        #expect(read("8185", masked: false) == .violation("a frame is masked"))
    }
}

@Suite struct FrameWriterTests {
    private func written(_ body: (inout ByteBuffer) -> Void) -> ByteBuffer {
        var out = ByteBuffer()
        body(&out)
        return out
    }

    @Test func writesTheExamplesOfTheRFC() {
        let hello = ByteBuffer(string: "Hello")
        #expect(written { FrameWriter.write(.text, hello, into: &$0) } == hex("810548656c6c6f"))
        #expect(written { FrameWriter.writePing(hello, into: &$0) } == hex("890548656c6c6f"))
        #expect(written { FrameWriter.writePong(hello, into: &$0) } == hex("8a0548656c6c6f"))
        #expect(
            written { FrameWriter.write(Opcode.text, hello, maskingKey: 0x3D21_FA37, into: &$0) }
                == hex("818537fa213d7f9f4d5158")
        )
        #expect(
            written { FrameWriter.write(Opcode.text, ByteBuffer(string: "Hel"), isFinal: false, into: &$0) }
                == hex("010348656c")
        )
        #expect(FrameWriter.frame(.text, hello) == hex("810548656c6c6f"))
    }

    @Test(arguments: [
        (0, "8200"), (125, "827d"), (126, "827e007e"), (65_535, "827effff"), (65_536, "827f0000000000010000"),
    ])
    func choosesTheShortestLength(_ length: Int, _ header: String) {
        let frame = FrameWriter.frame(.binary, ByteBuffer(repeating: 7, count: length))
        let expected = hex(header)
        #expect(frame.readableBytes == expected.readableBytes + length)
        #expect(frame.getSlice(at: 0, length: expected.readableBytes) == expected)
    }

    @Test func appendsBehindWhatIsThere() {
        var out = ByteBuffer(string: "before")
        FrameWriter.write(Opcode.binary, ByteBuffer(string: "abc"), maskingKey: 0, into: &out)
        FrameWriter.write(.text, ByteBuffer(string: "d"), into: &out)
        #expect(out == joined(ByteBuffer(string: "before"), hex("8283 00000000 616263 8101 64")))
    }

    @Test func writesCloseFrames() {
        #expect(written { FrameWriter.writeClose(.normal, into: &$0) } == hex("8802 03e8"))
        #expect(written { FrameWriter.writeClose(.serviceRestart, reason: "hi", into: &$0) } == hex("8804 03f4 6869"))
        #expect(written { FrameWriter.writeClose(nil, reason: "ignored", into: &$0) } == hex("8800"))
        #expect(written { FrameWriter.writeClose(CloseCode(rawValue: 1005), into: &$0) } == hex("8800"))
    }

    @Test func cutsACloseReasonAtACharacter() {
        let reason = String(repeating: "x", count: 122) + "é"
        let frame = written { FrameWriter.writeClose(.normal, reason: reason, into: &$0) }
        #expect(frame.readableBytes == 2 + 2 + 122)
        let whole = written { FrameWriter.writeClose(.normal, reason: String(repeating: "y", count: 500), into: &$0) }
        #expect(whole.readableBytes == 2 + 125)
    }
}
