import FoundationEssentials
import NIOCore
import Supervision
import Testing
import Wire

@testable import ConfigurationFile
@testable import Model
@testable import Supervisor

struct ProgramAPITests {
    private static func program(_ name: String) -> ProgramConfiguration {
        var program = ProgramConfiguration()
        program.name = name
        program.command = ["/bin/true"]
        program.backoff.initialDelay = .milliseconds(1)
        return program
    }

    private func steps(_ text: String) throws -> [OperationProgress] {
        try text.split(separator: "\n").map {
            try JSONDecoder().decode(OperationProgress.self, from: Data(String($0).utf8))
        }
    }

    private func error(_ text: String) throws -> ControlError {
        try JSONDecoder().decode(ControlError.self, from: Data(text.utf8))
    }

    @Test func addsStopsStartsAndForgetsAProgram() async throws {
        let service = try await TestService(workers: 1, adjustPrograms: { $0.usual.greeting = "up\n" })
        try await service.untilReady()
        let entry = """
            {"name":"s","command":["sleep","1000"],"folder":"/tmp","ready":"log:up","watch":["src"]}
            """
        let added = try await service.request("POST", "/v1/programs", body: entry)
        #expect(added.status == 200)
        #expect(try steps(added.body).last?.succeeded == true)
        #expect(try await service.request("POST", "/v1/programs", body: entry).status == 409)
        #expect(try await service.parts.run { $0.programs.saved.last?.map(\.configuration.name) } == ["s"])

        let described = try await service.request("GET", "/v1/programs/describe?target=1").body
        let description = try JSONDecoder().decode(ProgramDescription.self, from: Data(described.utf8))
        #expect(description.status.name == "s")
        #expect(description.environment == ["WSD_PROGRAM": "s"])
        #expect(description.settings.contains { $0.key == "command" && !$0.isDefault })
        #expect(description.settings.contains { $0.key == "watch" && $0.value.contains("/tmp/src") })

        for (verb, target, state) in [
            ("stop", "s", ProgramState.stopped), ("start", "1", .ready), ("restart", "s:1", .ready),
            ("reload", "s", .ready),
            ("reset", "s", .ready),
        ] {
            let answer = try await service.request("POST", "/v1/programs/\(verb)", body: #"{"targets":["\#(target)"]}"#)
            #expect(answer.status == 200, "\(verb)")
            #expect(try steps(answer.body).last?.succeeded == true, "\(verb): \(answer.body)")
            #expect(try await service.parts.run { $0.driver.programs.statuses()[0].state } == state, "\(verb)")
        }
        let scaled = try await service.request("POST", "/v1/programs/scale", body: #"{"targets":["s"],"instances":3}"#)
        #expect(try steps(scaled.body).last?.succeeded == true)
        #expect(try steps(scaled.body).last?.operation == "scale s to 3")
        #expect(try await service.parts.run { $0.programs.processes.count } == 3)
        let signalled = try await service.request(
            "POST", "/v1/programs/signal", body: #"{"targets":["s:2"],"signal":"usr1"}"#)
        #expect(try steps(signalled.body).last?.succeeded == true)
        #expect(try steps(signalled.body).last?.operation == "SIGUSR1 to s:2")
        #expect(try await service.parts.run { $0.programs.deeds.last } == "10 s:2")
        let mistyped = try await service.request("POST", "/v1/programs/stop", body: #"{"targets":["S_"]}"#)
        #expect(try error(mistyped.body).message.hasSuffix("Did you mean s?"))

        let deleted = try await service.request("POST", "/v1/programs/delete", body: #"{"targets":["s"]}"#)
        #expect(try steps(deleted.body).last?.succeeded == true)
        #expect(try await service.request("GET", "/v1/programs").body == "[]\n")
        try await service.close()
    }

    @Test(arguments: [
        ("stop", #"{"targets":["nothing"]}"#, 404, "not_found"),
        ("restart", #"{"targets":["a:9"]}"#, 404, "not_found"), ("delete", #"{"targets":["a"]}"#, 409, "conflict"),
        ("stop", #"{"targets":["a:1"]}"#, 400, "bad_request"),
        ("stop", #"{"targets":["workers"]}"#, 400, "bad_request"),
        ("stop", #"{"targets":[]}"#, 400, "bad_request"), ("stop", "{}", 400, "bad_request"),
        ("scale", #"{"targets":["a"]}"#, 400, "bad_request"),
        ("signal", #"{"targets":["a"],"signal":"SIGNOTHING"}"#, 400, "bad_request"),
        ("restart", #"{"targets":["worker:99"]}"#, 404, "not_found"),
        ("scale", #"{"targets":["worker:1"],"instances":2}"#, 400, "bad_request"),
    ])
    func saysWhatIsWrong(_ verb: String, _ body: String, _ status: Int, _ code: String) async throws {
        let service = try await TestService(workers: 1, programs: [Self.program("a")])
        try await service.untilReady()
        let answer = try await service.request("POST", "/v1/programs/\(verb)", body: body)
        #expect(answer.status == status, "\(answer.body)")
        #expect(try error(answer.body).code == code)
        try await service.close()
    }

    @Test(arguments: [
        ("{", 400, "bad_request"), (#"{"name":"x"}"#, 422, "configuration"),
        (#"{"name":"all","command":["a"]}"#, 422, "configuration"),
        (#"{"name":"x","command":["a"],"folder":"/","nothing":1}"#, 422, "configuration"),
        (#"{"name":"x","command":["a"],"folder":"/","dependsOn":["y"]}"#, 422, "impossible"),
    ])
    func refusesADefinition(_ body: String, _ status: Int, _ code: String) async throws {
        let service = try await TestService(workers: 1)
        try await service.untilReady()
        let answer = try await service.request("POST", "/v1/programs", body: body)
        #expect(answer.status == status, "\(answer.body)")
        #expect(try error(answer.body).code == code)
        try await service.close()
    }

    @Test func aStartThatFailsSaysWhy() async throws {
        let service = try await TestService(
            workers: 1, adjustPrograms: { $0.usual.end = (.exited(1), "Error: Cannot find module 'ws'\n") })
        try await service.untilReady()
        let entry = #"{"name":"s","command":["node","app.js"],"folder":"/tmp","ready":"5s"}"#
        let last = try steps(try await service.request("POST", "/v1/programs", body: entry).body).last
        #expect(last?.succeeded == false)
        #expect(last?.message.contains("exited with 1") == true)
        #expect(last?.message.contains("Cannot find module 'ws'") == true)
        try await service.close()
    }

    @Test func doesTheSameToSeveralAndSumsUp() async throws {
        let service = try await TestService(workers: 1, programs: ["a", "b", "c"].map(Self.program))
        try await service.untilReady()
        let stopped = try steps(
            try await service.request("POST", "/v1/programs/stop", body: #"{"targets":["a","2","a"]}"#).body)
        #expect(stopped.last?.message == "All 2 were stopped.")
        #expect(stopped.filter(\.done).count == 1)
        // A signal reaches those that run; what is refused for the others is said.
        let some = try steps(
            try await service.request("POST", "/v1/programs/signal", body: #"{"targets":["all"],"signal":"HUP"}"#).body)
        #expect(some.last?.succeeded == false)
        #expect(some.last?.message == "1 of 3 were signalled; not: a, b.")
        // Nothing is begun where one name is wrong.
        let before = try await service.parts.run { $0.programs.started.count }
        let wrong = try await service.request("POST", "/v1/programs/start", body: #"{"targets":["a","x"]}"#)
        #expect(wrong.status == 404)
        #expect(try await service.parts.run { $0.programs.started.count } == before)
        try await service.close()
    }

    @Test func allMeansTheWorkersTooWhereTheyAreRestarted() async throws {
        let service = try await TestService(workers: 1, programs: [Self.program("a")])
        try await service.untilReady()
        let restarted = try steps(
            try await service.request("POST", "/v1/programs/restart", body: #"{"targets":["all"]}"#).body)
        #expect(restarted.last?.message == "All 2 were restarted.")
        let (launched, started) = try await service.parts.run { ($0.system.launched.count, $0.programs.started.count) }
        #expect(launched == 4)
        #expect(started == 2)
        try await service.close()
    }

    @Test func whoMayOnlyLookSeesNoSecrets() async throws {
        var program = Self.program("a")
        program.environment = ["SECRET=hidden"]
        let service = try await TestService(workers: 1, access: .readOnly, programs: [program])
        try await service.until("its start") { !$0.programs.processes.isEmpty }
        let described = try await service.request("GET", "/v1/programs/describe?target=a")
        #expect(described.status == 200)
        #expect(!described.body.contains("hidden"))
        #expect(!described.body.contains("WSD_PROGRAM"))
        for none in ["a:0", "a:99", "a:-9223372036854775808"] {
            #expect(try await service.request("GET", "/v1/programs/describe?target=\(none)").status == 404)
        }
        #expect(try await service.request("POST", "/v1/programs/stop", body: #"{"targets":["a"]}"#).status == 403)
        try await service.close()
    }
}
