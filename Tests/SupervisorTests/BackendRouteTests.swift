import NIOCore
import Supervision
import Testing
import Wire

@testable import Model
@testable import Supervisor

struct BackendRouteTests {
    /// What the hub was asked.
    private func asked(_ service: TestService) async throws -> [String] {
        try await service.parts.run { parts in
            (parts.system.children[InstanceID(rawValue: 1)]?.received ?? []).compactMap { message in
                if case .query(_, .backend(let json)) = message { json } else { nil }
            }
        }
    }

    @Test func handsCallsToTheHubAndItsAnswersBack() async throws {
        let service = try await TestService(workers: 1)
        try await service.untilReady()
        let published = try await service.request("POST", "/v1/api/publish", body: #"{"room":"lobby","data":{"a": 1}}"#)
        #expect(published.status == 200)
        #expect(published.body == "{\"room\":\"lobby\",\"epoch\":\"3k9\",\"offset\":42}\n")
        let path = "/v1/api/rooms/a%2Fb%20c/history?limit=5&reverse=true"
        #expect(try await service.request("GET", path).status == 200)
        #expect(
            try await asked(service) == [
                #"{"type":"publish","room":"lobby","data":{"a": 1}}"#,
                #"{"type":"history","room":"a/b c","limit":5,"reverse":true}"#,
            ])
        try await service.close()
    }

    @Test(arguments: [
        ("GET", "/v1/api/nothing", "", 404), ("GET", "/v1/api/publish", "", 405), ("POST", "/v1/api/publish", "{", 400),
        ("POST", "/v1/api/publish", #"{"room":"","data":1}"#, 400), ("GET", "/v1/api/", "", 404),
        ("POST", "/v1/api/publish", String(repeating: " ", count: ControlAPI.maxBody + 1), 413),
    ])
    func refusalsAreThoseOfTheBackendsAPI(_ method: String, _ path: String, _ body: String, _ status: Int) async throws
    {
        let service = try await TestService(workers: 1)
        try await service.untilReady()
        let answer = try await service.request(method, path, body: body.isEmpty ? nil : body)
        #expect(answer.status == status)
        #expect(answer.body.hasPrefix(#"{"error":{"code":""#))
        #expect(try await asked(service).isEmpty)
        try await service.close()
    }

    @Test func theLargestBodyFitsIntoALine() async throws {
        let service = try await TestService(workers: 1)
        try await service.untilReady()
        // Every byte of it is escaped on the way to the hub.
        let data = String(repeating: #"\\"#, count: (ControlAPI.maxBody - 64) / 2)
        let answer = try await service.request("POST", "/v1/api/publish", body: #"{"room":"r","data":"\#(data)"}"#)
        #expect(answer.status == 200)
        try await service.close()
    }

    @Test func theStatusIsThatOfTheHubsAnswer() async throws {
        let service = try await TestService(workers: 1) { system in
            system.behaviour.backendAnswer = { _ in #"{"error":{"code":"storage_failed","message":"Full."}}"# }
        }
        try await service.untilReady()
        let answer = try await service.request("POST", "/v1/api/publish", body: #"{"room":"lobby","data":1}"#)
        #expect(answer.status == 507)
        #expect(answer.body.contains("storage_failed"))
        try await service.close()
    }

    @Test func withoutAHubNothingIsDone() async throws {
        let service = try await TestService(workers: 1) { $0.behaviour.becomesReady = false }
        let answer = try await service.request("POST", "/v1/api/publish", body: #"{"room":"lobby","data":1}"#)
        #expect(answer.status == 503)
        #expect(answer.body.contains("The hub is away"))
        try await service.close()
    }

    @Test func aHubThatEndsMeanwhileIsSilent() async throws {
        let service = try await TestService(workers: 1) { $0.behaviour.answersQueries = false }
        try await service.untilReady()
        async let answer = service.request("GET", "/v1/api/info")
        try await service.until("the question") { parts in
            parts.system.children[InstanceID(rawValue: 1)]?.received.contains {
                if case .query = $0 { true } else { false }
            } == true
        }
        try await service.parts.run { $0.system.kill(InstanceID(rawValue: 1)) }
        #expect(try await answer.status == 503)
        try await service.close()
    }

    @Test func whoMayOnlyLookGetsWhatObserveAllows() async throws {
        let service = try await TestService(workers: 1, access: .readOnly)
        try await service.untilReady()
        let calls = [
            ("GET", "rooms/a/presence", "", 200), ("GET", "info", "", 200),
            ("POST", "batch", #"{"requests":[{"type":"info"}]}"#, 200),
            ("POST", "batch", #"{"requests":[{"type":"info"},{"type":"broadcast","data":1}]}"#, 403),
            ("POST", "publish", #"{"room":"a","data":1}"#, 403), ("DELETE", "rooms/a/history", "", 403),
        ]
        for (method, path, body, status) in calls {
            let answer = try await service.request(method, "/v1/api/" + path, body: body.isEmpty ? nil : body)
            #expect(answer.status == status, "\(method) \(path)")
        }
        #expect(try await service.request("POST", "/v1/publish", body: #"{"room":"a","data":"1"}"#).status == 403)
        try await service.close()
    }

    @Test func othersGetNothing() async throws {
        let service = try await TestService(workers: 1, access: .none)
        #expect(try await service.request("GET", "/v1/api/info").status == 403)
        try await service.close()
    }
}
