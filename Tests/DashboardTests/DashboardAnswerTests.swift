import ControlClient
import NIOHTTP1
import Testing
import WebAssets
import Wire

@testable import Dashboard

@Suite struct DashboardAnswerTests {
    private func text(_ answer: DashboardAnswer) -> String { String(decoding: answer.body, as: UTF8.self) }

    @Test func document() {
        let answer = DashboardAnswer.document
        #expect(answer.status == .ok)
        #expect(answer.fields["Content-Type"] == ["text/html; charset=utf-8"])
        #expect(answer.fields["Content-Security-Policy"].count == 1)
        #expect(answer.fields["X-Content-Type-Options"] == ["nosniff"])
        #expect(answer.fields["Cache-Control"] == ["no-store"])
        #expect(answer.fields["Content-Length"] == ["\(answer.body.count)"])
        #expect(text(answer).contains("src=\"./pages/dashboard.js\""))
    }

    @Test func sessions() {
        #expect(text(.session("abc")) == "{\"control\":true,\"csrf\":\"abc\"}\n")
        #expect(text(.session(nil)) == "{\"control\":false}\n")
    }

    @Test func entryLeavesTheTokenBehind() {
        let answer = DashboardAnswer.entry("a=b")
        #expect(answer.status == .seeOther)
        #expect(answer.fields["Location"] == ["/"])
        #expect(answer.fields["Set-Cookie"] == ["a=b"])
    }

    @Test func refusalsForPersonsAndScripts() {
        let refusal = DashboardCall.Refusal(403, "forbidden", "Say \"please\".")
        #expect(text(.of(refusal, false)) == "Say \"please\".\n")
        #expect(text(.of(refusal, true)) == #"{"code":"forbidden","message":"Say \"please\"."}"#)
    }

    @Test func errorsOfTheControlSocket() {
        let refused = ControlClientError.refused(status: 409, ControlError(code: "busy", message: "A reload runs."))
        #expect(DashboardAnswer.of(refused).status == .conflict)
        #expect(text(.of(refused)) == #"{"code":"busy","message":"A reload runs."}"#)
        let away = DashboardAnswer.of(.notRunning([SocketAttempt(path: "/run/x", outcome: .absent)]))
        #expect(away.status == .badGateway)
        #expect(text(away).hasPrefix(#"{"code":"unavailable","message":"wsd is not running"#))
        #expect(DashboardAnswer.of(.cutOff).status == .badGateway)
    }
}
