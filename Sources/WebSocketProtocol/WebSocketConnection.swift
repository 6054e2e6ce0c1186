import Model
import NIOCore

/// Everything the WebSocket protocol knows of one connection after its handshake (RFC 6455 sections 5 to 7).
///
/// Sans-I/O. Bytes go in with `receive`, then `next` is called until it returns `nil`; what is to be sent is written by
/// `FrameWriter` and `writeClose`. Obligations of the caller:
/// - call `next` until `nil` before the following `receive`;
/// - hand over buffers nobody else reads the bytes of any more: masks are removed *in place*, also when the storage is
///   shared with the receive pool of a channel;
/// - after `.close` and `.failed` write the close frame, flush and close the transport; `next` returns `nil` from then on;
/// - give a connection that was decoded the event loop's pool by `use(_:)`;
/// - after `writeClose` write nothing more; wait a bounded time for the peer's `.close` before closing the transport.
///
/// An idle connection holds no buffer but the windows of permessage-deflate, where such were agreed on. A partial frame
/// holds what came of it, and no more than `maxMessageSize` and a header.
package struct WebSocketConnection: Sendable {
    /// Received and not yet looked at.
    var input = ByteBuffer()
    /// The start of a frame whose rest has not come. Owned by this value alone.
    var partial = ByteBuffer()
    /// The fragments of a message so far, unmasked; compressed as they came.
    var assembled = ByteBuffer()
    let maxMessageSize: UInt32
    let maxFragments: UInt32
    var fragments: UInt32 = 0
    var utf8 = UTF8Validator()
    /// Kind of the message in fragments; `nil` between messages.
    var kind: MessageKind?
    /// Whether that message is compressed.
    var isCompressed = false
    let role: WebSocketRole
    var ending: Ending = []
    /// `nil`: permessage-deflate was not agreed on. Shared between copies until one of them changes it.
    var deflate: DeflateContext?

    struct Ending: OptionSet, Codable {
        var rawValue: UInt8
        static let closeSent = Ending(rawValue: 1)
        static let closeReceived = Ending(rawValue: 2)
        static let failed = Ending(rawValue: 4)
    }

    /// - Parameters:
    ///   - deflate: what the handshake has agreed on.
    ///   - pool: that of the event loop; `nil`: one of its own.
    package init(
        role: WebSocketRole = .server,
        limits: WebSocketLimits = WebSocketLimits(),
        deflate: DeflateParameters? = nil,
        pool: DeflatePool? = nil
    ) {
        self.role = role
        self.deflate = deflate.map { DeflateContext(parameters: $0, role: role, pool: pool ?? DeflatePool()) }
        maxMessageSize = UInt32(clamping: limits.maxMessageSize)
        maxFragments = UInt32(clamping: limits.maxFragments)
    }

    /// Whether a close frame was written; nothing may be sent after it.
    package var isCloseSent: Bool { ending.contains(.closeSent) }

    /// Whether the peer's close frame has come or it broke a rule; nothing it sends counts any more.
    package var isInputFinished: Bool { !ending.isDisjoint(with: [.closeReceived, .failed]) }

    /// Bytes held for the peer's unfinished frame and message.
    package var heldBytes: Int { input.readableBytes + partial.readableBytes + assembled.readableBytes }

    /// Takes what was read from the transport.
    package mutating func receive(_ bytes: ByteBuffer) {
        guard !isInputFinished else { return }
        if input.readableBytes == 0 {
            input = bytes
        } else {
            input.writeImmutableBuffer(bytes)
        }
    }

    /// What the bytes received amount to, one at a time; `nil` when more bytes are needed.
    ///
    /// Once a close frame was written, only the peer's close (or its breaking a rule) is reported.
    package mutating func next() -> WebSocketEvent? {
        while !isInputFinished {
            switch takeFrame() {
            case .incomplete: return nil
            case .failed(let code, let reason): return fail(code, reason)
            case .frame(let header, let payload, let isASCII):
                guard let event = process(header, payload, isASCII: isASCII) else { continue }
                if isCloseSent, !isInputFinished { continue }
                return event
            }
        }
        return nil
    }

    /// Appends a close frame, unless one was written before.
    /// - Returns: whether it was appended.
    @discardableResult
    package mutating func writeClose(
        _ code: CloseCode?,
        reason: String = "",
        maskingKey: UInt32? = nil,
        into out: inout ByteBuffer
    ) -> Bool {
        guard !isCloseSent else { return false }
        ending.insert(.closeSent)
        FrameWriter.writeClose(code, reason: reason, maskingKey: maskingKey, into: &out)
        return true
    }
}

extension WebSocketConnection {
    private enum Taken {
        case incomplete
        /// The payload is unmasked; `isASCII` spares text the check.
        case frame(FrameHeader, ByteBuffer, isASCII: Bool)
        case failed(CloseCode, String)
    }

    private var rules: FrameHeader.Rules { FrameHeader.Rules(masked: role == .server, compression: deflate != nil) }

    /// The next whole frame, if it is there. What is there of another one is kept in `partial`.
    private mutating func takeFrame() -> Taken {
        if partial.readableBytes > 0 { return completePartial() }
        guard input.readableBytes > 0 else {
            input = ByteBuffer()
            return .incomplete
        }
        switch input.withUnsafeReadableBytes({ FrameHeader.read($0, rules: rules) }) {
        case .incomplete:
            break
        case .violation(let reason):
            return .failed(.protocolError, reason)
        case .header(let header):
            if let (code, reason) = violation(header) { return .failed(code, reason) }
            guard input.readableBytes - header.size >= header.length else { break }
            input.moveReaderIndex(forwardBy: header.size)
            guard let payload = input.readSlice(length: header.length) else { return .incomplete }
            if input.readableBytes == 0 { input = ByteBuffer() }
            return .frame(header, payload, isASCII: unmask(payload, header))
        }
        partial.writeBuffer(&input)
        input = ByteBuffer()
        return .incomplete
    }

    /// Moves from `input` to `partial` exactly what the frame begun there lacks.
    private mutating func completePartial() -> Taken {
        while true {
            let needed: Int
            switch partial.withUnsafeReadableBytes({ FrameHeader.read($0, rules: rules) }) {
            case .violation(let reason):
                return .failed(.protocolError, reason)
            case .incomplete(let size):
                needed = size
            case .header(let header):
                if let (code, reason) = violation(header) { return .failed(code, reason) }
                needed = header.size + header.length
                guard partial.readableBytes < needed else {
                    partial.moveReaderIndex(forwardBy: header.size)
                    let payload = partial
                    partial = ByteBuffer()
                    return .frame(header, payload, isASCII: unmask(payload, header))
                }
            }
            guard var piece = input.readSlice(length: min(needed - partial.readableBytes, input.readableBytes)),
                piece.readableBytes > 0
            else {
                input = ByteBuffer()
                return .incomplete
            }
            partial.writeBuffer(&piece)
        }
    }

    /// What is wrong with a frame at this point of the connection, before its payload is there.
    private func violation(_ header: FrameHeader) -> (CloseCode, String)? {
        if header.opcode.isControl { return nil }
        if header.opcode == .continuation {
            guard kind != nil else { return (.protocolError, "a continuation frame continues nothing") }
        } else {
            guard kind == nil else { return (.protocolError, "a message begins within another one") }
        }
        let isCompressed = header.opcode == .continuation ? isCompressed : header.isCompressed
        let limit = isCompressed ? maxCompressedSize : Int(maxMessageSize)
        guard header.length <= limit - assembled.readableBytes else {
            return (.messageTooBig, "a message is larger than \(maxMessageSize) bytes")
        }
        guard fragments < maxFragments else {
            return (.policyViolation, "a message has more than \(maxFragments) fragments")
        }
        return nil
    }

    private func unmask(_ payload: ByteBuffer, _ header: FrameHeader) -> Bool {
        guard header.maskingKey != 0 else { return false }
        return payload.withUnsafeReadableBytes { bytes in
            // Not through the buffer's own mutation, which would copy the whole read: its storage is always shared with
            // the slices handed out and with the channel's pool. The caller has promised that nobody reads these bytes.
            Masking.apply(header.maskingKey, to: UnsafeMutableRawBufferPointer(mutating: bytes))
        }
    }

    mutating func fail(_ code: CloseCode, _ reason: String) -> WebSocketEvent {
        ending.insert(.failed)
        dropInput()
        return .failed(code, reason: reason)
    }

    private mutating func dropInput() {
        input = ByteBuffer()
        partial = ByteBuffer()
        assembled = ByteBuffer()
        kind = nil
        isCompressed = false
        fragments = 0
    }
}

extension WebSocketConnection {
    private mutating func process(_ header: FrameHeader, _ payload: ByteBuffer, isASCII: Bool) -> WebSocketEvent? {
        switch header.opcode {
        case .ping: return .ping(payload)
        case .pong: return .pong(payload)
        case .close: return close(payload)
        case .text: return data(.text, header, payload, isASCII: isASCII)
        case .binary: return data(.binary, header, payload, isASCII: isASCII)
        case .continuation:
            guard let kind else { return fail(.protocolError, "a continuation frame continues nothing") }
            return fragment(of: kind, header, payload, isASCII: isASCII)
        }
    }

    private mutating func data(
        _ kind: MessageKind,
        _ header: FrameHeader,
        _ payload: ByteBuffer,
        isASCII: Bool
    ) -> WebSocketEvent? {
        guard header.isFinal else {
            self.kind = kind
            isCompressed = header.isCompressed
            utf8 = UTF8Validator()
            return fragment(of: kind, header, payload, isASCII: isASCII)
        }
        if header.isCompressed { return compressedMessage(kind, payload) }
        if kind == .text, !isASCII, !payload.withUnsafeReadableBytes(UTF8Validator.isValid) {
            return fail(.invalidPayload, "a text message is not UTF-8")
        }
        return .message(kind, payload)
    }

    private mutating func fragment(
        of kind: MessageKind,
        _ header: FrameHeader,
        _ payload: ByteBuffer,
        isASCII: Bool
    ) -> WebSocketEvent? {
        if kind == .text, !isCompressed, !(isASCII && utf8.isComplete) {
            let valid = payload.withUnsafeReadableBytes { utf8.consume($0) }
            guard valid, utf8.isComplete || !header.isFinal else {
                return fail(.invalidPayload, "a text message is not UTF-8")
            }
        }
        assembled.writeImmutableBuffer(payload)
        fragments += 1
        guard header.isFinal else { return nil }
        let message = assembled
        assembled = ByteBuffer()
        self.kind = nil
        fragments = 0
        guard isCompressed else { return .message(kind, message) }
        isCompressed = false
        return compressedMessage(kind, message)
    }

    private mutating func close(_ payload: ByteBuffer) -> WebSocketEvent {
        var rest = payload
        guard rest.readableBytes > 0 else { return finish(nil, "") }
        guard let code = rest.readInteger(as: UInt16.self).map(CloseCode.init(rawValue:)) else {
            return fail(.protocolError, "a close frame has half a code")
        }
        guard code.isValidOnWire else { return fail(.protocolError, "a close frame has a code that may not be sent") }
        guard rest.withUnsafeReadableBytes(UTF8Validator.isValid) else {
            return fail(.invalidPayload, "the reason of a close frame is not UTF-8")
        }
        return finish(code, String(buffer: rest))
    }

    private mutating func finish(_ code: CloseCode?, _ reason: String) -> WebSocketEvent {
        ending.insert(.closeReceived)
        dropInput()
        return .close(code, reason: reason)
    }
}
