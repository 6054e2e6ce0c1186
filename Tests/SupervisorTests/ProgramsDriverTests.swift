import FoundationEssentials
import Glibc
import NIOCore
import Supervision
import Testing
import Wire

@testable import ConfigurationFile
@testable import Model
@testable import Supervisor

struct ProgramsDriverTests {
    private static func program(
        _ name: String, _ adjust: (inout ProgramConfiguration) -> Void = { _ in }
    ) -> ProgramConfiguration {
        var program = ProgramConfiguration()
        program.name = name
        program.command = ["/bin/true"]
        program.backoff.initialDelay = .milliseconds(1)
        program.backoff.maxDelay = .milliseconds(2)
        adjust(&program)
        return program
    }

    private static func state(_ name: String, _ parts: TestService.Parts) -> ProgramState? {
        parts.driver.programs.statuses().first { $0.name == name }?.state
    }

    private static func messages(_ parts: TestService.Parts, _ filter: LogFilter) -> [String] {
        parts.driver.log.store.tail(filter, limit: 99).map(\.message)
    }

    @Test func startsProgramsWithTheServiceWhichIsReadyWhenTheyAre() async throws {
        let service = try await TestService(
            workers: 1, programs: [Self.program("api") { $0.ready = .notify }, Self.program("job")])
        try await service.until("both run") { $0.programs.processes.count == 2 && Self.state("job", $0) == .ready }
        try await service.until("the workers") { parts in
            parts.driver.machine.snapshot(now: parts.driver.now()).health == .ok
        }
        #expect(try await service.parts.run { $0.system.notifications.contains("READY=1") } == false)
        #expect(try await service.parts.run { $0.driver.status().health } == .starting)
        try await service.parts.run { parts in
            if let api = parts.programs.instance("api:1") { parts.programs.said(api, .status("warming up")) }
            if let api = parts.programs.instance("api:1") { parts.programs.said(api, .ready) }
        }
        try await service.untilReady()
        let (status, notifications) = try await service.parts.run { ($0.driver.status(), $0.system.notifications) }
        #expect(notifications.filter { $0 == "READY=1" }.count == 1)
        #expect(status.programs?.map(\.name) == ["api", "job"])
        #expect(status.programs?.first?.processes.first?.statusText == "warming up")
        try await service.close()
    }

    @Test func aCrashIsAnsweredWithARestartAndSaysItsLastLine() async throws {
        let service = try await TestService(workers: 1, programs: [Self.program("api")])
        try await service.untilReady()
        try await service.parts.run { parts in
            parts.programs.process("api:1")?.print("starting\nError: no database\n", on: .err)
            parts.programs.process("api:1")?.end(.exited(3))
        }
        try await service.until("a successor") { $0.programs.started.count == 2 && Self.state("api", $0) == .ready }
        let (status, deeds) = try await service.parts.run { ($0.driver.programs.statuses()[0], $0.programs.deeds) }
        #expect(status.restarts == 1)
        #expect(status.processes.first?.lastExit?.contains("exited with 3") == true)
        #expect(deeds == ["sweep api:1"])
        let logged = try await service.parts.run { parts in
            parts.driver.log.store.tail(LogFilter(source: "supervisor"), limit: 99).filter { $0.program == "api" }
        }
        #expect(logged.contains { $0.fields.values.contains { $0.contains("no database") } })
        #expect(logged.allSatisfy { $0.fields["process.name"]?.hasPrefix("api") == true })
        try await service.close()
    }

    @Test func nothingIsKeptOfAProcessThatHasEnded() async throws {
        /// Used on the event loop only.
        final class Former: @unchecked Sendable {
            weak var process: ProgramProcess?
        }
        let former = Former()
        let service = try await TestService(workers: 1, programs: [Self.program("api")])
        try await service.untilReady()
        try await service.parts.run { parts in
            former.process = parts.driver.programs.processes.values.first
            #expect(former.process != nil)
            parts.programs.process("api:1")?.print("a line\n", on: .err)
            parts.programs.process("api:1")?.end(.exited(3))
        }
        try await service.until("it is let go") { _ in former.process == nil }
        try await service.close()
    }

    @Test func whatTheMachineDidToItGoesBeforeItsLastLine() async throws {
        let service = try await TestService(
            workers: 1, programs: [Self.program("api")],
            adjustPrograms: {
                $0.behaviours["api"] = .init(end: (.signalled(SIGTRAP, coreDumped: false), "14: 0xbb835e _start\n"))
                $0.causes = [(.signalled(SIGTRAP, coreDumped: false), "no memory is executable")]
            })
        try await service.until("its end") { parts in
            parts.driver.programs.statuses().first?.processes.first?.lastExit?.contains("is executable") == true
        }
        try await service.close()
    }

    @Test func aKillForMemoryIsTold() async throws {
        let service = try await TestService(workers: 1, programs: [Self.program("api") { $0.restart = .never }])
        try await service.untilReady()
        try await service.parts.run { $0.programs.process("api:1")?.end(.killedForMemory) }
        try await service.until("its failure") { Self.state("api", $0) == .failed }
        let events = try await service.request("GET", "/v1/events?type=process.exited").body
        #expect(
            events.contains(#""outOfMemory":true"#) && events.contains("killed by the kernel for memory"), "\(events)")
        try await service.close()
    }

    @Test func oneThatCrashesAsSoonAsItRunsNeverLooksWell() async throws {
        let service = try await TestService(
            workers: 1,
            programs: [
                Self.program("api") {
                    $0.backoff.initialDelay = .milliseconds(1)
                    $0.backoff.maxUnstable = 1000
                }
            ])
        try await service.untilReady()
        try await service.parts.run { $0.programs.process("api:1")?.end(.exited(1)) }
        try await service.until("its successor") {
            $0.programs.started.count == 2 && $0.programs.process("api:1") != nil
        }
        try await service.until("it is executed") { $0.driver.programs.processes.values.first?.launch == .executed }
        let status = try await service.parts.run { $0.driver.status() }
        #expect(status.health == .degraded && status.programs?[0].state == .starting, "\(status)")
        #expect(status.problems == ["api:1 exited with 1; it has just been started again."])
        try await service.until("it has shown itself") { $0.driver.status().health == .ok }
        #expect(try await service.parts.run { Self.state("api", $0) } == .ready)
        try await service.close()
    }

    @Test func theErrorBeforeAStackTraceIsTheReason() async throws {
        let service = try await TestService(
            workers: 1, programs: [Self.program("api") { $0.restart = .never }])
        try await service.untilReady()
        try await service.parts.run { parts in
            let frames = (1...20).map { "    at frame\($0) (app.js:\($0))\n" }.joined()
            parts.programs.process("api:1")?.print("app.js:7\n\nError: no database\n\(frames)\nNode.js v20\n", on: .err)
            parts.programs.process("api:1")?.end(.exited(1))
        }
        try await service.until("its failure") { Self.state("api", $0) == .failed }
        let problems = try await service.parts.run { $0.driver.programs.statuses()[0].problems }
        #expect(problems.first?.contains("Error: no database") == true, "\(problems)")
        try await service.close()
    }

    @Test func noMoreThanTheLastLinesAreKept() {
        var lines = LastLines()
        for number in 1...100 {
            let line = Array("\(number)\u{1b}".utf8) + Array(repeating: UInt8(ascii: "x"), count: 1000)
            line.withUnsafeBytes { lines.add($0) }
        }
        #expect(lines.texts.count == LastLines.maxLines)
        #expect(lines.texts.first?.hasPrefix("61") == true && lines.texts.last?.contains("\u{1b}") == false)
        #expect(lines.texts.allSatisfy { $0.utf8.count < LastLines.maxBytes + 20 })
    }

    @Test func aProgramThatCannotBeExecutedFailsWithTheReason() async throws {
        let reason = "there is no program “nod” in PATH (/usr/bin)"
        let service = try await TestService(
            workers: 1, programs: [Self.program("api") { $0.backoff.maxUnstable = 1 }],
            adjustPrograms: { $0.usual.complaint = reason })
        try await service.until("its failure") { Self.state("api", $0) == .failed }
        let status = try await service.parts.run { $0.driver.status() }
        #expect(status.health == .degraded)
        #expect(status.problems.contains { $0.contains("api") })
        #expect(status.programs?[0].processes.allSatisfy { $0.pid == nil } == true)
        let lines = try await service.parts.run { Self.messages($0, LogFilter(grep: "nod")) }
        #expect(!lines.isEmpty)
        try await service.close()
    }

    @Test func linesKeepTheirStreamAndAReadyTextCounts() async throws {
        let service = try await TestService(
            workers: 1, programs: [Self.program("api") { $0.ready = .log("listening on") }, Self.program("app")])
        try await service.until("both run") { $0.programs.processes.count == 2 }
        try await service.parts.run { parts in
            parts.programs.process("api:1")?.print("{\"l\":\"error\",\"m\":\"x\"}\nlistening on 3000\n", on: .out)
            parts.programs.process("api:1")?.print("careful\n", on: .err)
            parts.programs.process("app:1")?.print("other\n", on: .out)
        }
        try await service.untilReady()
        var filter = LogFilter(source: "api:1")
        try await service.until("three lines") { [filter] in Self.messages($0, filter).count == 3 }
        filter.stream = .out
        let out = try await service.parts.run { [filter] in $0.driver.log.store.tail(filter, limit: 9) }
        #expect(out.map(\.message) == [#"{"l":"error","m":"x"}"#, "listening on 3000"])
        #expect(out.allSatisfy { $0.level == .info && $0.program == "api" && $0.stream == .out })
        let line = try #require(out.last)
        #expect(LogText.json(line).contains(#""source":"api:1","program":"api","stream":"out","pid""#))
        let record = String(decoding: JournalRecord.encode(line), as: UTF8.self)
        #expect(record.contains("WSD_PROGRAM=api\n") && record.contains("WSD_STREAM=out\n"))
        let err = try await service.request("GET", "/v1/logs?program=api&stream=err").body
        #expect(err.contains(#""message":"careful""#) && err.contains(#""level":"error""#))
        #expect(!err.contains("listening") && !err.contains("other"))
        #expect(try await service.request("GET", "/v1/logs?stream=both").status == 400)
        try await service.close()
    }

    @Test func measuresProcessesWithTheirDescendants() async throws {
        let service = try await TestService(workers: 1, programs: [Self.program("api")])
        try await service.untilReady()
        try await service.until("figures") { $0.driver.programs.statuses()[0].processes[0].memory == 3_000_000 }
        #expect(try await service.parts.run { $0.driver.programs.statuses()[0].processes[0].tree } == 2)
        let metrics = try Exposition(try await service.request("GET", "/metrics").body)
        #expect(metrics.value("wsd_program_resident_bytes", ["program": "api", "process": "api:1"]) == 3_000_000)
        #expect(metrics.value("wsd_program_ready", ["program": "api"]) == 1)
        #expect(metrics.value("wsd_program_processes", ["program": "api", "state": "ready"]) == 1)
        try await service.close()
    }

    @Test func programsEndAfterTheFleetAndThenTheService() async throws {
        let service = try await TestService(
            workers: 1,
            programs: [
                Self.program("db"),
                Self.program("api") {
                    $0.dependsOn = ["db"]
                    $0.listen = [.tcp(host: "127.0.0.1", port: 3000)]
                },
            ])
        try await service.untilReady()
        let answer = try await service.request("POST", "/v1/stop").body
        #expect(try await service.ended.get() == 0)
        let (children, deeds) = try await service.parts.run { ($0.system.children.count, $0.programs.deeds) }
        #expect(children == 0)
        // The next life of the service may need them.
        #expect(try await service.parts.run { $0.programs.closedSockets } == [])
        #expect(deeds == ["15 api:1", "sweep api:1", "15 db:1", "sweep db:1"])
        #expect(answer.contains("Stopping the programs"))
        #expect(answer.split(separator: "\n").last?.contains(#""succeeded":true"#) == true)
        try await service.close()
    }

    @Test func aHurriedStopKillsProgramsThatDoNotObey() async throws {
        let service = try await TestService(
            workers: 1, programs: [Self.program("api") { $0.stopTimeout = .seconds(3600) }],
            adjustPrograms: { $0.usual.obeys = false })
        try await service.untilReady()
        try await service.parts.run { $0.driver.stopSignalled("SIGINT") }
        try await service.until("its signal") { $0.programs.deeds.contains("15 api:1") }
        try await service.parts.run { $0.driver.stopSignalled("SIGINT") }
        #expect(try await service.ended.get() == 0)
        #expect(try await service.parts.run { $0.programs.deeds.contains("kill api:1") })
        try await service.close()
    }

    @Test func rememberedProgramsStartAgainUnlessTheConfigurationHasThem() async throws {
        let service = try await TestService(
            workers: 1, programs: [Self.program("api")],
            adjustPrograms: {
                $0.remembered = [
                    ProgramDefinition(configuration: Self.program("api"), origin: .runTime),
                    ProgramDefinition(configuration: Self.program("job"), origin: .runTime, number: 7),
                    ProgramDefinition(configuration: Self.program("off"), origin: .runTime, isWanted: false),
                ]
                $0.warnings = ["programs.json was damaged"]
            })
        try await service.untilReady()
        #expect(try await service.parts.run { $0.programs.adopted } == ["api", "job", "off"])
        let (statuses, started, lines) = try await service.parts.run {
            ($0.driver.programs.statuses(), $0.programs.started, Self.messages($0, LogFilter(grep: "damaged")))
        }
        #expect(Set(statuses.map(\.name)) == ["api", "job", "off"])
        #expect(statuses.first { $0.name == "job" }?.number == 7)
        #expect(statuses.first { $0.name == "api" }?.configured == true)
        #expect(Set(started.map(\.program)) == ["api", "job"])
        #expect(!lines.isEmpty)
        try await service.close()
    }

    @Test func aReloadBringsTheProgramsOfTheConfiguration() async throws {
        var next = WsdConfiguration()
        next.workers.count = 1
        // As the service's own.
        next.restart.initialDelay = .milliseconds(1)
        next.programs = [Self.program("new")]
        let service = try await TestService(workers: 1, reload: .success(next), programs: [Self.program("old")])
        try await service.untilReady()
        let (code, body) = try await service.request("POST", "/v1/reload")
        #expect(code == 200)
        #expect(body.contains("Programs: new: new; gone: old.") && body.contains("the workers go on"), "\(body)")
        try await service.until("the new one alone") { parts in
            parts.driver.programs.names == ["new"] && Self.state("new", parts) == .ready
        }
        #expect(try await service.parts.run { $0.programs.deeds.contains("15 old:1") })
        #expect(try await service.parts.run { $0.system.launched.map(\.slot) } == [.hub, .worker(1)])
        #expect(try await service.parts.run { $0.driver.configuration.configuration.programs } == next.programs)
        // Not the children's to know.
        #expect(try await service.parts.run { $0.system.launched.allSatisfy { $0.configuration.programs.isEmpty } })
        try await service.close()
    }
}
