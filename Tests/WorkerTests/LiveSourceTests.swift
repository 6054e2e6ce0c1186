import Foundation
import NIOCore
import NIOPosix
import Testing

@testable import Worker

/// The control socket's answers over a real Unix socket, with a supervisor played by the test.
@Suite struct LiveSourceTests {
    /// Answers the first request head with bytes, and then does what the test says.
    final class FakeSupervisor: ChannelInboundHandler, @unchecked Sendable {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        private let answer: [String]
        private let requests: AsyncStream<(String, any Channel)>.Continuation
        private var received = ""

        init(_ answer: [String], _ requests: AsyncStream<(String, any Channel)>.Continuation) {
            self.answer = answer
            self.requests = requests
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            received += String(buffer: unwrapInboundIn(data))
            guard received.hasSuffix("\r\n\r\n") else { return }
            for piece in answer { context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: piece)), promise: nil) }
            requests.yield((received, context.channel))
        }

        func channelInactive(context: ChannelHandlerContext) {
            requests.finish()
        }
    }

    struct Call: Sendable {
        let requests: AsyncStream<(String, any Channel)>
        let events: AsyncStream<LiveEvent>
        let end: @Sendable () -> Void
        let server: any Channel
    }

    func call(_ uri: String, answer: [String]) async throws -> Call {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let path = "/tmp/wsd-test-\(UUID().uuidString.prefix(8)).sock"
        let (requests, requested) = AsyncStream.makeStream(of: (String, any Channel).self)
        let server = try await ServerBootstrap(group: loop)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(FakeSupervisor(answer, requested))
                }
            }
            .bind(unixDomainSocketPath: path).get()
        let (events, received) = AsyncStream.makeStream(of: LiveEvent.self)
        let end = try await open(path, uri, loop, received)
        return Call(requests: requests, events: events, end: end, server: server)
    }

    private func open(
        _ path: String, _ uri: String, _ loop: any EventLoop, _ received: AsyncStream<LiveEvent>.Continuation
    ) async throws -> @Sendable () -> Void {
        try await loop.submit {
            let end = LiveSource(socket: path, eventLoop: loop).open(uri) { received.yield($0) }
            let bound = NIOLoopBound(end, eventLoop: loop)
            return { @Sendable in loop.execute { bound.value() } }
        }.get()
    }

    /// Events until a last one, as text; pauses left out.
    func texts(_ events: AsyncStream<LiveEvent>) async -> [String] {
        var found: [String] = []
        for await event in events {
            switch event {
            case .pause: break
            case .line(let line): found.append(String(buffer: line))
            case .opened: found.append("opened")
            case .ended: return found + ["ended"]
            case .cutOff: return found + ["cut off"]
            case .broken: return found + ["broken"]
            case .refused(let refusal): return found + ["\(refusal)"]
            }
        }
        return found
    }

    private static let streaming =
        "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"

    @Test func asksAndCutsTheAnswerIntoLines() async throws {
        let call = try await call(
            "/v1/logs?follow=1&level=info",
            answer: [Self.streaming, "9\r\n{\"a\":1}\n{\r\n", "7\r\n\"b\":2}\n\r\n", "0\r\n\r\n"])
        var requests = call.requests.makeAsyncIterator()
        let request = try #require(await requests.next()?.0)
        #expect(request.hasPrefix("GET /v1/logs?follow=1&level=info HTTP/1.1\r\n"))
        #expect(request.lowercased().contains("host: wsd\r\n"))
        #expect(await texts(call.events) == ["opened", #"{"a":1}"#, #"{"b":2}"#, "ended"])
        // Its connection is closed with it.
        #expect(await requests.next() == nil)
        try await call.server.close()
    }

    @Test func aSupervisorThatGoesEndsTheStream() async throws {
        let call = try await call("/v1/stats?follow=1s", answer: [Self.streaming, "3\r\n{}\n\r\n"])
        var requests = call.requests.makeAsyncIterator()
        let channel = try #require(await requests.next()?.1)
        var events = call.events.makeAsyncIterator()
        while let event = await events.next() {
            guard case .line = event else { continue }
            break
        }
        try await channel.close()
        var last: LiveEvent?
        while last == nil, let event = await events.next() {
            switch event {
            case .ended, .cutOff, .broken, .refused: last = event
            case .opened, .line, .pause: break
            }
        }
        guard case .cutOff = last else {
            Issue.record("\(String(describing: last))")
            return
        }
        try await call.server.close()
    }

    @Test func whoWantsNoMoreHangsUp() async throws {
        let call = try await call("/v1/logs?follow=1", answer: [Self.streaming])
        var requests = call.requests.makeAsyncIterator()
        #expect(await requests.next() != nil)
        call.end()
        #expect(await requests.next() == nil)
        try await call.server.close()
    }

    @Test(arguments: [
        (
            "400 Bad Request", #"{"code":"bad_request","message":"“lines” must be\na whole number."}"#,
            "400 “lines” must be a whole number."
        ),
        ("400 Bad Request", "nonsense", "503 "), ("403 Forbidden", #"{"code":"forbidden","message":"No."}"#, "503 "),
        ("503 Service Unavailable", "", "503 "),
    ])
    func passesOnWhatWasWrongWithTheRequest(_ status: String, _ body: String, _ expected: String) async throws {
        let call = try await call(
            "/v1/logs", answer: ["HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"])
        let texts = await texts(call.events)
        #expect(texts.count == 1 && texts[0].hasPrefix(expected))
        try await call.server.close()
    }

    @Test func anAnswerThatIsNoneIsUnavailable() async throws {
        for answer in ["nonsense\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Le"] {
            let call = try await call("/v1/logs", answer: [answer])
            if answer.hasPrefix("HTTP") {
                var requests = call.requests.makeAsyncIterator()
                try await #require(await requests.next()?.1).close()
            }
            #expect(await texts(call.events).first?.hasPrefix("503 ") == true)
            try await call.server.close()
        }
    }

    @Test func aLineWithoutEndBreaksIt() async throws {
        let size = LiveLines.maxLine + 1
        let call = try await call(
            "/v1/logs",
            answer: [
                Self.streaming, String(size, radix: 16) + "\r\n" + String(repeating: "x", count: size) + "\r\n",
            ])
        #expect(await texts(call.events) == ["opened", "broken"])
        try await call.server.close()
    }

    @Test(arguments: ["/nowhere/control.sock", "", "/" + String(repeating: "x", count: 200)])
    func nobodyThereIsUnavailable(_ path: String) async throws {
        let (events, received) = AsyncStream.makeStream(of: LiveEvent.self)
        _ = try await open(path, "/v1/logs", MultiThreadedEventLoopGroup.singleton.next(), received)
        #expect(await texts(events).first?.hasPrefix("503 ") == true)
    }
}
