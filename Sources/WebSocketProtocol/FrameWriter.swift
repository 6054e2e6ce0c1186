import Model
import NIOCore

/// Appends frames to a buffer, one behind the other, so that one write carries all that is due to a socket.
///
/// Frames are final ones unless said otherwise. Without `maskingKey` they are a server's, with it a client's.
package enum FrameWriter {
    /// Longest reason in a close frame, bytes of UTF-8 (RFC 6455 section 5.5: 125 with the code).
    package static let maxCloseReason = 123

    /// Appends a whole message as one frame.
    package static func write(_ kind: MessageKind, _ payload: ByteBuffer, into out: inout ByteBuffer) {
        writeHeader(kind == .text ? .text : .binary, length: payload.readableBytes, into: &out)
        out.writeImmutableBuffer(payload)
    }

    /// A whole message as one frame in a buffer of its own, to be appended to many sockets' buffers.
    package static func frame(_ kind: MessageKind, _ payload: ByteBuffer) -> ByteBuffer {
        var out = ByteBufferAllocator().buffer(capacity: payload.readableBytes + 10)
        write(kind, payload, into: &out)
        return out
    }

    /// A server's frame of a message that is compressed already, in a buffer of its own.
    static func compressedFrame(_ kind: MessageKind, deflated: ByteBuffer) -> ByteBuffer {
        var out = ByteBufferAllocator().buffer(capacity: deflated.readableBytes + 10)
        writeCompressed(kind, deflated: deflated, maskingKey: nil, into: &out)
        return out
    }

    /// Appends a message that is compressed already.
    static func writeCompressed(
        _ kind: MessageKind,
        deflated: ByteBuffer,
        maskingKey: UInt32?,
        into out: inout ByteBuffer
    ) {
        write(kind == .text ? .text : .binary, deflated, isCompressed: true, maskingKey: maskingKey, into: &out)
    }

    /// Appends any frame. Control frames carry at most 125 bytes; the caller sees to that.
    package static func write(
        _ opcode: Opcode,
        _ payload: ByteBuffer,
        isFinal: Bool = true,
        isCompressed: Bool = false,
        maskingKey: UInt32? = nil,
        into out: inout ByteBuffer
    ) {
        writeHeader(
            opcode, length: payload.readableBytes, isFinal: isFinal, isCompressed: isCompressed, maskingKey: maskingKey,
            into: &out)
        let start = out.writerIndex
        out.writeImmutableBuffer(payload)
        guard let maskingKey else { return }
        out.withVeryUnsafeMutableBytes { whole in
            let written = whole[start..<(start + payload.readableBytes)]
            Masking.apply(maskingKey, to: UnsafeMutableRawBufferPointer(rebasing: written))
        }
    }

    /// Appends the header of a frame whose `length` bytes of payload the caller appends.
    package static func writeHeader(
        _ opcode: Opcode,
        length: Int,
        isFinal: Bool = true,
        isCompressed: Bool = false,
        maskingKey: UInt32? = nil,
        into out: inout ByteBuffer
    ) {
        let flags: UInt8 = (isFinal ? 0x80 : 0) | (isCompressed ? 0x40 : 0)
        let first = UInt16(opcode.rawValue | flags) << 8 | (maskingKey == nil ? 0 : 0x80)
        switch length {
        case ...125:
            out.writeInteger(first | UInt16(truncatingIfNeeded: length))
        case ...0xFFFF:
            out.writeInteger(UInt32(first | 126) << 16 | UInt32(length))
        default:
            out.writeInteger(first | 127)
            out.writeInteger(UInt64(length))
        }
        if let maskingKey { out.writeInteger(maskingKey, endianness: .little) }
    }

    package static func writePing(_ payload: ByteBuffer = ByteBuffer(), into out: inout ByteBuffer) {
        write(.ping, payload, into: &out)
    }

    package static func writePong(_ payload: ByteBuffer, into out: inout ByteBuffer) {
        write(.pong, payload, into: &out)
    }

    /// Appends a close frame. A code that may not be sent (1005, 1006, …) makes an empty one; a reason is cut to
    /// `maxCloseReason` bytes at the end of a character.
    package static func writeClose(
        _ code: CloseCode?,
        reason: String = "",
        maskingKey: UInt32? = nil,
        into out: inout ByteBuffer
    ) {
        var payload = ByteBuffer()
        if let code, code.isValidOnWire {
            payload.writeInteger(code.rawValue)
            payload.writeString(String(cut(reason)))
        }
        write(.close, payload, maskingKey: maskingKey, into: &out)
    }

    private static func cut(_ reason: String) -> Substring.UnicodeScalarView {
        var (end, bytes) = (reason.unicodeScalars.startIndex, 0)
        for index in reason.unicodeScalars.indices {
            bytes += UTF8.width(reason.unicodeScalars[index])
            guard bytes <= maxCloseReason else { break }
            end = reason.unicodeScalars.index(after: index)
        }
        return reason.unicodeScalars[..<end]
    }
}
