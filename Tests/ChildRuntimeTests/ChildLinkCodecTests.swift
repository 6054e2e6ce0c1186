import Model
import NIOCore
import Testing
import Wire

struct ChildLinkCodecTests {
    private let messages: [SupervisorMessage] = [
        .lameDuck(true),
        .drain(code: .serviceRestart, spread: .seconds(5), deadline: .milliseconds(30_500)),
        .logLevel(.debug),
        .query(id: 7, .publish(room: "a\nb", data: "{\"x\":\n1}")),
    ]

    @Test func messagesSurviveAnyCut() throws {
        var stream = ByteBuffer()
        for message in messages { stream.writeImmutableBuffer(try ChildLinkCodec.encode(message)) }
        for size in [1, 2, 3, 7, 64, 4096] {
            var decoder = ChildLinkDecoder<SupervisorMessage>()
            var received: [SupervisorMessage] = []
            var rest = stream
            while rest.readableBytes > 0, let piece = rest.readSlice(length: min(size, rest.readableBytes)) {
                decoder.append(piece)
                while let message = try decoder.next() { received.append(message) }
            }
            #expect(received == messages)
            #expect(decoder.unread.readableBytes == 0)
        }
    }

    @Test func anUnfinishedLineIsKeptForASuccessor() throws {
        let line = try ChildLinkCodec.encode(ChildMessage.ready)
        var first = ChildLinkDecoder<ChildMessage>()
        first.append(try #require(line.getSlice(at: 0, length: 5)))
        #expect(try first.next() == nil)
        var second = ChildLinkDecoder<ChildMessage>(unread: first.unread)
        #expect(try second.next() == nil)
        second.append(try #require(line.getSlice(at: 5, length: line.readableBytes - 5)))
        #expect(try second.next() == .ready)
    }

    @Test func aConfigurationComesBackWhole() throws {
        var configuration = WsdConfiguration()
        configuration.listen = [.tcp(host: nil, port: 80), .unix(path: "/run/a.sock")]
        configuration.workers.count = 4
        let message = SupervisorMessage.configure(
            ChildConfiguration(
                slot: .worker(1), instance: InstanceID(rawValue: 9), configuration: configuration, hubSocket: "/h",
                listeners: configuration.listen, serviceStartedAt: 1_770_000_000.25
            )
        )
        var decoder = ChildLinkDecoder<SupervisorMessage>()
        decoder.append(try ChildLinkCodec.encode(message))
        #expect(try decoder.next() == message)
    }

    @Test(arguments: ["", "{}", "nonsense", "{\"unknown\":{}}", "\u{0}"])
    func whatIsNoMessageIsAnError(line: String) {
        var decoder = ChildLinkDecoder<ChildMessage>()
        decoder.append(ByteBuffer(string: line + "\n"))
        #expect(throws: ChildLinkError.self) { try decoder.next() }
    }

    @Test func aLineHasABound() {
        var decoder = ChildLinkDecoder<ChildMessage>()
        let chunk = ByteBuffer(repeating: UInt8(ascii: "x"), count: ChildLinkCodec.maxLine / 4)
        #expect(throws: ChildLinkError.lineTooLong) {
            for _ in 0..<5 {
                decoder.append(chunk)
                let message = try decoder.next()
                #expect(message == nil)
            }
        }
        let long = ChildMessage.failed(reason: String(repeating: "x", count: ChildLinkCodec.maxLine), exitCode: 1)
        #expect(throws: ChildLinkError.lineTooLong) { try ChildLinkCodec.encode(long) }
    }
}
