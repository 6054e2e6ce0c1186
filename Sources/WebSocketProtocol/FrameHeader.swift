import Model

/// The header of one frame (RFC 6455 section 5.2).
struct FrameHeader: Equatable {
    /// Largest header: 2 bytes, 8 of extended length, 4 of masking key.
    static let maxSize = 14

    var isFinal: Bool
    var opcode: Opcode
    /// RSV1: the message is compressed (RFC 7692 section 6). Only a message's first frame has it.
    var isCompressed = false
    /// Bytes of the header itself.
    var size: Int
    /// Bytes of payload.
    var length: Int
    /// The masking key as its four bytes lie in memory, read little-endian; 0 where the frame is not masked.
    var maskingKey: UInt32

    /// What else than the plain protocol a connection has agreed on.
    struct Rules {
        /// Whether frames must be masked (the server's side) or must not be (the client's).
        var masked: Bool
        /// Whether permessage-deflate was agreed on: RSV1 may be set on a message's first frame.
        var compression = false
    }

    enum Result: Equatable {
        /// At least this many bytes of header, counted from its start, are needed.
        case incomplete(Int)
        case header(FrameHeader)
        case violation(String)
    }

    /// Reads a header at the start of `bytes`. Every violation that the bytes at hand show is reported at once.
    static func read(_ bytes: UnsafeRawBufferPointer, rules: Rules) -> Result {
        guard bytes.count >= 1 else { return .incomplete(2) }
        let first = bytes[0]
        guard first & (rules.compression ? 0x30 : 0x70) == 0 else { return .violation("a reserved bit is set") }
        guard let opcode = Opcode(rawValue: first & 0x0F) else { return .violation("the opcode is reserved") }
        let isCompressed = first & 0x40 != 0
        guard !isCompressed || opcode == .text || opcode == .binary else {
            return .violation("a reserved bit is set")
        }
        let isFinal = first & 0x80 != 0
        guard isFinal || !opcode.isControl else { return .violation("a control frame is fragmented") }

        guard bytes.count >= 2 else { return .incomplete(2) }
        let second = bytes[1]
        guard (second & 0x80 != 0) == rules.masked else {
            return .violation(rules.masked ? "a frame is not masked" : "a frame is masked")
        }
        let short = Int(second & 0x7F)
        guard short <= 125 || !opcode.isControl else { return .violation("a control frame is longer than 125 bytes") }

        let lengthEnd = short < 126 ? 2 : short == 126 ? 4 : 10
        guard bytes.count >= lengthEnd else { return .incomplete(lengthEnd) }
        let length: Int
        switch short {
        case 126:
            length = Int(UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self)))
            guard length > 125 else { return .violation("a length is not encoded in its shortest form") }
        case 127:
            let long = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt64.self))
            guard let exact = Int(exactly: long) else { return .violation("a length has its highest bit set") }
            guard exact > 0xFFFF else { return .violation("a length is not encoded in its shortest form") }
            length = exact
        default:
            length = short
        }
        let size = lengthEnd + (rules.masked ? 4 : 0)
        var key: UInt32 = 0
        if rules.masked {
            guard bytes.count >= size else { return .incomplete(size) }
            key = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: lengthEnd, as: UInt32.self))
        }
        return .header(
            FrameHeader(
                isFinal: isFinal, opcode: opcode, isCompressed: isCompressed, size: size, length: length,
                maskingKey: key))
    }
}
