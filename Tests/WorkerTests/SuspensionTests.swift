import Foundation
import Model
import NIOCore
import NIOEmbedded
import Realtime
import Testing
import Webhooks
import Wire

@testable import Worker

/// Connections whose next step waits for somebody.
@Suite struct SuspensionTests {
    let fake = FakeApplication()

    func worker(_ hooks: Set<WebhookKind>, _ change: (inout WsdConfiguration) -> Void = { _ in }) -> WorkerHarness {
        let worker = WorkerHarness(application: fake.application(hooks), change)
        worker.connectHub()
        return worker
    }

    @Test func nothingIsReadOrLostBeforeAdmission() throws {
        let worker = worker([.connect])
        let channel = try worker.accept()
        var bytes = worker.request("/ws", "Sec-WebSocket-Protocol: wsd.v1.json\r\n")
        bytes.writeImmutableBuffer(Frames.client(#"{"type":"publish","room":"r","data":1}"#))
        try channel.writeInbound(bytes)
        try worker.send(#"{"type":"publish","room":"r","data":2}"#, to: channel)
        worker.loop.run()
        let response = String(buffer: try #require(try channel.writes().first))
        #expect(response.hasPrefix("HTTP/1.1 101") && response.hasSuffix("\r\n\r\n") && fake.calls.count == 1)
        #expect(try worker.operations().isEmpty)
        fake.answer(data: #"{"hello":1}"#, user: "ada")
        worker.loop.run()
        let text = String(buffer: try channel.writes().reduce(into: ByteBuffer()) { $0.writeImmutableBuffer($1) })
        #expect(text.contains(#""user":"ada""#) && text.contains(#""data":{"hello":1}"#))
        let taken = try worker.operations()
        #expect(taken.map(\.data) == ["", "1", "2"])
    }

    @Test func theRefusedHearsItsCodeAlone() throws {
        let worker = worker([.connect])
        let channel = try worker.v1()
        fake.answer(.refused(message: "no room", code: CloseCode(rawValue: 4100)))
        worker.loop.run()
        #expect(try channel.frames() == ["<close 4100 no room>"])
        #expect(worker.engine.currentCounters().refusedByReason == ["webhook": 1])
    }

    @Test func commandsWaitInTheirOrder() throws {
        let worker = worker([.publish])
        let channel = try worker.v1()
        _ = try worker.operations()
        try worker.send(
            """
            [{"type":"publish","room":"r","data":1,"requestId":1},{"type":"broadcast","data":2},
             {"type":"publish","room":"r","data":3,"requestId":3}]
            """, to: channel)
        try worker.send(#"{"type":"ping","requestId":4}"#, to: channel)
        worker.loop.run()
        let core = try worker.handler(channel).core
        #expect(core.isSuspended && core.heldBytes > 0 && fake.calls.count == 1)
        #expect(try worker.operations().isEmpty)
        // Replaced by the application.
        fake.answer(data: #"{"checked":1}"#)
        #expect(try worker.operations().map(\.data) == [#"{"checked":1}"#, "2"])
        fake.answer(.refused(message: "not that", code: nil))
        worker.loop.run()
        #expect(try worker.operations().isEmpty)
        let frames = try channel.frames()
        #expect(frames.count == 2 && frames[0].contains("not that") && frames[0].contains(#""code":"refused""#))
        #expect(frames[1].contains(#""requestId":4"#))
        #expect(try !worker.handler(channel).core.isSuspended)
    }

    @Test(arguments: [
        (WebhookOutcome.failed(.refuse), "backend_failed"), (.failed(.allow), ""),
        (.refused(message: nil, code: nil), #""message":"Refused""#),
    ])
    func theApplicationDecidesOnJoins(_ outcome: WebhookOutcome, _ words: String) throws {
        let worker = worker([.join])
        let channel = try worker.v1()
        _ = try worker.operations()
        try worker.send(#"{"type":"join","room":"r","requestId":1}"#, to: channel)
        fake.answer(outcome)
        worker.loop.run()
        let isJoined = words.isEmpty
        #expect(try worker.operations().count == (isJoined ? 1 : 0))
        #expect(try channel.frames().filter { $0.contains(words) }.count == (isJoined ? 0 : 1))
    }

    @Test func roomsMayDoWithoutTheHook() throws {
        let worker = worker([.join]) { $0.rooms.defaults.webhooks = false }
        let channel = try worker.client()
        _ = try worker.operations()
        try worker.send(#"{"type":"joinRoom","roomId":"r"}"#, to: channel)
        #expect(fake.calls.isEmpty)
        #expect(try worker.operations().count == 1)
    }

    @Test(arguments: [true, false])
    func otherTypesGoToTheApplication(isV1: Bool) throws {
        let worker = worker([.rpc])
        let channel = try isV1 ? worker.v1() : worker.client()
        try worker.send(#"{"type":"add","data":[1,2],"requestId":"a"}"#, to: channel)
        guard case .rpc(_, _, "add", let data)? = fake.calls.first?.call, String(buffer: data) == "[1,2]" else {
            Issue.record("not asked")
            return
        }
        fake.answer(data: "3")
        worker.loop.run()
        let frames = try channel.frames()
        #expect(frames.count == 1 && frames[0].contains(#""requestId":"a""#) && frames[0].contains(#""data":3"#))
        // Nobody would get the answer.
        try worker.send(#"{"type":"add","data":[1,2]}"#, to: channel)
        worker.loop.run()
        #expect(fake.calls.isEmpty)
        #expect(try channel.frames().first?.contains("unknown_type") == true)
    }

    @Test func aCallEndsWithItsTimeout() throws {
        let worker = worker([.rpc])
        let channel = try worker.v1()
        try worker.send(#"{"type":"slow","timeout":500,"requestId":1}"#, to: channel)
        try worker.send(#"{"type":"ping","requestId":2}"#, to: channel)
        worker.loop.advanceTime(by: .milliseconds(499))
        #expect(try channel.frames() == [])
        worker.loop.advanceTime(by: .milliseconds(1))
        worker.loop.run()
        let frames = try channel.frames()
        #expect(frames.count == 2 && frames[0].contains(#""code":"timeout""#) && frames[1].contains(#""requestId":2"#))
        // Too late.
        fake.answer(data: "1")
        worker.loop.run()
        #expect(try channel.frames() == [])
    }

    @Test func whoIsClosedMeanwhileIsNotAskedFurther() throws {
        let worker = worker([.publish])
        let channel = try worker.v1()
        _ = try worker.operations()
        try worker.send(
            #"[{"type":"publish","room":"r","data":1},{"type":"publish","room":"r","data":2}]"#, to: channel)
        try worker.handler(channel).close(.policyViolation, reason: "kicked")
        fake.answer()
        worker.loop.run()
        #expect(try channel.frames() == ["<close 1008 kicked>"])
        #expect(try worker.operations().isEmpty && fake.calls.isEmpty)
        try channel.writeInbound(Frames.close(1008))
        worker.loop.run()
        #expect(!channel.isActive)
    }

    @Test func waitingIsNoSilence() throws {
        let worker = worker([.rpc])
        let channel = try worker.v1()
        try worker.send(#"{"type":"slow","requestId":1}"#, to: channel)
        worker.advance(.seconds(120))
        #expect(try channel.frames() == [] && channel.isActive)
        fake.answer(data: "1")
        worker.advance(.seconds(26))
        #expect(try channel.frames().last == "<ping>")
    }

    @Test func tooMuchIsNotHeld() throws {
        let worker = worker([.rpc])
        let channel = try worker.v1()
        try worker.send(#"{"type":"slow","requestId":1}"#, to: channel)
        let big = Frames.client("\"" + String(repeating: "x", count: 60_000) + "\"")
        for _ in 0..<3 { try channel.writeInbound(big) }
        #expect(channel.isActive)
        try channel.writeInbound(big)
        worker.loop.run()
        #expect(!channel.isActive)
    }

    @Test func authenticationIsAStepLikeOthers() throws {
        let worker = worker([.connect]) { $0.auth.required = true }
        let channel = try worker.v1()
        fake.answer()
        worker.loop.run()
        #expect(try channel.frames().first?.contains(#""authRequired":true"#) == true)
        try worker.send(#"{"type":"ping","requestId":0}"#, to: channel)
        try worker.send(#"{"type":"join","room":"r","requestId":1}"#, to: channel)
        try worker.send(#"{"type":"auth","token":"t","requestId":2}"#, to: channel)
        try worker.send(#"{"type":"leave","room":"r","requestId":3}"#, to: channel)
        worker.loop.run()
        var frames = try channel.frames()
        #expect(frames.count == 2 && frames[1].contains("unauthenticated"))
        fake.answer(user: "ada")
        worker.loop.run()
        frames = try channel.frames()
        #expect(frames.count >= 2 && frames[0].contains(#""type":"connected""#) && frames[0].contains(#""user":"ada""#))
        #expect(frames[1].contains(#""requestId":2"#) && frames[1].contains(#""user":"ada""#))
        worker.advance(.seconds(30))
        #expect(channel.isActive)
    }

    @Test func whoSaysNothingIsClosed() throws {
        let worker = worker([.connect]) { $0.auth.required = true }
        let channel = try worker.v1()
        fake.answer()
        worker.advance(.milliseconds(10_500))
        #expect(try channel.frames().last == "<close 4001 not authenticated in time>")
    }

    @Test func aWaitingCoreCanBeMovedAsAWhole() throws {
        let worker = worker([.publish])
        let channel = try worker.v1()
        try worker.send(
            #"[{"type":"ping","requestId":1},{"type":"publish","room":"r","data":1},{"type":"ping","requestId":3}]"#,
            to: channel)
        try worker.send(#"{"type":"ping","requestId":4}"#, to: channel)
        let handler = try worker.handler(channel)
        let moved = try JSONEncoder().encode(handler.core)
        var core = try JSONDecoder().decode(ConnectionCore.self, from: moved)
        #expect(core.isSuspended && core.session.session == handler.core.session.session)
        core.resume(now: worker.time.now)
        var requests: [String?] = []
        while case .command(_, let request, _)? = core.next(limits: worker.engine.limits) {
            requests.append(request?.json)
        }
        #expect(requests == ["3", "4"])
    }
}
