import Model
import NIOCore
import NIOPosix
import Testing
import Wire

@testable import Worker

/// A server of bytes: answers what it is told, request by request, and knows what it was asked. Requests have no body.
final class ScriptedUpstream: Sendable {
    /// What to do with one request.
    enum Step: Sendable {
        case answer(String)
        case answerAndClose(String)
        case close
        /// Until ``answerWaiting(_:)``.
        case wait
    }

    struct Facts {
        var steps: [Step]
        var heads: [String] = []
        var connections = 0
        var waiting: [any Channel] = []
    }

    let facts: NIOLoopBoundBox<Facts>
    private let group: any EventLoopGroup
    private let loop: any EventLoop

    init(_ steps: [Step], _ group: any EventLoopGroup) async throws {
        self.group = group
        let loop = group.next()
        self.loop = loop
        facts = try await loop.submit { NIOLoopBoundBox(Facts(steps: steps), eventLoop: loop) }.get()
    }

    /// - Parameter port: 0: any.
    func listen(port: Int = 0) async throws -> any Channel {
        try await ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { [facts] channel in
                channel.eventLoop.makeCompletedFuture {
                    facts.value.connections += 1
                    try channel.pipeline.syncOperations.addHandler(Script(facts))
                }
            }
            .bind(host: "127.0.0.1", port: port).get()
    }

    func heads() async throws -> [String] { try await loop.submit { [facts] in facts.value.heads }.get() }
    /// To those that were told to wait.
    func answerWaiting(_ answer: String) async throws {
        let waiting = try await loop.submit { [facts] in facts.value.waiting }.get()
        for channel in waiting { try await channel.writeAndFlush(ByteBuffer(string: answer)) }
    }

    func connections() async throws -> Int { try await loop.submit { [facts] in facts.value.connections }.get() }

    private final class Script: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let facts: NIOLoopBoundBox<Facts>
        private var text = ""

        init(_ facts: NIOLoopBoundBox<Facts>) {
            self.facts = facts
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            text += String(buffer: unwrapInboundIn(data))
            while let end = text.firstRange(of: "\r\n\r\n")?.upperBound {
                facts.value.heads.append(String(text[..<end]))
                text = String(text[end...])
                let step = facts.value.steps.isEmpty ? .close : facts.value.steps.removeFirst()
                switch step {
                case .answer(let answer): context.writeAndFlush(NIOAny(ByteBuffer(string: answer)), promise: nil)
                case .answerAndClose(let answer):
                    let channel = context.channel
                    channel.writeAndFlush(ByteBuffer(string: answer)).whenComplete { _ in channel.close(promise: nil) }
                case .close: context.close(promise: nil)
                case .wait: facts.value.waiting.append(context.channel)
                }
            }
        }
    }
}

/// Requests over real sockets: a worker's HTTP side before a server of bytes.
@Suite struct RoutesTests {
    private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    private func configuration(port: Int, _ change: (inout RouteConfiguration) -> Void = { _ in }) -> WsdConfiguration {
        var configuration = WsdConfiguration()
        var route = RouteConfiguration()
        (route.path, route.upstream) = ("/app", .tcp(host: "127.0.0.1", port: UInt16(port), tls: false))
        change(&route)
        configuration.routes = [route]
        return configuration
    }

    private func with(
        _ steps: [ScriptedUpstream.Step], _ change: (inout RouteConfiguration) -> Void = { _ in },
        _ body: (HTTPServerFixture, ScriptedUpstream) async throws -> Void
    ) async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let upstream = try await ScriptedUpstream(steps, group.next())
        let listener = try await upstream.listen()
        let port = try #require(listener.localAddress?.port)
        try await HTTPServerFixture.with(configuration(port: port, change)) { server async throws in
            try await body(server, upstream)
        }
        try await listener.close()
    }

    @Test func connectionsAreUsedAgain() async throws {
        try await with([.answer(ok), .answer(ok), .answer(ok)]) { server, upstream async throws in
            let client = try await server.client()
            for _ in 0..<3 {
                try await client.send("GET /app/x HTTP/1.1\r\nHost: x\r\n\r\n")
                #expect(try await client.read(until: "\r\n\r\nok").statusLine == "HTTP/1.1 200 OK")
            }
            #expect(try await upstream.connections() == 1)
            #expect(try await upstream.heads().map(\.statusLine) == Array(repeating: "GET /app/x HTTP/1.1", count: 3))
            try await client.close()
        }
    }

    @Test func aConnectionThatTheUpstreamClosesIsNotUsedAgain() async throws {
        try await with([.answerAndClose(ok), .answer(ok)]) { server, upstream async throws in
            for _ in 0..<2 { #expect(try await server.get("/app", method: "POST").body == "ok") }
            #expect(try await upstream.connections() == 2)
        }
    }

    @Test func whatDoesNoHarmIsSentAgain() async throws {
        try await with([.close, .close, .answer(ok)]) { server, upstream async throws in
            #expect(try await server.get("/app").body == "ok")
            #expect(try await upstream.heads().count == RouteLimits.maxAttempts)
        }
        try await with([.close, .close, .close, .answer(ok)]) { server, upstream async throws in
            #expect(try await server.get("/app").statusLine == "HTTP/1.1 502 Bad Gateway")
            #expect(try await upstream.heads().count == RouteLimits.maxAttempts)
        }
    }

    @Test func anOldConnectionIsNoAttempt() async throws {
        try await with([.answer(ok), .close, .close, .close, .answer(ok)]) { server, upstream async throws in
            for _ in 0..<2 { #expect(try await server.get("/app").body == "ok") }
            #expect(try await upstream.heads().count == 5)
            #expect(try await upstream.connections() == 4)
        }
    }

    @Test func whatMayDoHarmIsNot() async throws {
        for method in ["POST", "DELETE", "PUT", "PATCH"] {
            try await with([.close, .answer(ok)]) { server, upstream async throws in
                let answer = try await server.get("/app", method: method)
                #expect(answer.statusLine == "HTTP/1.1 502 Bad Gateway")
                #expect(answer.body == "The application behind /app closed the connection without an answer.\n")
                #expect(try await upstream.heads().count == 1)
            }
        }
    }

    @Test func aFailureLeavesTheConnectionOfTheClient() async throws {
        try await with([.close, .answer(ok)]) { server, _ async throws in
            let client = try await server.client()
            try await client.send("DELETE /app HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\n\r\n")
            let failed = try await client.read(until: "}\n")
            #expect(failed.statusLine == "HTTP/1.1 502 Bad Gateway")
            #expect(failed.field("content-type") == "application/json" && failed.field("connection") == nil)
            #expect(failed.body.hasPrefix("{\"code\":\"upstreamBroken\""))
            try await client.send("GET /app HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try await client.read(until: "\r\n\r\nok").statusLine == "HTTP/1.1 200 OK")
            try await client.close()
            let figures = try await server.onLoop { server.http.routes.figures["/app"] }
            #expect(figures?.requests == ["5xx": 1, "2xx": 1] && figures?.failures == ["closed": 1])
            #expect(figures?.active == 0)
        }
    }

    @Test func requestsWaitForTheUpstreamToStart() async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let upstream = try await ScriptedUpstream(Array(repeating: .answer(ok), count: 20), group.next())
        let listener = try await upstream.listen()
        let port = try #require(listener.localAddress?.port)
        try await listener.close()
        try await HTTPServerFixture.with(configuration(port: port)) { server async throws in
            var clients: [HTTPTestClient] = []
            for number in 0..<20 {
                let client = try await server.client()
                let method = number % 2 == 0 ? "GET" : "POST"
                try await client.send("\(method) /app HTTP/1.1\r\nHost: x\r\n\r\n")
                clients.append(client)
            }
            while try await server.onLoop({ server.http.routes.heldCount }) < 20 {
                try await Task.sleep(for: .milliseconds(5))
            }
            let listener = try await upstream.listen(port: port)
            for client in clients {
                #expect(try await client.read(until: "\r\n\r\nok").statusLine == "HTTP/1.1 200 OK")
                try await client.close()
            }
            let figures = try await server.onLoop { server.http.routes.figures["/app"] }
            #expect(figures?.requests == ["2xx": 20] && figures?.failures == [:] && figures?.held == 0)
            try await listener.close()
        }
    }

    @Test func theyWaitForABoundedTimeAndInBoundedNumber() async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let listener = try await ScriptedUpstream([], group.next()).listen()
        let port = try #require(listener.localAddress?.port)
        try await listener.close()
        try await HTTPServerFixture.with(configuration(port: port) { $0.hold = .milliseconds(120) }) {
            server async throws in
            let answer = try await server.get("/app")
            #expect(answer.statusLine == "HTTP/1.1 503 Service Unavailable" && answer.field("retry-after") == "2")
            #expect(try await server.onLoop { server.http.routes.figures["/app"]?.failures } == ["refused": 1])
        }
        try await HTTPServerFixture.with(configuration(port: port) { $0.hold = .zero }) { server async throws in
            #expect(try await server.get("/app").statusLine == "HTTP/1.1 502 Bad Gateway")
        }
        try await HTTPServerFixture.with(configuration(port: port)) { server async throws in
            // The client goes: nothing waits any more.
            let client = try await server.client()
            try await client.send("GET /app HTTP/1.1\r\nHost: x\r\n\r\n")
            while try await server.onLoop({ server.http.routes.heldCount }) < 1 {
                try await Task.sleep(for: .milliseconds(5))
            }
            try await client.close()
            while try await server.onLoop({ server.http.routes.heldCount }) > 0 {
                try await Task.sleep(for: .milliseconds(5))
            }
            #expect(try await server.onLoop { server.http.routes.figures["/app"]?.requests } == ["aborted": 1])
        }
    }

    @Test func aClientThatEndsItsSideIsGone() async throws {
        try await with([.wait]) { server, upstream async throws in
            let client = try await server.client()
            try await client.send("GET /app HTTP/1.1\r\nHost: x\r\n\r\n")
            while try await upstream.heads().isEmpty { try await Task.sleep(for: .milliseconds(5)) }
            try await client.closeOutput()
            #expect(try await client.readToEnd().isEmpty)
            #expect(try await server.onLoop { server.http.routes.figures["/app"]?.requests } == ["aborted": 1])
        }
    }

    @Test func aBrokenAnswerIsSeenToBeBroken() async throws {
        try await with([.answerAndClose("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")]) {
            server, _ async throws in
            let client = try await server.client()
            try await client.send("GET /app HTTP/1.1\r\nHost: x\r\n\r\n")
            let got = try await client.readToEnd()
            #expect(got.field("content-length") == "9" && got.body == "half")
            #expect(try await server.onLoop { server.http.routes.figures["/app"]?.failures } == ["closed": 1])
        }
    }

    @Test func pipelinedRequestsAreAnsweredInOrder() async throws {
        try await with([.answer(ok), .answer(ok)]) { server, _ async throws in
            let client = try await server.client()
            let routed = "GET /app HTTP/1.1\r\nHost: x\r\n\r\n"
            try await client.send(routed + "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" + routed)
            for end in ["\r\n\r\nok", "\r\n\r\nok\n", "\r\n\r\nok"] {
                #expect(try await client.read(until: end).statusLine == "HTTP/1.1 200 OK")
            }
            try await client.close()
        }
    }

    @Test func drainingEndsTheConnectionBehindTheAnswer() async throws {
        try await with([.wait]) { server, upstream async throws in
            let client = try await server.client()
            try await client.send("GET /app HTTP/1.1\r\nHost: x\r\n\r\n")
            while try await upstream.heads().isEmpty { try await Task.sleep(for: .milliseconds(5)) }
            try await server.onLoop { server.http.drain() }
            try await upstream.answerWaiting(ok)
            let last = try await client.readToEnd()
            #expect(last.body == "ok" && last.field("connection") == "close")
        }
    }
}
