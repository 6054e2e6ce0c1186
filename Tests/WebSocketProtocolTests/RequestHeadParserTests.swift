import NIOCore
import Testing

@testable import WebSocketProtocol

@Suite struct RequestHeadParserTests {
    private func parse(_ text: String, maxSize: Int = 4096) -> RequestHeadParser.Result {
        var parser = RequestHeadParser(maxSize: maxSize)
        return parser.parse(ByteBuffer(string: text))
    }

    private func head(_ text: String) -> RequestHead? {
        if case .head(let head, _) = parse(text) { head } else { nil }
    }

    private func refused(_ text: String, maxSize: Int = 4096) -> HTTPRefusal? {
        if case .refused(let refusal) = parse(text, maxSize: maxSize) { refusal } else { nil }
    }

    @Test func readsAHead() throws {
        let text = "GET /a/b%20c?x=1&y HTTP/1.1\r\nHost: example.org\r\nX-A:  one \t\r\nx-a: two\r\nEmpty:\r\n\r\n"
        guard case .head(let head, let length) = parse(text + "left over") else {
            Issue.record("no head")
            return
        }
        #expect(length == text.utf8.count)
        #expect(head.method == "GET")
        #expect(head.target == "/a/b%20c?x=1&y")
        #expect(head.path == "/a/b%20c")
        #expect(head.query == "x=1&y")
        #expect(head.minorVersion == 1)
        #expect(head.first("HOST") == "example.org")
        #expect(head.first("x-A") == "one")
        #expect(head.joined("X-a") == "one, two")
        #expect(head.first("empty")?.isEmpty == true)
        #expect(head.first("absent") == nil)
        #expect(head.contains("TWO", in: "x-a") && !head.contains("tw", in: "x-a"))
        #expect(head.fields.map(\.name) == ["Host", "X-A", "x-a", "Empty"])
    }

    @Test(arguments: [
        ("http://example.org/p?q", "/p"), ("http://example.org", "/"), ("http://example.org?q=/x", "/"), ("*", "*"),
        ("/", "/"), ("/a#b", "/a"), ("//double", "//double"),
    ])
    func findsThePath(_ target: String, _ path: String) {
        #expect(head("GET \(target) HTTP/1.1\r\nHost: x\r\n\r\n")?.path == path[...])
    }

    @Test func takesItInAnyPieces() {
        let text = "\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\nA: b\r\n\r\n"
        let rest = "\r\n\r\nmore"
        let bytes = ByteBuffer(string: text + rest)
        for step in 1...7 {
            var parser = RequestHeadParser(maxSize: 1024)
            var seen = 0
            while true {
                seen = min(seen + step, bytes.readableBytes)
                guard let slice = bytes.getSlice(at: 0, length: seen) else { return }
                let result = parser.parse(slice)
                if case .incomplete = result, seen < text.utf8.count { continue }
                guard case .head(_, let length) = result else {
                    Issue.record("step \(step), \(seen) bytes: \(result)")
                    break
                }
                #expect(length == text.utf8.count)
                #expect(seen >= text.utf8.count && seen < text.utf8.count + step)
                break
            }
        }
    }

    @Test func aHeadOfOneByteAtATimeIsNotSearchedAgainAndAgain() {
        var parser = RequestHeadParser(maxSize: 200_000)
        var bytes = ByteBuffer(string: "GET / HTTP/1.1\r\nHost: x\r\nA: ")
        let clock = ContinuousClock()
        let elapsed = clock.measure {
            for _ in 0..<100_000 {
                bytes.writeStaticString("x")
                guard case .incomplete = parser.parse(bytes) else { return }
            }
        }
        #expect(elapsed < .seconds(5))
        bytes.writeStaticString("\r\n\r\n")
        guard case .head = parser.parse(bytes) else {
            Issue.record("no head at the end")
            return
        }
    }

    @Test(arguments: [
        ("GET /\r\n\r\n", 400), (" GET / HTTP/1.1\r\n\r\n", 400), ("G(T / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        ("GET  / HTTP/1.1\r\nHost: x\r\n\r\n", 400), ("GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        ("GET /\u{e9} HTTP/1.1\r\nHost: x\r\n\r\n", 400), ("GET / http/1.1\r\nHost: x\r\n\r\n", 400),
        ("GET / HTTP/1.2\r\nHost: x\r\n\r\n", 505), ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        ("GET / HTTP/1.1\r\n\r\n", 400), ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", 400), ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nnocolon\r\n\r\n", 400), ("GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n", 400),
        ("GET / HTTP/1.1\nHost: a\r\n\r\n", 400), ("GET / HTTP/1.1\r\nHost: a\u{0}b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n", 400), ("GET / HTTP/1.1\r\nHost: a\r\nX: \u{7f}\r\n\r\n", 400),
        ("\u{16}\u{3}\u{1}", 400), ("\u{0}", 400), ("{\"a\":1}", 400),
    ])
    func refuses(_ text: String, _ status: Int) throws {
        let refusal = try #require(refused(text))
        #expect(refusal.status == status)
        #expect(refusal.sentence.hasSuffix("."))
    }

    @Test func bounds() {
        let long = "GET / HTTP/1.1\r\nHost: x\r\nA: " + String(repeating: "y", count: 2000)
        #expect(refused(long, maxSize: 1024)?.status == 431)
        #expect(refused(long + "\r\n\r\n", maxSize: 1024)?.status == 431)
        #expect(refused(String(repeating: "\r\n", count: 600), maxSize: 1024)?.status == 431)
        let many = String(repeating: "a: b\r\n", count: RequestHeadParser.maxFields)
        #expect(refused("GET / HTTP/1.1\r\nHost: x\r\n\(many)\r\n")?.status == 431)
    }

    @Test func anOldVersionNeedsNoHost() {
        #expect(head("GET / HTTP/1.0\r\n\r\n")?.minorVersion == 0)
    }

    @Test func randomBytesNeverTrap() {
        var generator = SeededGenerator(seed: 11)
        let seed = Array("GET /x?y HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: a, Upgrade\r\n\r\n".utf8)
        for _ in 0..<20_000 {
            var bytes = seed
            for _ in 0..<Int.random(in: 1...6, using: &generator) {
                let index = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: bytes[index] = UInt8.random(in: 0...255, using: &generator)
                case 1: bytes.remove(at: index)
                default: bytes.insert([0x0D, 0x0A, 0x20, 0x3A, 0x2C].randomElement(using: &generator) ?? 0, at: index)
                }
            }
            var parser = RequestHeadParser(maxSize: 1024)
            if case .head(let head, let length) = parser.parse(ByteBuffer(bytes: bytes)) {
                #expect(length <= bytes.count)
                _ = Handshake.decide(head)
                _ = (head.path, head.query, head.fields)
            }
        }
    }
}
