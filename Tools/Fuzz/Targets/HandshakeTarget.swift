import Model
import NIOCore
import WebSocketProtocol

/// What comes before the first frame: request heads, a server's answer, the PROXY protocol's header.
enum HandshakeTarget {
    /// Bytes of a head.
    private static let maxHead = 2048

    static func run(_ bytes: [UInt8]) {
        var parser = RequestHeadParser(maxSize: maxHead)
        let whole = parser.parse(ByteBuffer(bytes: bytes))
        var slow = RequestHeadParser(maxSize: maxHead)
        var stepwise = RequestHeadParser.Result.incomplete
        for length in 0...bytes.count {
            stepwise = slow.parse(ByteBuffer(bytes: bytes.prefix(length)))
            guard case .incomplete = stepwise else { break }
        }
        switch (whole, stepwise) {
        case (.incomplete, .incomplete), (.refused, .refused): return
        case (.head(let head, let length), .head(let other, let otherLength)):
            expect(length == otherLength && length <= bytes.count, "The head ends at \(length) and at \(otherLength)")
            expect(head.method == other.method && head.target == other.target, "One head is read as two")
            decide(head)
        // A fault behind the end of the head, or more bytes than a head may have, is seen only in the whole.
        case (.refused, .head), (.head, .refused), (.refused, .incomplete): return
        case (.incomplete, .refused), (.incomplete, .head), (.head, .incomplete):
            fatalError("Byte by byte it is \(stepwise), at once \(whole)")
        }
    }

    private static func decide(_ head: RequestHead) {
        var out = ByteBuffer()
        switch Handshake.decide(head) {
        case .notUpgrade: break
        case .refuse(let refusal): Handshake.writeRefusal(refusal, into: &out)
        case .accept(let offer):
            var configuration = CompressionConfiguration()
            configuration.enabled = true
            let agreement = offer.agreeOnDeflate(configuration)
            if let bits = agreement?.parameters.serverWindowBits {
                expect((9...15).contains(bits), "Window bits \(bits) are agreed on")
            }
            _ = offer.subprotocol(among: ["wsd.v1.json"])
        }
    }

    static func runResponse(_ bytes: [UInt8]) {
        var configuration = CompressionConfiguration()
        configuration.enabled = true
        func handshake() -> ClientHandshake {
            ClientHandshake(
                host: "localhost", key: (1, 2), subprotocols: ["wsd.v1.json"], compression: configuration)
        }
        var first = handshake(), second = handshake()
        let whole = first.read(ByteBuffer(bytes: bytes))
        var stepwise = ClientHandshake.Result.incomplete
        for length in 0...bytes.count {
            stepwise = second.read(ByteBuffer(bytes: bytes.prefix(length)))
            guard stepwise == .incomplete else { break }
        }
        expect(whole == stepwise, "Byte by byte it is \(stepwise), at once \(whole)")
    }

    static func runProxy(_ bytes: [UInt8]) {
        guard case .header(let header) = ProxyHeader.parse(ByteBuffer(bytes: bytes)) else { return }
        expect(header.length <= bytes.count && header.length <= ProxyHeader.maxLength, "\(header.length) bytes")
        // What follows is the client's and changes nothing.
        for rest in [[], [0], [0x0D, 0x0A]] as [[UInt8]] {
            guard case .header(header) = ProxyHeader.parse(ByteBuffer(bytes: bytes.prefix(header.length) + rest)) else {
                fatalError("The header depends on what follows it")
            }
        }
        for length in 0..<header.length {
            guard case .incomplete = ProxyHeader.parse(ByteBuffer(bytes: bytes.prefix(length))) else {
                fatalError("The first \(length) bytes of a header of \(header.length) are not incomplete")
            }
        }
    }
}

// MARK: - Seeds

extension HandshakeTarget {
    static var requests: [[UInt8]] {
        let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        let upgrade =
            "GET /ws?token=x HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\(key)"
        return [
            "\(upgrade)\r\n",
            "\(upgrade)Sec-WebSocket-Protocol: chat, wsd.v1.json\r\nOrigin: https://a.example\r\n"
                + "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits; server_max_window_bits=\"10\"\r\n\r\n",
            "\r\n\r\nGET / HTTP/1.0\nHost: b\n\n",
            "POST /wsd/api/v1/publish HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}",
            "GET http://a/x HTTP/1.1\r\nHost:\r\n folded\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        ].map { Array($0.utf8) }
    }

    static var responses: [[UInt8]] {
        [
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                + "Sec-WebSocket-Accept: SQ8aVTQQXVtqYyFoN0wGpM3bMns=\r\nSec-WebSocket-Protocol: wsd.v1.json\r\n"
                + "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n\r\n",
            "HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\n\r\nno", "HTTP/1.0 200\nA: b\n\n",
        ].map { Array($0.utf8) }
    }

    static var proxies: [[UInt8]] {
        let signature: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]
        let addresses: [UInt8] = [192, 0, 2, 1, 192, 0, 2, 2, 0xC0, 0x00, 0x01, 0xBB]
        return [
            Array("PROXY TCP4 192.0.2.1 192.0.2.2 49152 443\r\nGET /".utf8),
            Array("PROXY TCP6 2001:db8::1 ::1 49152 443\r\n".utf8), Array("PROXY UNKNOWN\r\n".utf8),
            Array("PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n".utf8), signature + [0x20, 0x00, 0x00, 0x00],
            signature + [0x21, 0x11, 0x00, 0x0C] + addresses,
            signature + [0x21, 0x11, 0x00, 0x10] + addresses + [0x04, 0x00, 0x01, 0x00],
            signature + [0x21, 0x21, 0x00, 0x24] + [UInt8](repeating: 0x20, count: 36),
        ]
    }
}
