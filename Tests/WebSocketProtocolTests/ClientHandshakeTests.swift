import Model
import NIOCore
import Testing

@testable import WebSocketProtocol

@Suite struct ClientHandshakeTests {
    /// The key of RFC 6455 section 1.3: "the sample nonce".
    private static let key: (UInt64, UInt64) = (0x706D_6173_2065_6874, 0x6563_6E6F_6E20_656C)
    private static let start = "HTTP/1.1 101 Switching Protocols\r\n"
    private static let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\n"
    private static let accept = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"

    private func client(_ change: (inout CompressionConfiguration) -> Void = { $0.enabled = true }) -> ClientHandshake {
        var compression = CompressionConfiguration()
        change(&compression)
        return ClientHandshake(
            host: "server.example.com:8080", target: "/chat?a=b", key: Self.key,
            subprotocols: ["wsd.v1.json", "other"], compression: compression, fields: [HTTPField("Origin", "http://o")])
    }

    private func read(_ response: String, by client: ClientHandshake) -> ClientHandshake.Result {
        var client = client
        return client.read(ByteBuffer(string: response))
    }

    private func agreed(_ fields: String) -> ClientHandshake.Agreement? {
        let result = read(Self.start + Self.upgrade + Self.accept + fields + "\r\n", by: client())
        if case .accepted(let agreement, _) = result { return agreement }
        return nil
    }

    @Test func writesARequestThatTheServerAccepts() throws {
        var request = ByteBuffer()
        client().writeRequest(into: &request)
        #expect(
            String(buffer: request)
                == "GET /chat?a=b HTTP/1.1\r\nHost: server.example.com:8080\r\nUpgrade: websocket\r\n"
                + "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                + "Sec-WebSocket-Protocol: wsd.v1.json, other\r\n"
                + "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_max_window_bits\r\n"
                + "Origin: http://o\r\n\r\n"
        )
        var parser = RequestHeadParser(maxSize: 4096)
        guard case .head(let head, _) = parser.parse(request), case .accept(let offer) = Handshake.decide(head) else {
            Issue.record("not accepted")
            return
        }
        var configuration = CompressionConfiguration()
        configuration.enabled = true
        configuration.clientWindowBits = 10
        let agreement = try #require(offer.agreeOnDeflate(configuration))
        var response = ByteBuffer()
        Handshake.writeAcceptance(
            of: offer, subprotocol: offer.subprotocol(among: ["wsd.v1.json"]), deflate: agreement, into: &response)
        let length = response.readableBytes
        response.writeImmutableBuffer(hex("8100"))
        var handshake = client()
        for end in 0..<length {
            let part = try #require(response.getSlice(at: 0, length: end))
            #expect(handshake.read(part) == .incomplete)
        }
        guard case .accepted(let accepted, let taken) = handshake.read(response) else {
            Issue.record("the response was not accepted")
            return
        }
        #expect(taken == length)
        #expect(accepted.subprotocol == "wsd.v1.json")
        #expect(accepted.deflate == agreement.parameters)
    }

    @Test func offersWhatIsConfigured() {
        var request = ByteBuffer()
        client {
            $0.enabled = true
            $0.serverContextTakeover = true
            $0.clientContextTakeover = false
            $0.serverWindowBits = 12
            $0.clientWindowBits = 9
        }.writeRequest(into: &request)
        let offer = "client_no_context_takeover; server_max_window_bits=12; client_max_window_bits=9"
        #expect(String(buffer: request).contains("permessage-deflate; " + offer + "\r\n"))
        var plain = ByteBuffer()
        client { _ in }.writeRequest(into: &plain)
        #expect(!String(buffer: plain).contains("Extensions"))
    }

    @Test func takesAnyCaseAndLists() {
        let fields = "UPGRADE: WebSocket\r\nconnection: keep-alive , UPGRADE\r\nsec-websocket-ACCEPT: "
        let response = Self.start + fields + "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
        guard case .accepted(let agreement, _) = read(response, by: client()) else {
            Issue.record("not accepted")
            return
        }
        #expect(agreement.subprotocol == nil)
        #expect(agreement.deflate == nil)
    }

    @Test func reportsARefusal() {
        let head = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\n"
        let expected = ClientHandshake.Result.refused(
            status: 401, fields: [HTTPField("Content-Length", "2")], length: head.utf8.count)
        #expect(read(head + "no", by: client()) == expected)
    }

    @Test(arguments: [
        "HTTP/1.0 101 x\r\n\(upgrade)\(accept)", "HTTP/1.1 1O1 x\r\n\(upgrade)\(accept)",
        "HTTP/1.1 1011 x\r\n\(upgrade)\(accept)", "HTTP/1.1 001 x\r\n\(upgrade)\(accept)",
        "HTTP/1.1 10\r\n\(upgrade)\(accept)", "\r\n", "\(start)\(accept)Upgrade: websocket\r\n",
        "\(start)\(accept)Connection: Upgrade\r\n", "\(start)\(upgrade)", "\(start)\(upgrade)\(accept)\(accept)",
        "\(start)\(upgrade)Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOp=\r\n",
        "\(start)\(upgrade)\(accept)Sec-WebSocket-Protocol: foreign\r\n",
        "\(start)\(upgrade)\(accept)Sec-WebSocket-Protocol: other\r\nSec-WebSocket-Protocol: wsd.v1.json\r\n",
        "\(start)\(upgrade)\(accept)Sec-WebSocket-Extensions: permessage-bzip2\r\n",
        "\(start)\(upgrade)\(accept)Sec-WebSocket-Extensions: ;\r\n", "\(start)no field\r\n", "\(start) folded: x\r\n",
    ])
    func failsOnAWrongAnswer(_ head: String) {
        guard case .failed(let sentence) = read(head + "\r\n", by: client()) else {
            Issue.record("not failed: \(head)")
            return
        }
        #expect(sentence.hasSuffix("."))
    }

    @Test(arguments: [
        // The offer demanded server_no_context_takeover.
        "permessage-deflate",
        "permessage-deflate; server_no_context_takeover; client_max_window_bits",
        "permessage-deflate; server_no_context_takeover; client_max_window_bits=16",
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
        "permessage-deflate; server_no_context_takeover; unknown",
        "permessage-deflate; server_no_context_takeover, permessage-deflate; server_no_context_takeover",
    ])
    func failsOnWhatWasNotOffered(_ answer: String) {
        #expect(agreed("Sec-WebSocket-Extensions: \(answer)\r\n") == nil)
    }

    @Test func keepsToTheAnswer() {
        let answer =
            "permessage-deflate; server_no_context_takeover; client_max_window_bits=8; server_max_window_bits=9"
        let expected = DeflateParameters(serverContextTakeover: false, serverWindowBits: 9, clientWindowBits: 8)
        #expect(agreed("Sec-WebSocket-Extensions: \(answer)\r\n")?.deflate == expected)
    }

    @Test(
        arguments: [
            // Offered: nothing about the client's window.
            (nil, nil, "client_max_window_bits=10", nil),
            (nil, .bits(10), "client_max_window_bits=11", nil),
            (nil, .bits(10), "", DeflateParameters(clientWindowBits: 10)),
            (nil, .bits(10), "client_max_window_bits=9", DeflateParameters(clientWindowBits: 9)),
            (10, nil, "", nil),
            (10, nil, "server_max_window_bits=11", nil),
            (10, nil, "server_max_window_bits=9", DeflateParameters(serverWindowBits: 9)),
            (nil, nil, "server_max_window_bits=9", DeflateParameters(serverWindowBits: 9)),
            (nil, nil, "client_no_context_takeover", DeflateParameters(clientContextTakeover: false)),
        ] as [(UInt8?, DeflateOffer.ClientWindow?, String, DeflateParameters?)])
    func readsAnswers(
        _ server: UInt8?, _ client: DeflateOffer.ClientWindow?, _ answer: String, _ expected: DeflateParameters?
    ) throws {
        var offer = DeflateOffer()
        offer.serverMaxWindowBits = server
        offer.clientMaxWindowBits = client
        let text = "permessage-deflate" + (answer.isEmpty ? "" : "; " + answer)
        let response = try #require(ExtensionElement.list(text)?.first.flatMap(DeflateOffer.init))
        #expect(offer.parameters(answeredBy: response) == expected)
    }

    @Test func boundsTheHead() {
        var handshake = client()
        let endless = ByteBuffer(repeating: UInt8(ascii: "a"), count: ClientHandshake.maxHeadSize)
        #expect(handshake.read(endless) == .incomplete)
        guard case .failed = handshake.read(joined(endless, ByteBuffer(string: "a"))) else {
            Issue.record("not failed")
            return
        }
    }

    @Test func noiseNeverTraps() {
        let whole = Array((Self.start + Self.upgrade + Self.accept + "\r\n").utf8)
        for seed in UInt64(1)...2000 {
            var generator = SeededGenerator(seed: seed &* 0x9E37_79B9)
            var bytes = whole
            for _ in 0..<Int.random(in: 1...6, using: &generator) {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            var handshake = client()
            _ = handshake.read(ByteBuffer(bytes: bytes))
        }
    }
}
