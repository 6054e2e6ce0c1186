import Model
import NIOCore
import WebSocketProtocol

/// Messages of permessage-deflate (RFC 7692). The first byte chooses the parameters; the rest counts as a compressed message
/// first, and as a plain one then.
enum DeflateTarget {
    static func run(_ bytes: [UInt8]) {
        guard let options = bytes.first else { return }
        let rest = ByteBuffer(bytes: bytes.dropFirst())
        inflate(rest, options)
        roundTrip(rest, options)
    }

    private static func parameters(_ options: UInt8) -> DeflateParameters {
        DeflateParameters(
            serverContextTakeover: options & 1 != 0, clientContextTakeover: options & 2 != 0,
            serverWindowBits: 9 + (options >> 2) % 7, clientWindowBits: 9 + (options >> 5) % 7)
    }

    private static func inflate(_ compressed: ByteBuffer, _ options: UInt8) {
        let limits = WebSocketLimits(maxMessageSize: 10_000, maxFragments: 16)
        var connection = WebSocketConnection(role: .client, limits: limits, deflate: parameters(options))
        var frame = ByteBuffer()
        // The server's, unmasked; twice, so that the second may refer to the first.
        for _ in 0..<2 {
            let length = compressed.readableBytes
            frame.writeInteger(UInt8(0xC2))
            switch length {
            case ..<126: frame.writeInteger(UInt8(length))
            case ..<65536: frame.writeMultipleIntegers(UInt8(126), UInt16(length))
            default: frame.writeMultipleIntegers(UInt8(127), UInt64(length))
            }
            frame.writeImmutableBuffer(compressed)
        }
        connection.receive(frame)
        while let event = connection.next() {
            if case .message(_, let message) = event {
                expect(message.readableBytes <= limits.maxMessageSize, "A message of \(message.readableBytes) bytes")
            }
        }
    }

    private static func roundTrip(_ message: ByteBuffer, _ options: UInt8) {
        var configuration = CompressionConfiguration()
        configuration.threshold = 0
        let pool = DeflatePool(configuration)
        var server = WebSocketConnection(role: .server, deflate: parameters(options), pool: pool)
        var client = WebSocketConnection(role: .client, deflate: parameters(options), pool: pool)
        for _ in 0..<2 {
            var frame = ByteBuffer()
            server.write(.binary, message, into: &frame)
            client.receive(frame)
            let event = client.next()
            guard message.readableBytes <= WebSocketLimits().maxMessageSize else { continue }
            expect(event == .message(.binary, message), "What was compressed came out as \(String(describing: event))")
        }
    }

    static var seeds: [[UInt8]] {
        // "Hello" in a fixed block, and an empty stored one (RFC 7692 section 7.2.3).
        let hello: [UInt8] = [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00]
        let stored: [UInt8] = [0x00, 0x05, 0x00, 0xFA, 0xFF, 0x48, 0x65, 0x6C, 0x6C, 0x6F, 0x00]
        var bomb = ByteBuffer()
        var writer = WebSocketConnection(
            role: .server,
            deflate: DeflateParameters(
                serverContextTakeover: true, clientContextTakeover: true, serverWindowBits: 15, clientWindowBits: 15))
        writer.write(.binary, ByteBuffer(repeating: 0, count: 60_000), into: &bomb)
        return [
            [0] + hello, [3] + hello + hello, [0xFF] + stored, [7],
            [1] + Array(bomb.readableBytesView.dropFirst(4)),
            [2] + Array(#"{"type":"message","room":"lobby","data":{"text":"hi"}}"#.utf8),
        ]
    }
}
