import FoundationEssentials
import Glibc
import NIOCore
import NIOPosix
import Supervision
import Testing
import Wire

@testable import ConfigurationFile
@testable import Model
@testable import Supervisor

struct ControlAPITests {
    private func decode<Value: Decodable>(_ type: Value.Type, _ text: String) throws -> Value {
        try JSONDecoder().decode(type, from: Data(text.utf8))
    }

    private func lines<Value: Decodable>(_ type: Value.Type, _ text: String) throws -> [Value] {
        try text.split(separator: "\n").map { try decode(type, String($0)) }
    }

    @Test func status() async throws {
        let service = try await TestService(workers: 2)
        try await service.untilReady()
        let (code, body) = try await service.request("GET", "/v1/status")
        #expect(code == 200)
        let status = try decode(ServiceStatus.self, body)
        #expect(status.health == .ok)
        #expect(status.processes.map(\.name) == ["supervisor", "hub", "worker 1", "worker 2"])
        #expect(status.controlSocket == service.socketPath)
        let version = try decode(VersionAnswer.self, try await service.request("GET", "/v1/version").body)
        #expect(version == VersionAnswer(version: WsdVersion.current, pid: getpid(), takeovers: 0))
        let workers = try decode([ProcessStatus].self, try await service.request("GET", "/v1/workers").body)
        #expect(workers.count == 4)
        try await service.close()
    }

    @Test(arguments: [
        ("GET", "/v1/nothing", 404), ("GET", "/", 404), ("POST", "/v1/status", 405), ("GET", "/v1/reload", 405),
        ("GET", "/v1/logs?lines=x", 400), ("GET", "/v1/logs?unknown=1", 400), ("GET", "/v1/status?x=1", 400),
        ("GET", "/v1/logs?level=loud", 400), ("POST", "/v1/scale", 400), ("POST", "/v1/restart?worker=9", 404),
        ("POST", "/v1/restart?now=maybe", 400),
    ])
    func saysWhatIsWrongWithARequest(_ method: String, _ target: String, _ expected: Int) async throws {
        let service = try await TestService(workers: 1)
        try await service.untilReady()
        let (code, body) = try await service.request(method, target)
        #expect(code == expected)
        #expect(try decode(ControlError.self, body).message.hasSuffix("."))
        try await service.close()
    }

    @Test func refusesALargeBodyAndImpossibleNumbers() async throws {
        let service = try await TestService(workers: 1)
        try await service.untilReady()
        let large = String(repeating: " ", count: ControlAPI.maxBody + 1)
        #expect(try await service.request("POST", "/v1/scale", body: large).status == 413)
        #expect(try await service.request("POST", "/v1/scale", body: #"{"workers":100000}"#).status == 400)
        #expect(try await service.request("POST", "/v1/scale", body: "{").status == 400)
        try await service.close()
    }

    @Test func othersAreRefusedWithASentence() async throws {
        let service = try await TestService(workers: 1, access: .none)
        let (code, body) = try await service.request("GET", "/v1/status")
        #expect(code == 403)
        #expect(try decode(ControlError.self, body).code == "forbidden")
        try await service.close()
    }

    @Test func listsClientsOfAllWorkers() async throws {
        let service = try await TestService(workers: 2)
        try await service.untilReady()
        let clients = try lines(ClientInfo.self, try await service.request("GET", "/v1/clients").body)
        #expect(clients.map(\.id).sorted() == ["1-1", "1-2", "2-1", "2-2"])
        let one = try lines(ClientInfo.self, try await service.request("GET", "/v1/clients?id=2-1").body)
        #expect(one.map(\.id) == ["2-1"])
        let rooms = try lines(RoomInfo.self, try await service.request("GET", "/v1/rooms").body)
        var lobby = RoomInfo(room: "lobby", members: 4)
        (lobby.messages, lobby.bytes, lobby.epoch, lobby.offset) = (20, 200, "3k9", 42)
        #expect(
            rooms == [
                lobby, RoomInfo(room: "own-1", members: 1),
                RoomInfo(room: "own-2", members: 1),
            ])
        try await service.close()
    }

    @Test func namesTheWorkerThatEndedInsteadOfAnswering() async throws {
        let service = try await TestService(workers: 1) { $0.behaviour.answersQueries = false }
        try await service.untilReady()
        async let answer = service.request("GET", "/v1/clients")
        try await service.until("the question") { parts in
            parts.system.children[InstanceID(rawValue: 2)]?.received.contains {
                if case .query = $0 { true } else { false }
            } == true
        }
        try await service.parts.run { $0.system.kill(InstanceID(rawValue: 2)) }
        let problems = try lines(StreamProblem.self, try await answer.body)
        #expect(problems.count == 1)
        #expect(problems.first?.problem.contains("Worker 1 did not answer") == true)
        try await service.close()
    }

    @Test func kicksAndPublishes() async throws {
        let service = try await TestService(workers: 2)
        try await service.untilReady()
        #expect(try await service.request("POST", "/v1/kick", body: #"{"client":"2-1"}"#).status == 200)
        #expect(try await service.request("POST", "/v1/kick", body: #"{"client":"9-1"}"#).status == 404)
        let published = try await service.request("POST", "/v1/publish", body: #"{"room":"a","data":"{\"x\":1}"}"#)
        #expect(try decode(CountAnswer.self, published.body) == CountAnswer(count: 3))
        #expect(try await service.request("POST", "/v1/publish", body: #"{"room":"a","data":"{x"}"#).status == 400)
        let refused = try await service.request("POST", "/v1/publish", body: #"{"room":"full","data":"1"}"#)
        #expect(refused.status == 503)
        #expect(try decode(ControlError.self, refused.body).message == "That room is full.")
        try await service.close()
    }

    @Test func scalesWithProgressAndNamesTheOperationThatRuns() async throws {
        let service = try await TestService(workers: 1)
        try await service.untilReady()
        try await service.parts.run { $0.system.behaviour.becomesReady = false }
        async let first = service.request("POST", "/v1/scale", body: #"{"workers":2}"#)
        try await service.until("the operation") { $0.driver.status().operation != nil }
        let second = try await service.request("POST", "/v1/reload")
        #expect(second.status == 409)
        let error = try decode(ControlError.self, second.body)
        #expect(error.code == "busy")
        #expect(error.message.contains("scale to 2"))
        try await service.parts.run { parts in
            for child in parts.system.children.values { child.send(.ready) }
        }
        let steps = try lines(OperationProgress.self, try await first.body)
        #expect(steps.last?.done == true)
        #expect(steps.last?.succeeded == true)
        try await service.close()
    }

    @Test func aReloadOfABadConfigurationFailsWithItsErrors() async throws {
        let problem = ConfigurationProblem(place: "wsd.yaml:3:1", message: "There is no key “worker”.", excerpt: nil)
        let service = try await TestService(workers: 1, reload: .failure(ConfigurationErrors([problem])))
        try await service.untilReady()
        let (code, body) = try await service.request("POST", "/v1/reload")
        #expect(code == 422)
        let error = try decode(ControlError.self, body)
        #expect(error.code == "configuration")
        #expect(error.message.contains("wsd.yaml:3:1"))
        #expect(try await service.request("GET", "/v1/status").status == 200)
        try await service.close()
    }

    @Test func hidesSecrets() async throws {
        let service = try await TestService(workers: 1)
        let entries = try decode([ConfigurationEntry].self, try await service.request("GET", "/v1/config").body)
        #expect(entries.map(\.value) == ["dev", "********"])
        try await service.close()
    }

    @Test func givesAndFollowsLogs() async throws {
        let service = try await TestService(workers: 1)
        try await service.untilReady()
        try await service.parts.run { $0.driver.log.takeOwn(.warning, "A mark", ["k": "v"]) }
        let found = try lines(
            LogEntry.self, try await service.request("GET", "/v1/logs?grep=a%20mark&level=warning").body)
        #expect(found.map(\.message) == ["A mark"])

        let path = service.socketPath
        let follower = try HTTPExchange.open(path)
        let request = "GET /v1/logs?follow=1&lines=0&grep=later HTTP/1.1\r\nHost: wsd\r\n\r\n"
        _ = request.withCString { write(follower, $0, strlen($0)) }
        async let text = HTTPExchange.threads.runIfActive { () -> String in
            var text = ""
            var buffer = [UInt8](repeating: 0, count: 4096)
            while !text.contains("later") {
                let count = read(follower, &buffer, buffer.count)
                guard count > 0 else { break }
                text += String(decoding: buffer[..<count], as: UTF8.self)
            }
            return text
        }
        // Until the follower has begun, a line may go by before it looks.
        try await service.until("a follower") { parts in
            parts.driver.log.takeOwn(.info, "later", [:])
            return parts.driver.log.hasFollowers
        }
        #expect(try await text.contains("\"message\":\"later\""))
        close(follower)
        try await service.close()
    }

    @Test func logsOfSeveralNamesAreAskedForAtOnce() async throws {
        var program = ProgramConfiguration()
        (program.name, program.command) = ("api", ["/bin/true"])
        let service = try await TestService(workers: 1, programs: [program])
        try await service.untilReady()
        try await service.parts.run { parts in
            for name in ["api", "web", "gone"] { parts.driver.log.takeOwn(.info, "of \(name)", [:], program: name) }
        }
        func messages(_ target: String) async throws -> [String] {
            let answer = try await service.request("GET", "/v1/logs?lines=1000&grep=of%20&target=\(target)")
            #expect(answer.status == 200, "\(answer.body)")
            return try lines(LogEntry.self, answer.body).map(\.message)
        }
        // Web and gone are no programs, but lines of them are kept.
        #expect(try await messages("api,gone") == ["of api", "of gone"])
        #expect(try await messages("1,web,worker:1,workers,hub") == ["of api", "of web"])
        #expect(try await messages("nobody,all") == ["of api", "of web", "of gone"])
        for (target, words) in [
            ("apu", "There is no program “apu”. `wsctl list` shows those there are. Did you mean api?"),
            (
                "superviser",
                "There is no program “superviser”. `wsctl list` shows those there are. Did you mean supervisor?"
            ),
            ("api:9", "api has no process 9."), ("worker:9", "There is no worker 9."),
            ("7", "There is no program “7”."),
        ] {
            let answer = try await service.request("GET", "/v1/logs?target=\(target)")
            #expect(answer.status == 404)
            #expect(try decode(ControlError.self, answer.body).message.hasPrefix(words), "\(answer.body)")
        }
        try await service.close()
    }

    @Test func metricsAreInPrometheusForm() async throws {
        let service = try await TestService(workers: 2) { $0.behaviour.counters.messagesIn = 5 }
        try await service.untilReady()
        try await service.until("the heartbeats") { $0.driver.status().totals.messagesIn == 10 }
        let (code, text) = try await service.request("GET", "/metrics")
        #expect(code == 200)
        let exposition = try Exposition(text)
        #expect(exposition.value("wsd_up") == 1)
        #expect(exposition.value("wsd_workers", ["state": "ready"]) == 2)
        #expect(exposition.value("wsd_messages_received_total", ["worker": "1"]) == 5)
        try await service.close()
    }

    @Test func aStopIsAnsweredToItsEnd() async throws {
        let service = try await TestService(workers: 1)
        try await service.untilReady()
        let steps = try lines(OperationProgress.self, try await service.request("POST", "/v1/stop").body)
        #expect(steps.last?.done == true)
        #expect(steps.last?.succeeded == true)
        #expect(try await service.ended.get() == 0)
        try await service.close()
    }
}
