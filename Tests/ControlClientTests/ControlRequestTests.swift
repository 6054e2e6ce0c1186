import ControlClient
import NIOCore
import Testing

@Suite struct ControlRequestTests {
    @Test func escapesValues() {
        let request = ControlRequest(
            .get, "/v1/clients", query: [("id", nil), ("room", "a b&c=d/é+%"), ("user", ""), ("x", "A-z_0.~")])
        #expect(request.uri == "/v1/clients?room=a%20b%26c%3Dd%2F%C3%A9%2B%25&user=&x=A-z_0.~")
        #expect(ControlRequest(.post, "/v1/stop", query: [("now", nil)]).uri == "/v1/stop")
    }
}

@Suite struct ControlSocketTests {
    @Test(
        arguments: [
            ("/a", ["WSD_SOCKET": "/b"], 1000, ["/a"]),
            (nil, ["WSD_SOCKET": "/b"], 1000, ["/b"]),
            (
                nil, ["XDG_RUNTIME_DIR": "/run/user/1000"], 1000,
                ["/run/user/1000/wsd/control.sock", "/run/wsd/control.sock"]
            ),
            (nil, [:], 1000, ["/tmp/wsd-1000/control.sock", "/run/wsd/control.sock"]),
            (nil, [:], 0, ["/run/wsd/control.sock"]),
        ] as [(String?, [String: String], UInt32, [String])])
    func looksForTheOwnServiceFirst(flag: String?, environment: [String: String], user: UInt32, expected: [String]) {
        #expect(ControlSocket.chosen(flag: flag, environment: environment, userID: user).candidates == expected)
    }
}

@Suite struct LineSplitterTests {
    private static func split(_ pieces: [String], limit: Int = 100) throws -> [String] {
        var splitter = LineSplitter(limit: limit)
        var lines: [String] = []
        for piece in pieces {
            splitter.append(ByteBuffer(string: piece))
            while let line = try splitter.next() { lines.append(String(decoding: line, as: UTF8.self)) }
        }
        if let line = try splitter.rest() { lines.append("rest:" + String(decoding: line, as: UTF8.self)) }
        return lines
    }

    @Test func cutsWhereverThePiecesEnd() throws {
        let text = "{\"a\":1}\n\n  \r\n{\"b\":\"é\"}\nlast"
        for size in 1...text.utf8.count {
            let bytes = Array(text.utf8)
            var splitter = LineSplitter(limit: 100)
            var lines: [[UInt8]] = []
            for start in stride(from: 0, to: bytes.count, by: size) {
                splitter.append(ByteBuffer(bytes: bytes[start..<min(start + size, bytes.count)]))
                while let line = try splitter.next() { lines.append(line) }
            }
            #expect(lines == [Array("{\"a\":1}".utf8), Array("{\"b\":\"é\"}".utf8)])
            #expect(try splitter.rest() == Array("last".utf8))
        }
    }

    @Test func boundsTheLengthOfALine() throws {
        #expect(try Self.split(["1234", "5\n1"], limit: 5) == ["12345", "rest:1"])
        #expect(throws: ControlClientError.self) { try Self.split(["1234", "56"], limit: 5) }
        #expect(throws: ControlClientError.self) { try Self.split(["123456\n"], limit: 5) }
    }

    @Test func nothingComesOfNothing() throws {
        #expect(try Self.split([]) == [])
        #expect(try Self.split(["\n", " \n", "\t"]) == [])
    }
}
