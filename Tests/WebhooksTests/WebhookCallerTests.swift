import Crypto
import Foundation
import Model
import NIOCore
import NIOHTTP1
import Testing
import Wire

@testable import Webhooks

@Suite(.timeLimit(.minutes(1))) struct WebhookCallerTests {
    static let client = ClientID(boot: BootID(rawValue: 7), serial: 1)
    static let join = WebhookCall.join(client: client, user: UserName("ada"), room: RoomName("lobby"))
    static let rpc = WebhookCall.rpc(client: client, user: nil, type: "add", data: ByteBuffer(string: "[1, 2]"))

    /// A caller with all hooks on, and the application it calls.
    func run(
        _ change: @escaping @Sendable (inout WebhooksConfiguration) -> Void = { _ in },
        _ body: (TestApplication, TestCaller) async throws -> Void
    ) async throws {
        let application = try await TestApplication()
        let url = application.url("hook")
        let caller = try await TestCaller(application) { configuration in
            configuration.connect.url = url
            configuration.join.url = url
            configuration.rpc.url = url
            configuration.disconnect.url = url
            configuration.disconnect.retries = 3
            change(&configuration)
        }
        try await body(application, caller)
        try await caller.shutdown()
        try await application.close()
    }

    @Test func signsWhatItSends() async throws {
        try await run { application, caller in
            try await application.script(.json(#"{"data":{"sum" : 3}}"#))
            #expect(try await caller.call(Self.rpc) == .answered(Self.answer(data: #"{"sum" : 3}"#)))
            let request = try await application.requests(1)[0]
            #expect(request.body == #"{"event":"rpc","client":"7-1","type":"add","data":[1, 2]}"#)
            #expect(request.path == "/hook")
            let headers = request.headers
            #expect(headers["Wsd-Event"] == ["rpc"] && headers["Content-Type"] == ["application/json"])
            #expect(headers["Wsd-Timestamp"] == ["1700000000"])
            let code = HMAC<SHA256>.authenticationCode(
                for: Data("1700000000.\(request.body)".utf8),
                using: SymmetricKey(data: Data(TestApplication.secret.utf8)))
            let digits = code.map { String(format: "%02x", $0) }.joined()
            #expect(headers["Wsd-Signature"] == ["v1=\(digits)"])
        }
    }

    static func answer(data: String) -> WebhookAnswer {
        var answer = WebhookAnswer()
        answer.data = ByteBuffer(string: data)
        return answer
    }

    @Test func keepsItsConnection() async throws {
        try await run { application, caller in
            for _ in 0..<3 { _ = try await caller.call(Self.join) }
            let requests = try await application.requests(3)
            #expect(Set(requests.map(\.connection)).count == 1)
            #expect(Set(requests.map { $0.headers["Wsd-Delivery"] }).count == 3)
            let figures = try await caller.figures(.join)
            #expect(figures.calls == 3 && figures.failures == 0 && figures.inFlight == 0)
            #expect(figures.microseconds > 0)
        }
    }

    @Test func triesAgainWhereItMayHelp() async throws {
        try await run({ $0.join.retries = 4 }) { application, caller in
            try await application.script(
                .cut, .json("oops", status: 503), .json("", status: 429), .json("", status: 500), .json("{}"))
            #expect(try await caller.call(Self.join) == .answered(WebhookAnswer()))
            let requests = try await application.requests(5)
            #expect(Set(requests.map { $0.headers["Wsd-Delivery"] }).count == 1)
            let figures = try await caller.figures(.join)
            #expect(figures.calls == 1 && figures.retries == 4 && figures.failures == 0)
        }
    }

    @Test(arguments: ["{", "[]", #"{"data":}"#, "null", #"{"error"}"#])
    func anAnswerThatIsNoneIsAFailureAndNotRepeated(_ text: String) async throws {
        try await run { application, caller in
            try await application.script(.json(text))
            #expect(try await caller.call(Self.join) == .failed(.refuse))
            #expect(try await application.requests(1).count == 1)
        }
    }

    @Test func theApplicationMayRefuse() async throws {
        try await run { application, caller in
            try await application.script(
                .json(#"{"error":{"message":"no","code":4100}}"#), .json(#"{"error":{"message":"no"}}"#, status: 422),
                .json("go away", status: 403), .json("what?", status: 404))
            #expect(try await caller.call(Self.join) == .refused(message: "no", code: CloseCode(rawValue: 4100)))
            #expect(try await caller.call(Self.join) == .refused(message: "no", code: nil))
            #expect(try await caller.call(Self.join) == .refused(message: nil, code: nil))
            #expect(try await caller.call(Self.join) == .failed(.refuse))
            #expect(try await caller.figures(.join).refusals == 3)
        }
    }

    @Test func aSilentApplicationIsGivenUp() async throws {
        try await run({
            $0.join.timeout = .milliseconds(60)
            $0.join.onFailure = .allow
        }) { application, caller in
            try await application.script(.silence, .silence)
            #expect(try await caller.call(Self.join) == .failed(.allow))
            let figures = try await caller.figures(.join)
            #expect(figures.timeouts == 2 && figures.retries == 1 && figures.failures == 1)
        }
    }

    @Test(arguments: [true, false])
    func aHugeAnswerIsNotRead(_ announced: Bool) async throws {
        try await run { application, caller in
            try await application.script(.spaces(WebhookCaller.maxAnswer + 1, announced: announced))
            #expect(try await caller.call(Self.join) == .failed(.refuse))
            #expect(try await application.requests(1).count == 1)
            #expect(try await caller.call(Self.join) == .answered(WebhookAnswer()))
        }
    }

    @Test func whoCannotBeReachedIsAFailure() async throws {
        try await run { application, caller in
            try await application.stop()
            #expect(try await caller.call(Self.join) == .failed(.refuse))
            #expect(try await caller.figures(.join).retries == 1)
        }
    }

    @Test func whatIsAboveTheBoundsFailsAtOnce() async throws {
        try await run({
            $0.join.concurrency = 1
            $0.join.queue = 1
        }) { application, caller in
            try await application.script(.held)
            let (first, second) = (caller.begin(Self.join), caller.begin(Self.join))
            #expect(try await caller.call(Self.join) == .failed(.refuse))
            let figures = try await caller.figures(.join)
            #expect(figures.dropped == 1 && figures.inFlight == 1 && figures.waiting == 1)
            _ = try await application.requests(1)
            try await application.release()
            #expect(try await first.get() == .answered(WebhookAnswer()))
            #expect(try await second.get() == .answered(WebhookAnswer()))
            // The bounds are the hook's own.
            #expect(try await caller.call(Self.rpc) == .answered(WebhookAnswer()))
        }
    }

    @Test func eventsAreTriedAgainAndNobodyWaits() async throws {
        try await run { application, caller in
            try await application.script(.json("", status: 500), .cut, .json("not read"))
            try await caller.notify(.disconnect(client: Self.client, user: UserName("a\"b")))
            let requests = try await application.requests(3)
            #expect(requests[2].body == #"{"event":"disconnect","client":"7-1","user":"a\"b"}"#)
        }
    }

    @Test func aHookThatIsOffAnswersWithNothing() async throws {
        try await run({ $0.join.url = nil }) { application, caller in
            #expect(try await caller.call(Self.join) == .answered(WebhookAnswer()))
            try await caller.notify(.roomEmpty(RoomName("a")))
            #expect(try await caller.figures(.join).calls == 0)
        }
    }

    @Test func theEndWaitsForWhatIsQueued() async throws {
        try await run({ $0.disconnect.concurrency = 1 }) { application, caller in
            for _ in 0..<5 { try await caller.notify(.disconnect(client: Self.client, user: nil)) }
            try await caller.shutdown()
            #expect(try await application.requests(5).count == 5)
            #expect(try await caller.call(Self.join) == .failed(.refuse))
        }
    }

    @Test func theEndDoesNotWaitForEver() async throws {
        try await run { application, caller in
            try await application.script(.silence)
            let call = caller.begin(Self.join)
            _ = try await application.requests(1)
            try await caller.shutdown(within: .milliseconds(20))
            #expect(try await call.get() == .failed(.refuse))
        }
    }

    @Test func saysWhatIsWrongWithTheConfiguration() async throws {
        let application = try await TestApplication()
        func message(_ change: @escaping @Sendable (inout WebhooksConfiguration) -> Void) async throws -> String {
            do {
                let caller = try await TestCaller(application, change)
                try await caller.shutdown()
                return ""
            } catch let error as WebhookError {
                return error.description
            }
        }
        #expect(try await message { _ in }.isEmpty)
        #expect(try await message { $0.join.url = "ftp://x" }.contains("webhooks.join.url"))
        #expect(
            try await message {
                $0.join.url = "http://x"
                $0.secretFile = nil
            }.contains("webhooks.secretFile"))
        #expect(
            try await message {
                $0.join.url = "http://x"
                $0.secretFile = "/nowhere/secret"
            }.contains("/nowhere/secret"))
        try await application.close()
    }
}
