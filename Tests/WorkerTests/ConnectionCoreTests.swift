import Foundation
import Model
import NIOCore
import Realtime
import Testing
import WebSocketProtocol

@testable import Worker

@Suite struct ConnectionCoreTests {
    static let start = MonotonicTime(nanoseconds: 5_000_000_000)
    let limits = ConnectionCore.Limits(WsdConfiguration())

    /// An admitted one.
    func core(_ purpose: ConnectionCore.Purpose = .simple) -> ConnectionCore {
        var core = ConnectionCore(
            purpose: purpose, id: ClientID(boot: BootID(rawValue: 1), serial: 2), limits: limits, now: Self.start)
        core.admit(as: nil, now: Self.start)
        return core
    }

    /// Whether the core asks for nothing.
    func isQuiet(_ core: inout ConnectionCore) -> Bool {
        if case nil = core.next(limits: limits) { true } else { false }
    }

    @Test func echoesBytesLiterally() {
        var core = core(.echo)
        // RFC 6455 section 5.7: a masked "Hello", and a masked binary frame behind it.
        let bytes: [UInt8] = [
            0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58, 0x82, 0x82, 0, 0, 0, 0, 0xff, 0xfe,
        ]
        core.receive(ByteBuffer(bytes: bytes), now: Self.start)
        #expect(isQuiet(&core))
        #expect(Array(core.outbound.readableBytesView) == [0x81, 5] + Array("Hello".utf8) + [0x82, 2, 0xff, 0xfe])
        #expect(core.session.messagesIn == 2 && core.session.messagesOut == 2)
    }

    @Test func handsOnCommandsWithTheDataAsItCame() throws {
        var core = core()
        core.receive(
            Frames.client(#"{"type":"sendToRoom","roomId":"r","data":{"a": 1 },"requestId":9}"#), now: Self.start)
        guard case .command(.publish(let room, nil), let request, let data)? = core.next(limits: limits) else {
            Issue.record("no command")
            return
        }
        #expect(room == RoomName("r"))
        #expect(request == RequestID(json: "9"))
        #expect(String(buffer: data) == #"{"a": 1 }"#)
        #expect(isQuiet(&core))
    }

    @Test(arguments: [
        (#"{"type":"sendToRoom","roomId":"r","data":{"a":tru}"#, ClientErrorCode.invalidMessage),
        ("nonsense", .invalidMessage),
        (#"{"type":"dance"}"#, .unknownType),
        (#"{"type":"joinRoom"}"#, .invalidRoom),
    ])
    func malformedMessageKeepsTheConnection(_ text: String, _ expected: ClientErrorCode) {
        var core = core()
        core.receive(Frames.client(text), now: Self.start)
        guard case .unreadable(expected, request: nil)? = core.next(limits: limits) else {
            Issue.record("not told")
            return
        }
        #expect(isQuiet(&core))
        #expect(core.isOpen)
    }

    @Test func answersPingAndClose() {
        var core = core()
        var bytes = ByteBuffer()
        Frames.write(.ping, ByteBuffer(string: "x"), into: &bytes)
        bytes.writeImmutableBuffer(Frames.close(1000))
        core.receive(bytes, now: Self.start)
        guard case .end(.closedByPeer(.some(.normal)), lingering: false)? = core.next(limits: limits) else {
            Issue.record("no end")
            return
        }
        #expect(Frames.read(core.outbound) == ["<pong x>", "<close 1000 >"])
        #expect(!core.isOpen)
        #expect(isQuiet(&core))
    }

    @Test func unmaskedFrameEndsWithProtocolError() {
        var core = core()
        core.receive(ByteBuffer(bytes: [0x81, 0x01, 0x41]), now: Self.start)
        guard case .end(.protocolError(.protocolError, _), lingering: true)? = core.next(limits: limits) else {
            Issue.record("no end")
            return
        }
        #expect(Frames.read(core.outbound).first?.hasPrefix("<close 1002") == true)
    }

    @Test func pingsTheSilentAndGivesThemUp() {
        var core = core()
        #expect(
            core.timeElapsed(now: Self.start + .seconds(24), limits: limits) == .look(at: Self.start + .seconds(25)))
        let pinged = Self.start + .seconds(25)
        #expect(core.timeElapsed(now: pinged, limits: limits) == .pinged(lookAt: pinged + .seconds(10)))
        #expect(Frames.read(core.outbound) == ["<ping>"])
        core.outbound.clear()
        #expect(core.timeElapsed(now: pinged + .seconds(9), limits: limits) == .look(at: pinged + .seconds(10)))
        #expect(core.timeElapsed(now: pinged + .seconds(10), limits: limits) == .pongMissing)
        #expect(Frames.read(core.outbound).first?.hasPrefix("<close 4000") == true)
    }

    @Test func anyBytesCountAsLife() {
        var core = core()
        let pinged = Self.start + .seconds(25)
        _ = core.timeElapsed(now: pinged, limits: limits)
        core.receive(ByteBuffer(bytes: [0x8a]), now: pinged + .seconds(5))
        #expect(core.timeElapsed(now: pinged + .seconds(10), limits: limits) == .look(at: pinged + .seconds(30)))
    }

    @Test func closesOnceAndWaitsForTheAnswer() {
        var core = core()
        let first = core.close(.serviceRestart, reason: "restart", now: Self.start)
        let second = core.close(.goingAway, reason: "", now: Self.start)
        #expect(first && !second)
        core.sendRefusal(ClientRefusal(.unavailable), request: nil)
        #expect(Frames.read(core.outbound) == ["<close 1012 restart>"])
        #expect(core.timeElapsed(now: Self.start + .seconds(1), limits: limits) == .look(at: Self.start + .seconds(2)))
        #expect(core.timeElapsed(now: Self.start + .seconds(2), limits: limits) == .closeUnanswered)
    }

    @Test func survivesEncodingInTheMiddleOfAFrame() throws {
        var core = core(.echo)
        let whole = Frames.client("halved")
        let half = whole.getSlice(at: 0, length: 5) ?? ByteBuffer()
        core.receive(half, now: Self.start)
        #expect(isQuiet(&core))
        var restored = try JSONDecoder().decode(ConnectionCore.self, from: JSONEncoder().encode(core))
        restored.receive(whole.getSlice(at: 5, length: whole.readableBytes - 5) ?? ByteBuffer(), now: Self.start)
        #expect(isQuiet(&restored))
        #expect(Frames.read(restored.outbound) == ["halved"])
    }
}
