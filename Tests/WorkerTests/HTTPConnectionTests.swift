import Model
import NIOCore
import Testing
import WebSocketProtocol

@testable import Worker

private let handshake =
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    + "Sec-WebSocket-Version: 13\r\n\r\n"

@Suite struct HTTPConnectionTests {
    @Test func probes() async throws {
        try await HTTPServerFixture.with { server async throws in
            let health = try await server.get("/healthz")
            #expect(health.statusLine == "HTTP/1.1 200 OK")
            #expect(health.body == "ok\n")
            #expect(health.field("x-content-type-options") == "nosniff")
            #expect(health.field("date").flatMap(HTTPDate.parse) != nil)
            #expect(try await server.get("/readyz").statusLine == "HTTP/1.1 200 OK")
            try await server.onLoop { server.facts.value.notReadyReason = "The hub is away." }
            let away = try await server.get("/readyz")
            #expect(away.statusLine == "HTTP/1.1 503 Service Unavailable")
            #expect(away.body == "The hub is away.\n")
            #expect(try await server.get("/healthz").statusLine == "HTTP/1.1 200 OK")
        }
    }

    @Test func headHasTheFieldsButNoBody() async throws {
        try await HTTPServerFixture.with { server async throws in
            let answer = try await server.get("/healthz", method: "HEAD")
            #expect(answer.statusLine == "HTTP/1.1 200 OK")
            #expect(answer.field("content-length") == "3")
            #expect(answer.body.isEmpty)
        }
    }

    @Test func keepsTheConnectionAndTakesPipelinedRequests() async throws {
        try await HTTPServerFixture.with { server async throws in
            let client = try await server.client()
            let request = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
            try await client.send(request + request)
            for _ in 0..<2 {
                let answer = try await client.read(until: "ok\n")
                #expect(answer.statusLine == "HTTP/1.1 200 OK")
                #expect(answer.field("connection") == nil)
            }
            try await client.send("GET /healthz HTTP/1.0\r\n\r\n")
            let last = try await client.readToEnd()
            #expect(last.field("connection") == "close")
            #expect(last.body == "ok\n")
        }
    }

    @Test func answersAClientThatClosesItsSide() async throws {
        try await HTTPServerFixture.with { server async throws in
            let client = try await server.client()
            try await client.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            try await client.closeOutput()
            #expect(try await client.read(until: "ok\n").statusLine == "HTTP/1.1 200 OK")
        }
    }

    @Test func boundsBodies() async throws {
        try await HTTPServerFixture.with { server async throws in
            let declared = try await server.exchange(
                "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: \(HTTPLimits.maxBody + 1)\r\n\r\nabc")
            #expect(declared.statusLine == "HTTP/1.1 413 Content Too Large")
            let client = try await server.client()
            try await client.send("POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            let piece = "10000\r\n" + String(repeating: "x", count: 65_536) + "\r\n"
            for _ in 0..<17 { try? await client.send(piece) }
            #expect(try await client.readToEnd().statusLine == "HTTP/1.1 413 Content Too Large")
            let taken = try await server.exchange(
                "POST /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc")
            #expect(taken.statusLine == "HTTP/1.1 404 Not Found")
        }
    }

    @Test func saysContinue() async throws {
        try await HTTPServerFixture.with { server async throws in
            let client = try await server.client()
            try await client.send(
                "POST /x HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: 3\r\n\r\n")
            #expect(try await client.read(until: "\r\n\r\n").statusLine == "HTTP/1.1 100 Continue")
            try await client.send("abc")
            #expect(try await client.readToEnd().statusLine == "HTTP/1.1 404 Not Found")
        }
    }

    @Test func refusesNonsense() async throws {
        try await HTTPServerFixture.with { server async throws in
            #expect(try await server.exchange("\u{0}\u{1}\r\n\r\n").statusLine == "HTTP/1.1 400 Bad Request")
            let client = try await server.client()
            try await client.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            _ = try await client.read(until: "ok\n")
            try await client.send("nonsense\r\n\r\n")
            let refused = try await client.readToEnd()
            #expect(refused.statusLine == "HTTP/1.1 400 Bad Request")
            #expect(refused.field("connection") == "close")
        }
    }

    @Test func drainClosesTheIdleAndMarksTheLastAnswer() async throws {
        try await HTTPServerFixture.with { server async throws in
            let idle = try await server.client()
            try await idle.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            _ = try await idle.read(until: "ok\n")
            #expect(try await server.onLoop { server.http.connectionCount } == 1)
            try await server.onLoop { server.http.drain() }
            #expect(try await idle.readToEnd().isEmpty)
            let late = try await server.exchange("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(late.field("connection") == "close")
            #expect(try await server.onLoop { server.http.connectionCount } == 0)
        }
    }
}

@Suite struct HTTPUpgradeTests {
    @Test func aLaterRequestMayUpgrade() async throws {
        try await HTTPServerFixture.with { server async throws in
            let client = try await server.client()
            try await client.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            _ = try await client.read(until: "ok\n")
            try await client.send("GET /ws?a=b HTTP/1.1\r\nHost: x\r\n" + handshake)
            #expect(try await client.read(until: ";") == "upgraded:;")
            try await client.send("raw bytes;")
            #expect(try await client.read(until: ";") == "raw bytes;")
            let head = try await server.onLoop { server.facts.value.upgrades.first?.head }
            #expect(head?.target == "/ws?a=b")
            #expect(head?.first("sec-websocket-version") == "13")
            #expect(try await server.onLoop { server.http.connectionCount } == 0)
            try await client.close()
        }
    }

    @Test func anUpgradePipelinedBehindARequestWithBytesBehindIt() async throws {
        try await HTTPServerFixture.with { server async throws in
            let client = try await server.client()
            let request = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
            try await client.send(request + "GET /ws HTTP/1.1\r\nHost: x\r\n" + handshake + "early frames")
            #expect(try await client.read(until: "ok\n").statusLine == "HTTP/1.1 200 OK")
            #expect(try await client.read(until: ";") == "upgraded:early frames;")
            try await client.send("more;")
            #expect(try await client.read(until: ";") == "more;")
            try await client.close()
        }
    }

    @Test func aBadHandshakeIsHandedOverTooAndWhatFollowsItIsHarmless() async throws {
        try await HTTPServerFixture.with { server async throws in
            let client = try await server.client()
            let bad = "GET /ws HTTP/1.1\r\nHost: x\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            try await client.send(bad + "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /hea")
            #expect(try await client.read(until: ";").hasPrefix("upgraded:"))
            try await client.send("lthz HTTP/1.1\r\n\r\n;")
            #expect(try await client.read(until: ";") == "lthz HTTP/1.1\r\n\r\n;")
            try await client.close()
        }
    }

    @Test func anUpgradeWithABodyIsRefused() async throws {
        try await HTTPServerFixture.with { server async throws in
            let answer = try await server.exchange(
                "GET /ws HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n" + handshake + "abc")
            #expect(answer.statusLine == "HTTP/1.1 400 Bad Request")
        }
    }

    @Test func otherProtocolsAreAnsweredAndEnd() async throws {
        try await HTTPServerFixture.with { server async throws in
            let answer = try await server.exchange(
                "GET /healthz HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n\r\n")
            #expect(answer.statusLine == "HTTP/1.1 200 OK")
            #expect(answer.field("connection") == "close")
        }
    }
}
