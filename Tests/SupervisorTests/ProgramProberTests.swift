import Glibc
import Model
import NIOCore
import NIOPosix
import Testing

@testable import Supervisor

struct ProgramProberTests {
    /// Answers each request with the same bytes, and closes then.
    private final class Answerer: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let answer: String?
        private var request = ""

        init(_ answer: String?) { self.answer = answer }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            request += String(buffer: unwrapInboundIn(data))
            guard request.hasSuffix("\r\n\r\n"), let answer else { return }
            let text = answer.replacing("LONG", with: String(repeating: "X: 1234567890\r\n", count: 1200))
            context.writeAndFlush(NIOAny(ByteBuffer(string: text)), promise: nil)
            context.close(promise: nil)
        }
    }

    private static let eventLoop = MultiThreadedEventLoopGroup.singleton.next()

    private static func serve(_ answer: String?, unix path: String? = nil) async throws -> any Channel {
        let bootstrap = ServerBootstrap(group: eventLoop).childChannelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(Answerer(answer))
            }
        }
        guard let path else { return try await bootstrap.bind(host: "127.0.0.1", port: 0).get() }
        return try await bootstrap.bind(unixDomainSocketPath: path).get()
    }

    private static func ask(_ probe: ProgramProbe, timeout: Duration = .seconds(10)) async throws -> String? {
        try await eventLoop.flatSubmit {
            let promise = eventLoop.makePromise(of: String?.self)
            ProgramProber(eventLoop: eventLoop).probe(probe, timeout: timeout) { promise.succeed($0) }
            return promise.futureResult
        }.get()
    }

    private static func http(_ port: Int, _ path: String = "/healthz", tls: Bool = false) -> ProgramProbe {
        .http(.tcp(host: "127.0.0.1", port: UInt16(port), tls: tls), path: path)
    }

    @Test(
        arguments: [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", nil),
            ("HTTP/1.0 399\r\n\r\n", nil),
            ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", nil),
            ("HTTP/1.1 503 Busy\r\n\r\n", "answered with 503"),
            ("HTTP/1.1 400 Bad\r\n\r\n", "answered with 400"),
            ("SSH-2.0-OpenSSH\r\n", "did not answer in HTTP"),
            ("HTTP/1.1 20 OK\r\n\r\n", "did not answer in HTTP"),
            ("HTTP/1.1 200 OK\r\n", "closed the connection without an answer"),
            ("HTTP/1.1 200 OK\r\nLONG", "did not answer in HTTP"),
        ] as [(String, String?)])
    func answersOfHTTP(answer: String, failure: String?) async throws {
        let server = try await Self.serve(answer)
        let port = try #require(server.localAddress?.port)
        let expected = failure.map { "http://127.0.0.1:\(port)/healthz \($0)" }
        #expect(try await Self.ask(Self.http(port)) == expected)
        try await server.close()
    }

    @Test func theRequestIsWhatServersExpect() async throws {
        let path = "/tmp/wsd-probe-\(getpid()).sock"
        let server = try await Self.serve("HTTP/1.1 200 OK\r\n\r\n", unix: path)
        #expect(try await Self.ask(.http(.unix(path: path), path: "/up?deep=1")) == nil)
        try await server.close()
        unlink(path)
        let request = "GET / HTTP/1.1\r\nHost: 127.0.0.1:1\r\nUser-Agent: wsd/\(WsdVersion.current)\r\n"
        #expect(Self.http(1, "").request?.hasPrefix(request) == true)
        #expect(Self.http(1, "").request?.hasSuffix("\r\nConnection: close\r\n\r\n") == true)
    }

    @Test func aConnectionIsEnoughForTCP() async throws {
        let server = try await Self.serve(nil)
        let port = UInt16(try #require(server.localAddress?.port))
        #expect(try await Self.ask(.tcp(host: "127.0.0.1", port: port)) == nil)
        #expect(try await Self.ask(.tcp(host: "localhost", port: port)) == nil)
        let failure = try await Self.ask(Self.http(Int(port)), timeout: .milliseconds(30))
        #expect(failure == "http://127.0.0.1:\(port)/healthz did not answer within 30 ms")
        try await server.close()
        for host in ["127.0.0.1", "localhost"] {
            let failure = try await Self.ask(.tcp(host: host, port: port))
            #expect(failure == "cannot connect to \(host):\(port): Connection refused")
        }
    }

    @Test func whatCannotBeAskedIsSaid() async throws {
        let socket = try await Self.ask(.http(.unix(path: "/nowhere/app.sock"), path: "/"))
        #expect(socket == "cannot connect to unix:/nowhere/app.sock:/: No such file or directory")
        let tls = try await Self.ask(Self.http(1, "/", tls: true))
        #expect(tls == "https://127.0.0.1:1/ cannot be asked: probes speak HTTP without TLS")
        let smuggled = try await Self.ask(Self.http(1, "/ HTTP/1.1\r\nX: y"))
        #expect(smuggled == "the path of a probe has no spaces and line breaks")
    }

    @Test func aStatusIsReadFromAnyPieces() {
        let bytes = Array("HTTP/1.1 103 Early\nA: b\n\nHTTP/1.1 302 Found\r\nLocation: /\r\n\r\nrest".utf8)
        var answer = ProbeAnswer()
        #expect(bytes.map { answer.take([$0]) }.filter { $0 != .unfinished } == [.status(302)])
        var strange = ProbeAnswer()
        #expect(strange.take(Array("HTP".utf8)) == .broken)
        #expect(strange.take(Array("HTTP/1.1 200 OK\r\n\r\n".utf8)) == .unfinished)
    }
}
