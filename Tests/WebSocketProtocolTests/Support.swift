import Model
import NIOCore

@testable import WebSocketProtocol

/// Builds bytes from literals, as the RFC prints them.
func hex(_ text: String) -> ByteBuffer {
    var out = ByteBuffer()
    var digits = text.filter { !$0.isWhitespace }[...]
    while !digits.isEmpty {
        out.writeInteger(UInt8(digits.prefix(2), radix: 16) ?? 0)
        digits = digits.dropFirst(2)
    }
    return out
}

/// A client's frame.
func masked(
    _ opcode: Opcode,
    _ payload: String = "",
    final: Bool = true,
    key: UInt32 = 0x3D21_FA37
) -> ByteBuffer {
    masked(opcode, ByteBuffer(string: payload), final: final, key: key)
}

func masked(_ opcode: Opcode, _ payload: ByteBuffer, final: Bool = true, key: UInt32 = 0x3D21_FA37) -> ByteBuffer {
    var out = ByteBuffer()
    FrameWriter.write(opcode, payload, isFinal: final, maskingKey: key, into: &out)
    return out
}

func joined(_ buffers: ByteBuffer...) -> ByteBuffer {
    buffers.reduce(into: ByteBuffer()) { $0.writeImmutableBuffer($1) }
}

/// The same bytes in a storage of their own: receiving changes them.
func copy(_ buffer: ByteBuffer) -> ByteBuffer {
    ByteBuffer(bytes: buffer.readableBytesView)
}

extension WebSocketConnection {
    /// Receives everything and takes all events, independent copies.
    mutating func events(from bytes: ByteBuffer) -> [WebSocketEvent] {
        receive(copy(bytes))
        var result: [WebSocketEvent] = []
        while let event = next() { result.append(event) }
        return result
    }

    /// The same in pieces that end at the given offsets.
    mutating func events(from bytes: ByteBuffer, splitAt offsets: [Int]) -> [WebSocketEvent] {
        var (result, rest, taken): ([WebSocketEvent], ByteBuffer, Int) = ([], bytes, 0)
        for offset in offsets.sorted() where offset > taken && offset <= bytes.readableBytes {
            guard let piece = rest.readSlice(length: offset - taken) else { break }
            result += events(from: piece)
            taken = offset
        }
        return result + events(from: rest)
    }
}

extension WebSocketEvent {
    static func text(_ text: String) -> WebSocketEvent { .message(.text, ByteBuffer(string: text)) }
    static func binary(_ text: String) -> WebSocketEvent { .message(.binary, ByteBuffer(string: text)) }
    static func ping(_ text: String) -> WebSocketEvent { .ping(ByteBuffer(string: text)) }
    static func pong(_ text: String) -> WebSocketEvent { .pong(ByteBuffer(string: text)) }

    var failure: CloseCode? {
        if case .failed(let code, _) = self { code } else { nil }
    }
}

/// Events of a fresh server connection.
func events(_ bytes: ByteBuffer, limits: WebSocketLimits = WebSocketLimits()) -> [WebSocketEvent] {
    var connection = WebSocketConnection(limits: limits)
    return connection.events(from: bytes)
}

/// xorshift64*: small, seeded, the same everywhere.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed | 1 }

    mutating func next() -> UInt64 {
        state ^= state >> 12
        state ^= state << 25
        state ^= state >> 27
        return state &* 0x2545_F491_4F6C_DD1D
    }
}
