import Model
import NIOCore
import Testing
import WebSocketProtocol

@testable import Worker

@Suite struct ProbeTests {
    private static let id = "0123456789abcdef"

    @Test func tellsHowARequestLooked() async throws {
        var configuration = WsdConfiguration()
        configuration.http.trustedProxies = ["127.0.0.1"]
        configuration.limits.origins = ["same-host"]
        try await HTTPServerFixture.with(configuration) { server async throws in
            let bare = try await server.get("/wsd/probe")
            #expect(
                bare.body
                    == #"{"service":"wsd","version":"\#(WsdVersion.current)","worker":2,"workers":3,"origin":"none","#
                    + #""path":"/wsd/probe","forwarded":{"trusted":true,"for":null,"proto":null,"host":null},"handshake":null}"#
                    + "\n")
            #expect(bare.field("access-control-allow-origin") == "*")
            #expect(bare.field("cache-control") == "no-store")
            let fields =
                "X-Forwarded-For: 198.51.100.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: app.example\r\n"
            let behind = try await server.get(
                "/wsd/probe?path=/ws%3Fa", fields: fields + "Origin: https://app.example\r\n")
            #expect(behind.body.contains(#""for":"198.51.100.1","proto":"https","host":"app.example"}"#))
            #expect(behind.body.contains(#""origin":"allowed""#) && behind.body.contains(#""webSocket":true"#))
            let other = try await server.get("/wsd/probe?path=/nothing&origin=http://evil.example")
            #expect(other.body.contains(#""origin":"refused""#) && other.body.contains(#""webSocket":false"#))
            let own = try await server.get("/wsd/probe?origin=http%3A%2F%2Fexample.org")
            #expect(own.body.contains(#""origin":"allowed""#))
            // What the browser says counts, not the query.
            let both = try await server.get(
                "/wsd/probe?origin=http://example.org", fields: "Origin: http://evil.example\r\n")
            #expect(both.body.contains(#""origin":"refused""#))
        }
    }

    @Test func longFieldsAreCut() async throws {
        try await HTTPServerFixture.with { server async throws in
            let answer = try await server.get(
                "/wsd/probe", fields: "X-Forwarded-For: \(String(repeating: "1", count: 1000))\r\n")
            #expect(answer.body.contains("\"\(String(repeating: "1", count: HandshakeNote.maxText))\""))
        }
    }

    /// The next question may then reach another worker.
    @Test func endsItsConnection() async throws {
        try await HTTPServerFixture.with { server async throws in
            let answer = try await server.exchange("GET /wsd/probe HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(answer.field("connection") == "close")
            #expect(answer.body.hasSuffix("}\n"))
        }
    }

    @Test func remembersPlainRequestsThatWereToBeHandshakes() async throws {
        try await HTTPServerFixture.with { server async throws in
            _ = try await server.exchange("GET /ws?wsd-probe=\(Self.id) HTTP/1.0\r\nHost: a\r\n\r\n")
            let answer = try await server.get("/wsd/probe?id=\(Self.id)")
            #expect(
                answer.body.contains(
                    #""handshake":{"upgrade":false,"key":false,"status":426,"httpVersion":"1.0","path":"/ws","#))
            #expect(try await server.get("/wsd/probe?id=fedcba9876543210").body.contains(#""handshake":null"#))
        }
    }
}

@Suite struct HandshakeNotesTests {
    private final class Clock {
        var now = MonotonicTime.zero
    }

    private func head(_ id: String, _ fields: [HTTPField] = [HTTPField("Sec-WebSocket-Key", "k")]) -> RequestHead {
        RequestHead(method: "GET", target: "/ws?a=b&wsd-probe=\(id)", minorVersion: 1, fields: fields)
    }

    private func text(_ note: HandshakeNote?) -> String? {
        note.map { note in
            var out = ByteBuffer()
            note.write(into: &out)
            return String(buffer: out)
        }
    }

    private func id(_ number: Int) -> String { String(String(number + 1_000_000_000_000_000).suffix(16)) }

    @Test func keepsWhatCameAndWasAnswered() {
        let notes = HandshakeNotes { .zero }
        let fields = [
            HTTPField("Connection", "keep-alive"), HTTPField("Sec-WebSocket-Key", "secret"),
            HTTPField("Sec-WebSocket-Protocol", "wsd.v1.json"), HTTPField("Cookie", "c=secret"),
        ]
        notes.take(head(id(1), fields), status: 426, reason: "Say \"please\"")
        #expect(
            text(notes.note(of: id(1)))
                == #"{"upgrade":false,"key":true,"status":426,"httpVersion":"1.1","path":"/ws","connection":"keep-alive","#
                + #""protocols":"wsd.v1.json","extensions":null,"reason":"Say \"please\""}"#)
    }

    @Test func areBoundedInNumberAndTime() {
        let clock = Clock()
        let notes = HandshakeNotes { clock.now }
        for number in 0...HandshakeNotes.maximum { notes.take(head(id(number)), status: 101, reason: nil) }
        #expect(notes.note(of: id(0)) == nil)
        #expect(notes.note(of: id(1)) != nil)
        clock.now = .zero + .seconds(59)
        #expect(notes.note(of: id(1)) != nil)
        clock.now = .zero + .seconds(60)
        #expect(notes.note(of: id(1)) == nil)
    }

    @Test func laterRequestsCountUnlessTheyAreNone() {
        let notes = HandshakeNotes { .zero }
        notes.take(head(id(1), []), status: 404, reason: nil)
        notes.take(head(id(1)), status: 101, reason: nil)
        #expect(text(notes.note(of: id(1)))?.contains("\"status\":101") == true)
        notes.take(head(id(1), []), status: 426, reason: nil)
        #expect(text(notes.note(of: id(1)))?.contains("\"status\":101") == true)
    }

    @Test(arguments: ["", "short", "ABCDEFGHIJKLMNOP", "0123456789abcde%20", "0123456789abcdef0123456789abcdef0"])
    func otherMarksAreNone(_ mark: String) {
        let notes = HandshakeNotes { .zero }
        notes.take(head(mark), status: 101, reason: nil)
        #expect(notes.note(of: mark) == nil)
    }

    @Test func admissionTellsThem() throws {
        let harness = WorkerHarness()
        let notes = try #require(harness.engine.admission.handshakes)
        let fields = [HTTPField("Host", "a"), HTTPField("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")]
        _ = harness.engine.admission.decide(head(id(1), fields), peer: nil)
        #expect(text(notes.note(of: id(1)))?.hasPrefix(#"{"upgrade":false,"key":true,"status":426"#) == true)
        let whole =
            fields + [
                HTTPField("Connection", "Upgrade"), HTTPField("Upgrade", "websocket"),
                HTTPField("Sec-WebSocket-Version", "13"),
            ]
        _ = harness.engine.admission.decide(head(id(2), whole), peer: nil)
        #expect(text(notes.note(of: id(2)))?.hasPrefix(#"{"upgrade":true,"key":true,"status":101"#) == true)
    }
}
