import NIOCore
import Testing

@testable import WebSocketProtocol

@Suite struct HandshakeTests {
    private static let complete = [
        HTTPField("Host", "server.example.com"), HTTPField("Upgrade", "websocket"), HTTPField("Connection", "Upgrade"),
        HTTPField("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="), HTTPField("Sec-WebSocket-Version", "13"),
    ]

    private func head(
        method: String = "GET",
        minorVersion: UInt8 = 1,
        without: String? = nil,
        adding: [HTTPField] = []
    ) -> RequestHead {
        let fields = Self.complete.filter { $0.name != without } + adding
        return RequestHead(method: method, target: "/chat", minorVersion: minorVersion, fields: fields)
    }

    private func refused(_ head: RequestHead) -> HTTPRefusal? {
        if case .refuse(let refusal) = Handshake.decide(head) { refusal } else { nil }
    }

    private func accepted(_ head: RequestHead) -> HandshakeOffer? {
        if case .accept(let offer) = Handshake.decide(head) { offer } else { nil }
    }

    @Test func acceptsTheExampleOfTheRFC() throws {
        let offer = try #require(accepted(head()))
        // Section 1.3.
        #expect(offer == HandshakeOffer(acceptKey: "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", subprotocols: [], extensions: nil))
        var out = ByteBuffer()
        Handshake.writeAcceptance(
            of: offer, subprotocol: "wsd.v1.json", fields: [HTTPField("X-Test", "1")], into: &out)
        #expect(
            String(buffer: out)
                == "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: wsd.v1.json\r\n"
                + "X-Test: 1\r\n\r\n"
        )
    }

    @Test func takesListsAndAnyCase() throws {
        let head = head(
            without: "Connection",
            adding: [
                HTTPField("CONNECTION", "keep-alive, upGRADE"), HTTPField("sec-websocket-protocol", "a ,b"),
                HTTPField("Sec-WebSocket-Protocol", "c"),
                HTTPField("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"),
            ]
        )
        let offer = try #require(accepted(head))
        #expect(offer.subprotocols == ["a", "b", "c"])
        #expect(offer.extensions == "permessage-deflate; client_max_window_bits")
    }

    @Test func leavesOtherRequestsAlone() {
        for fields in [[], [HTTPField("Upgrade", "h2c"), HTTPField("Connection", "Upgrade")]] {
            let head = RequestHead(method: "GET", target: "/", minorVersion: 1, fields: fields)
            guard case .notUpgrade = Handshake.decide(head) else {
                Issue.record("not left alone: \(fields)")
                continue
            }
        }
    }

    @Test(arguments: [
        ("Upgrade", 426, "Upgrade: websocket"), ("Connection", 400, "Connection: Upgrade"),
        ("Sec-WebSocket-Key", 400, "Sec-WebSocket-Key is missing"),
        ("Sec-WebSocket-Version", 400, "Sec-WebSocket-Version is missing"),
    ])
    func saysWhatIsMissing(_ name: String, _ status: Int, _ words: String) throws {
        let refusal = try #require(refused(head(without: name)))
        #expect(refusal.status == status)
        #expect(refusal.sentence.contains(words))
    }

    @Test(arguments: [
        "", "AAAA", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQ===", "dGhlIHNhbXBsZSBub25jZ!==",
        "dGhlIHNhbXBsZSBub25jZQA=", "AAAAAAAAAAAAAAAAAAAAAAAAAAAA==",
    ])
    func refusesABadKey(_ key: String) throws {
        let refusal = try #require(
            refused(head(without: "Sec-WebSocket-Key", adding: [HTTPField("Sec-WebSocket-Key", key)])))
        #expect(refusal.status == 400)
        #expect(refusal.sentence.contains("16 bytes in base64"))
    }

    @Test func refusesOtherMistakes() {
        #expect(refused(head(method: "POST"))?.status == 405)
        #expect(refused(head(method: "POST"))?.fields == [HTTPField("Allow", "GET")])
        #expect(refused(head(minorVersion: 0))?.sentence.contains("HTTP/1.1") == true)
        let old = refused(head(without: "Sec-WebSocket-Version", adding: [HTTPField("Sec-WebSocket-Version", "8")]))
        #expect(old?.status == 426)
        #expect(old?.fields.contains(HTTPField("Sec-WebSocket-Version", "13")) == true)
        #expect(refused(head(adding: [HTTPField("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")]))?.status == 400)
        #expect(refused(head(adding: [HTTPField("Content-Length", "4")]))?.status == 400)
        #expect(refused(head(adding: [HTTPField("Transfer-Encoding", "chunked")]))?.status == 400)
        for list in ["a,,b", "", "a b", "a;b"] {
            #expect(refused(head(adding: [HTTPField("Sec-WebSocket-Protocol", list)]))?.status == 400, "\(list)")
        }
    }

    @Test func writesARefusalThatEndsTheConnection() throws {
        var out = ByteBuffer()
        Handshake.writeRefusal(try #require(refused(head(without: "Upgrade"))), into: &out)
        let text = String(buffer: out)
        #expect(text.hasPrefix("HTTP/1.1 426 Upgrade Required\r\n"))
        #expect(text.contains("\r\nUpgrade: websocket\r\n"))
        #expect(text.contains("\r\nConnection: Upgrade, close\r\n"))
        let body = try #require(text.utf8.split(separator: 0x0A, omittingEmptySubsequences: false).dropLast().last)
        #expect(text.contains("\r\nContent-Length: \(body.count + 1)\r\n"))
    }
}

@Suite struct DigestTests {
    private func hexDigest(_ text: String) -> String {
        SHA1.digest(Array(text.utf8)).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }

    @Test func sha1OfTheVectorsOfRFC3174() {
        #expect(hexDigest("abc") == "a9993e364706816aba3e25717850c26c9cd0d89d")
        #expect(
            hexDigest("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")
                == "84983e441c3bd26ebaae4aa1f95129e5e54670f1"
        )
        #expect(
            hexDigest(String(repeating: "0123456701234567012345670123456701234567012345670123456701234567", count: 10))
                == "dea356a2cddd90c7a7ecedc5ebb563934f460452"
        )
        #expect(hexDigest("") == "da39a3ee5e6b4b0d3255bfef95601890afd80709")
    }

    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ])
    func base64OfTheVectorsOfRFC4648(_ text: String, _ encoded: String) {
        #expect(Base64.encode(Array(text.utf8)) == encoded)
    }
}
