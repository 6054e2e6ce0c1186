import Model
import NIOCore

extension WebSocketConnection {
    /// What was agreed on; `nil`: nothing is compressed.
    package var deflateParameters: DeflateParameters? { deflate?.parameters }

    /// Bytes kept between messages to compress and decompress the next ones.
    package var compressionBytes: Int { deflate?.heldBytes ?? 0 }

    /// Shares an event loop's streams; the connection must not be used on another one.
    package mutating func use(_ pool: DeflatePool) {
        guard deflate != nil else { return }
        makeDeflateUnique()
        deflate?.pool = pool
    }

    /// Appends a message, compressed if that was agreed on and is worth it.
    /// - Parameter maskingKey: a random one for each frame of a client's; `nil` for a server's.
    package mutating func write(
        _ kind: MessageKind,
        _ payload: ByteBuffer,
        maskingKey: UInt32? = nil,
        into out: inout ByteBuffer
    ) {
        guard deflate != nil else {
            let opcode: Opcode = kind == .text ? .text : .binary
            return FrameWriter.write(opcode, payload, maskingKey: maskingKey, into: &out)
        }
        makeDeflateUnique()
        deflate?.write(kind, payload, maskingKey: maskingKey, into: &out)
    }

    /// Appends a message that goes to many clients of a server: as bytes they share, unless this one has a window.
    package mutating func write(_ message: inout SharedFrame, into out: inout ByteBuffer) {
        if let deflate, deflate.sending.contextTakeover {
            write(message.kind, message.payload, into: &out)
        } else {
            out.writeImmutableBuffer(frame(of: &message))
        }
    }

    /// The bytes ``write(_:into:)`` would append, not copied, to be queued as they are.
    package mutating func frame(of message: inout SharedFrame) -> ByteBuffer {
        guard let deflate else { return message.plainFrame() }
        let sending = deflate.sending
        guard sending.contextTakeover else { return message.frame(windowBits: sending.windowBits, pool: deflate.pool) }
        var out = ByteBuffer()
        write(message.kind, message.payload, into: &out)
        return out
    }

    private mutating func makeDeflateUnique() {
        guard !isKnownUniquelyReferenced(&deflate) else { return }
        deflate = deflate?.copy()
    }
}

extension WebSocketConnection {
    /// Compressed bytes of a message: what does not compress grows, the more the smaller the blocks are.
    var maxCompressedSize: Int { Int(maxMessageSize) + Int(maxMessageSize) / 8 + 64 }

    mutating func compressedMessage(_ kind: MessageKind, _ payload: ByteBuffer) -> WebSocketEvent {
        makeDeflateUnique()
        switch deflate?.inflate(payload, limit: Int(maxMessageSize)) {
        case .message(let message)?:
            if kind == .text, !message.withUnsafeReadableBytes(UTF8Validator.isValid) {
                return fail(.invalidPayload, "a text message is not UTF-8")
            }
            return .message(kind, message)
        case .tooBig?:
            return fail(.messageTooBig, "a message is larger than \(maxMessageSize) bytes")
        case .invalid?:
            return fail(.invalidPayload, "a message is not compressed as permessage-deflate demands")
        case nil:
            return fail(.internalError, "no memory is left to decompress a message")
        }
    }
}
