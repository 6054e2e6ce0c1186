import Model
import NIOCore
import WebSocketProtocol

/// Frames of a peer. The first byte chooses role, permessage-deflate and how the rest is cut into pieces.
enum FrameTarget {
    static func run(_ bytes: [UInt8]) {
        guard let options = bytes.first else { return }
        let rest = bytes.dropFirst()
        let limits = WebSocketLimits(maxMessageSize: 4096, maxFragments: 16)
        let whole = events(of: [Array(rest)], options, limits)
        let size = 1 + Int(options >> 3)
        let pieces = stride(from: rest.startIndex, to: rest.endIndex, by: size).map {
            Array(rest[$0..<min($0 + size, rest.endIndex)])
        }
        let cut = events(of: pieces, options, limits)
        expect(whole == cut, "Pieces of \(size) bytes gave \(cut), the whole \(whole)")
        for event in whole {
            if case .message(_, let message) = event {
                expect(message.readableBytes <= limits.maxMessageSize, "A message of \(message.readableBytes) bytes")
            }
        }
    }

    private static func events(of pieces: [[UInt8]], _ options: UInt8, _ limits: WebSocketLimits) -> [WebSocketEvent] {
        let parameters = DeflateParameters(
            serverContextTakeover: true, clientContextTakeover: options & 4 == 0, serverWindowBits: 15,
            clientWindowBits: 9)
        var connection = WebSocketConnection(
            role: options & 1 == 0 ? .server : .client, limits: limits, deflate: options & 2 == 0 ? nil : parameters)
        var events: [WebSocketEvent] = []
        for piece in pieces {
            connection.receive(ByteBuffer(bytes: piece))
            while let event = connection.next() { events.append(copy(event)) }
        }
        return events
    }

    /// Away from the buffer that the next piece may change.
    private static func copy(_ event: WebSocketEvent) -> WebSocketEvent {
        func copied(_ buffer: ByteBuffer) -> ByteBuffer { ByteBuffer(bytes: buffer.readableBytesView) }
        return switch event {
        case .message(let kind, let buffer): .message(kind, copied(buffer))
        case .ping(let buffer): .ping(copied(buffer))
        case .pong(let buffer): .pong(copied(buffer))
        case .close, .failed: event
        }
    }

    static var seeds: [[UInt8]] {
        let key: UInt32 = 0x3721_EDA5
        func frames(_ options: UInt8, _ write: (inout ByteBuffer) -> Void) -> [UInt8] {
            var out = ByteBuffer()
            write(&out)
            return [options | 5 << 3] + Array(out.readableBytesView)
        }
        let text = ByteBuffer(string: "Grüße ☂"), long = ByteBuffer(repeating: 0x61, count: 300)
        var deflating = WebSocketConnection(
            role: .client,
            deflate: DeflateParameters(
                serverContextTakeover: true, clientContextTakeover: true, serverWindowBits: 15, clientWindowBits: 9))
        return [
            frames(0) { FrameWriter.write(.text, text, maskingKey: key, into: &$0) },
            frames(1) { FrameWriter.write(.binary, long, maskingKey: nil, into: &$0) },
            frames(0) { out in
                FrameWriter.write(.ping, text, maskingKey: key, into: &out)
                FrameWriter.write(.pong, ByteBuffer(), maskingKey: key, into: &out)
                FrameWriter.writeClose(.normal, reason: "bye", maskingKey: key, into: &out)
            },
            frames(1) { FrameWriter.writeClose(nil, reason: "", maskingKey: nil, into: &$0) },
            // "Hel", ping, "lo" in fragments, unmasked (RFC 6455 section 5.7).
            [1 | 3 << 3, 0x01, 0x03, 0x48, 0x65, 0x6C, 0x89, 0x00, 0x80, 0x02, 0x6C, 0x6F],
            frames(2) { out in
                deflating.write(.text, ByteBuffer(repeating: 0x62, count: 2000), maskingKey: key, into: &out)
                deflating.write(.text, ByteBuffer(repeating: 0x62, count: 2000), maskingKey: key, into: &out)
            },
        ]
    }
}
