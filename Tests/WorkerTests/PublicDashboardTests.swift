import Model
import NIOCore
import NIOEmbedded
import Testing
import WebSocketProtocol

@testable import Worker

@Suite struct PublicDashboardTests {
    /// SHA-256 of `hello world` and `other world`.
    private static var configuration: WsdConfiguration {
        var configuration = WsdConfiguration()
        configuration.mode = .prod
        configuration.http.dashboard = true
        var observer = APIKey()
        observer.name = "dash"
        observer.sha256 = "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9"
        observer.allow = [.observe]
        var publisher = APIKey()
        publisher.name = "app"
        publisher.sha256 = "36afddf2bdce3f0adf42eb8f882678a9cd36f94fe8d127198758486b662e81c1"
        publisher.allow = [.publish, .manage]
        configuration.api.keys = [observer, publisher]
        return configuration
    }

    private static let key = "Authorization: Bearer hello world\r\n"
    private static let api = "/wsd/dashboard/api/"

    @Test func pageAndPartsAreServedWithoutTheTestPage() async throws {
        try await HTTPServerFixture.with(Self.configuration) { server async throws in
            let page = try await server.get("/wsd/dashboard")
            #expect(page.statusLine == "HTTP/1.1 200 OK")
            #expect(page.body.contains("src=\"dashboard/pages/dashboard.js\""))
            #expect(page.field("content-security-policy")?.contains("connect-src 'self';") == true)
            #expect(page.field("x-frame-options") == "DENY")
            #expect(try await server.get("/wsd/dashboard/pages/wsd.css").statusLine.contains("200"))
            for path in ["dashboard/pages/test.js", "pages/wsd.css", "test", "dashboard/", "dashboard/x"] {
                #expect(try await server.get("/wsd/\(path)").statusLine.contains("404"), "\(path)")
            }
        }
    }

    @Test func wantsAKeyThatMayObserve() async throws {
        try await HTTPServerFixture.with(Self.configuration) { server async throws in
            for name in ["session", "status", "nothing"] {
                let bare = try await server.get(Self.api + name)
                #expect(bare.statusLine == "HTTP/1.1 401 Unauthorized")
                #expect(bare.field("www-authenticate") == "Bearer")
                #expect(bare.body.hasPrefix(#"{"code":"unauthorized","message":""#))
                for wrong in ["Bearer wrong", "Bearer ", "Basic aGVsbG8gd29ybGQ=", "hello world"] {
                    let answer = try await server.get(Self.api + name, fields: "Authorization: \(wrong)\r\n")
                    #expect(answer.statusLine.contains("401"), "\(wrong)")
                }
                // In an address a key would stand in logs and histories.
                #expect(try await server.get("\(Self.api)\(name)?token=hello%20world").statusLine.contains("401"))
                let other = try await server.get(Self.api + name, fields: "Authorization: Bearer other world\r\n")
                #expect(other.statusLine.contains("403") && other.body.contains("The key app may not observe"))
            }
            #expect(try await server.onLoop { server.facts.value.calls.isEmpty })
            #expect(try await server.get(Self.api + "session", fields: Self.key).body == "{\"control\":false}\n")
        }
    }

    @Test func changesNothing() async throws {
        try await HTTPServerFixture.with(Self.configuration) { server async throws in
            for name in ["reload", "restart", "scale"] {
                #expect(
                    try await server.get(Self.api + name, fields: Self.key, method: "POST").statusLine.contains("403"))
            }
            for name in ["stop", "kick", "publish", "config", "trace", "../status", "status/x"] {
                #expect(try await server.get(Self.api + name, fields: Self.key).statusLine.contains("404"), "\(name)")
                #expect(
                    try await server.get(Self.api + name, fields: Self.key, method: "POST").statusLine.contains("404"))
            }
            #expect(
                try await server.get(Self.api + "status", fields: Self.key, method: "POST").statusLine.contains("405"))
            #expect(
                try await server.get(Self.api + "status", fields: Self.key, method: "HEAD").statusLine.contains("405"))
            #expect(try await server.get(Self.api + "stats?x=1", fields: Self.key).statusLine.contains("400"))
            #expect(try await server.onLoop { server.facts.value.calls.isEmpty })
        }
    }

    @Test func passesLinesOnUntilTheBrowserGoes() async throws {
        try await HTTPServerFixture.with(Self.configuration) { server async throws in
            let client = try await server.client()
            try await client.send("GET \(Self.api)stats?follow=1s HTTP/1.1\r\nHost: a\r\n\(Self.key)\r\n")
            try await Self.waitForCall(server)
            let target = try await server.onLoop {
                let call = server.facts.value.calls[0]
                call.receive(.opened)
                call.receive(.line(ByteBuffer(string: "{\"a\":1}")))
                call.receive(.pause)
                return call.target
            }
            #expect(target == "/v1/stats?follow=1s")
            let head = try await client.read(until: "{\"a\":1}\n")
            #expect(head.statusLine == "HTTP/1.1 200 OK")
            #expect(head.field("content-type") == "application/x-ndjson")
            #expect(head.field("cache-control") == "no-store")
            _ = try await server.onLoop {
                server.facts.value.calls[0].receive(.line(ByteBuffer(string: "{\"b\":2}")))
                server.facts.value.calls[0].receive(.pause)
            }
            _ = try await client.read(until: "{\"b\":2}\n")
            try await client.close()
            try await Self.wait(server) { server.facts.value.calls[0].hasEnded }
        }
    }

    @Test func endsWithTheCallAndTellsRefusals() async throws {
        try await HTTPServerFixture.with(Self.configuration) { server async throws in
            async let answer = server.get(Self.api + "status", fields: Self.key)
            try await Self.waitForCall(server)
            _ = try await server.onLoop {
                server.facts.value.calls[0].receive(.opened)
                server.facts.value.calls[0].receive(.line(ByteBuffer(string: "{}")))
                server.facts.value.calls[0].receive(.ended)
            }
            #expect(try await answer.body.contains("{}\n"))
            async let refused = server.get(Self.api + "logs?lines=x", fields: Self.key)
            try await Self.waitForCall(server, count: 2)
            _ = try await server.onLoop {
                server.facts.value.calls[1].receive(.refused(HTTPRefusal(status: 400, sentence: "No \"x\".")))
            }
            let text = try await refused
            #expect(text.statusLine.contains("400"))
            #expect(text.body == "{\"code\":\"bad_request\",\"message\":\"No \\\"x\\\".\"}\n")
            async let away = server.get(Self.api + "status", fields: Self.key)
            try await Self.waitForCall(server, count: 3)
            _ = try await server.onLoop { server.facts.value.calls[2].receive(.refused(.liveUnavailable)) }
            #expect(try await away.statusLine.contains("503"))
            #expect(try await away.body.hasPrefix("{\"code\":\"unavailable\""))
        }
    }

    @Test func workersEndEndsThem() async throws {
        try await HTTPServerFixture.with(Self.configuration) { server async throws in
            async let answer = server.get(Self.api + "logs?follow=1", fields: Self.key)
            try await Self.waitForCall(server)
            _ = try await server.onLoop {
                server.facts.value.calls[0].receive(.opened)
                server.http.endStreams()
            }
            #expect(try await answer.statusLine == "HTTP/1.1 200 OK")
            #expect(try await server.onLoop { server.facts.value.calls[0].hasEnded })
            #expect(try await server.get(Self.api + "status", fields: Self.key).statusLine.contains("503"))
        }
    }

    private static func waitForCall(_ server: HTTPServerFixture, count: Int = 1) async throws {
        try await wait(server) { server.facts.value.calls.count == count }
    }

    /// Turns of the loop until it is so; the test's time limit ends it otherwise.
    private static func wait(_ server: HTTPServerFixture, _ condition: @escaping @Sendable () -> Bool) async throws {
        while !(try await server.onLoop(condition)) { await Task.yield() }
    }
}

@Suite struct DashboardPipeTests {
    /// Calls on a virtual loop, of which the source is the test.
    private final class Bench {
        let loop = EmbeddedEventLoop()
        var receive: [(LiveEvent) -> Void] = []
        var ended = 0
        var reading: [Bool] = []
        private(set) lazy var calls = DashboardCalls(
            eventLoop: loop,
            source: DashboardSource { [unowned self] _, receive in
                self.receive.append(receive)
                return .init(end: { self.ended += 1 }, setReading: { self.reading.append($0) })
            })

        func begin() throws -> DashboardPipe { try #require(calls.begin("/v1/stats")).value }

        func line(_ text: String) { receive.last?(.line(ByteBuffer(string: text))) }

        /// What a reader gets next; `nil`: it waits.
        func next(_ pipe: DashboardPipe) -> () throws -> String?? {
            var result: Result<ByteBuffer?, any Error>?
            pipe.next().assumeIsolated().whenComplete { result = $0 }
            return { try result.map { try $0.get().map { String(buffer: $0) } } }
        }
    }

    @Test func handsOverWhatHasCome() throws {
        let bench = Bench()
        let pipe = try bench.begin()
        bench.receive[0](.opened)
        bench.line("a")
        bench.line("b")
        let first = bench.next(pipe)
        #expect(try first() == "a\nb\n")
        let second = bench.next(pipe)
        #expect(try second() == nil)
        bench.line("c")
        #expect(try second() == nil, "more may follow in this turn")
        bench.receive[0](.pause)
        #expect(try second() == "c\n")
        let last = bench.next(pipe)
        bench.receive[0](.ended)
        #expect(try last() == .some(nil))
        #expect(bench.calls.count == 0)
    }

    @Test func beatsWhenNothingComes() throws {
        let bench = Bench()
        let pipe = try bench.begin()
        bench.receive[0](.opened)
        let next = bench.next(pipe)
        bench.loop.advanceTime(by: DashboardPipe.beat - .nanoseconds(1))
        #expect(try next() == nil)
        bench.loop.advanceTime(by: .nanoseconds(1))
        #expect(try next() == "\n")
        // A connection whose answer takes no byte for this long is cut.
        #expect(DashboardPipe.beat < HTTPLimits.writeTimeout)
    }

    @Test func stopsReadingForASlowBrowser() throws {
        let bench = Bench()
        let pipe = try bench.begin()
        bench.receive[0](.opened)
        let line = String(repeating: "x", count: 64 * 1024)
        for _ in 0..<5 { bench.line(line) }
        #expect(bench.reading == [false])
        let next = bench.next(pipe)
        #expect(try next()??.utf8.count == 5 * (64 * 1024 + 1))
        #expect(bench.reading == [false, true])
    }

    @Test(arguments: [LiveEvent.broken, .cutOff]) func brokenStreamsAreNoEnd(_ event: LiveEvent) throws {
        let bench = Bench()
        let pipe = try bench.begin()
        bench.receive[0](.opened)
        bench.line("a")
        bench.receive[0](event)
        let first = bench.next(pipe)
        #expect(try first() == "a\n")
        let last = bench.next(pipe)
        #expect(throws: DashboardPipe.Failure.broken) { _ = try last() }
    }

    @Test func areBoundedInNumber() throws {
        let bench = Bench()
        var pipes: [DashboardPipe] = []
        for _ in 0..<DashboardCalls.maximum { pipes.append(try bench.begin()) }
        #expect(bench.calls.begin("/v1/stats") == nil)
        pipes[0].end()
        pipes[0].end()
        #expect(bench.ended == 1)
        pipes.append(try bench.begin())
        bench.calls.end()
        #expect(bench.ended == DashboardCalls.maximum + 1 && bench.calls.count == 0)
        #expect(bench.calls.begin("/v1/stats") == nil)
    }

    @Test func refusedAtOnce() throws {
        let loop = EmbeddedEventLoop()
        var ended = 0
        let calls = DashboardCalls(
            eventLoop: loop,
            source: DashboardSource { _, receive in
                receive(.refused(.liveUnavailable))
                return .init(end: { ended += 1 }, setReading: { _ in })
            })
        _ = calls.begin("/v1/status")
        #expect(calls.count == 0 && ended == 1)
    }
}
