import HTTPTypes
import NIOCore
import Supervision
import Testing
import Wire

@testable import ConfigurationFile
@testable import Model
@testable import Supervisor

struct FleetDriverTests {
    @Test func startsHubAndWorkersAndSaysReadyOnce() async throws {
        let service = try await TestService(workers: 3)
        try await service.untilReady()
        let (launched, notifications) = try await service.parts.run { ($0.system.launched, $0.system.notifications) }
        #expect(launched.map(\.slot) == [.hub, .worker(1), .worker(2), .worker(3)])
        #expect(launched.allSatisfy { ($0.slot.role == .worker) == !$0.listeners.isEmpty })
        #expect(notifications.filter { $0 == "READY=1" }.count == 1)
        try await service.close()
    }

    @Test func withoutWorkersItSaysReadyAndWhyItDoesNothingForClients() async throws {
        let service = try await TestService(workers: 0)
        try await service.until("READY=1") { $0.system.notifications.contains("READY=1") }
        let status = try await service.parts.run { $0.driver.status() }
        #expect(status.managesOnly == true && status.health == .ok && status.processes.map(\.name) == ["supervisor"])
        #expect(try await service.parts.run { $0.system.launched.isEmpty })
        for request in [OperationRequest.scale(3), .restart(slot: nil, immediately: false)] {
            await #expect {
                _ = try await service.parts.run { try $0.driver.begin(request) }
            } throws: { ($0 as? ControlFailure)?.status == .conflict && "\($0)".contains("workers.count: 0") }
        }
        try await service.close()
    }

    @Test func replacesAKilledWorkerAndKeepsItsFigures() async throws {
        let service = try await TestService(workers: 1) { system in
            system.behaviour.counters.messagesIn = 50
            system.behaviour.counters.clients = 4
        }
        try await service.untilReady()
        let first = InstanceID(rawValue: 2)
        try await service.until("the first heartbeat") { $0.driver.status().totals.messagesIn == 50 }
        try await service.parts.run { $0.system.kill(first) }
        try await service.until("a successor") { $0.driver.status().totals.messagesIn == 100 }
        let status = try await service.parts.run { $0.driver.status() }
        #expect(status.totals.clients == 4)
        #expect(status.totals.restarts == 1)
        #expect(status.processes.first { $0.worker == 1 }?.lastExit?.contains("SIGKILL") == true)
        #expect(try await service.parts.run { $0.system.cleared } == [first])
        try await service.close()
    }

    @Test func whatChildrenSayOfThemselvesIsAProblem() async throws {
        let service = try await TestService(workers: 2) { system in
            system.behaviour.counters.acceptPaused = true
            system.behaviour.counters.storageFailing = true
        }
        try await service.until("three heartbeats") {
            $0.driver.status().problems.contains { $0.contains("worker 1, worker 2: no descr") }
        }
        let status = try await service.parts.run { $0.driver.status() }
        #expect(status.health == .degraded)
        #expect(status.problems.contains { $0.hasPrefix("Histories cannot be stored") })
        try await service.close()
    }

    @Test(arguments: ["garbage", "{\"nothing\":{}}", String(repeating: "x", count: 5_000_000)])
    func aChildThatBreaksTheLinkIsKilledAndCounted(_ line: String) async throws {
        let service = try await TestService(workers: 1) { system in
            system.behaviour.rawLine = line
            system.behaviour.becomesReady = false
        }
        try await service.until("a broken link") { $0.driver.brokenLinks > 0 && !$0.system.cleared.isEmpty }
        try await service.close()
    }

    @Test func aChildOfAnotherVersionIsKilled() async throws {
        let service = try await TestService(workers: 1) { $0.behaviour.link = WsdVersion.link + 1 }
        try await service.until("its end") { !$0.system.cleared.isEmpty }
        #expect(try await service.parts.run { $0.driver.status().health } != .ok)
        try await service.close()
    }

    @Test func whatAChildSaysLastIsHeardBeforeItsEnd() async throws {
        let service = try await TestService(workers: 1) {
            $0.behaviour.complaint = ("The static folder is missing", 78)
        }
        // All worker slots have failed for good: the service ends.
        #expect(try await service.ended.get() != 0)
        let lines = try await service.parts.run { $0.driver.log.store.tail(LogFilter(grep: "static folder"), limit: 9) }
        #expect(!lines.isEmpty)
        try await service.close()
    }

    @Test func aSpawnThatFailsIsTriedAgain() async throws {
        let service = try await TestService(workers: 1) { $0.failure = "Cannot allocate memory" }
        try await service.until("backoff") { parts in
            parts.driver.status().processes.contains { $0.state == .backoff }
        }
        try await service.parts.run { $0.system.failure = nil }
        try await service.untilReady()
        try await service.close()
    }

    @Test func aReloadWhoseFileIsGoneIsRefused() async throws {
        let service = try await TestService(workers: 1, reloadFindsFile: false)
        try await service.untilReady()
        let refusal = try await service.parts.run { parts -> String? in
            do throws(ControlFailure) {
                _ = try parts.driver.begin(.reload)
                return nil
            } catch {
                return error.error.message
            }
        }
        #expect(refusal?.hasPrefix("/etc/wsd/wsd.yaml is gone") == true)
        try await service.close()
    }

    @Test func linesOfChildrenReachTheLog() async throws {
        let service = try await TestService(workers: 1)
        try await service.untilReady()
        try await service.parts.run { parts in
            parts.system.children[InstanceID(rawValue: 2)]?.print(
                "{\"l\":\"error\",\"m\":\"broke\",\"f\":{\"k\":\"v\"}}\nplain\n")
        }
        try await service.until("both lines") {
            $0.driver.log.store.tail(LogFilter(source: "worker 1"), limit: 9).count == 2
        }
        let lines = try await service.parts.run { $0.driver.log.store.tail(LogFilter(source: "worker 1"), limit: 9) }
        #expect(lines.map(\.message) == ["broke", "plain"])
        #expect(lines.map(\.level) == [.error, .warning])
        #expect(lines[0].fields == ["k": "v"])
        try await service.close()
    }

    @Test func stopsWithoutLeavingAnybody() async throws {
        let service = try await TestService(workers: 2)
        try await service.untilReady()
        try await service.parts.run { $0.driver.stopSignalled("SIGTERM") }
        #expect(try await service.ended.get() == 0)
        let (left, closed, notifications) = try await service.parts.run {
            ($0.system.children.count, $0.system.hasClosedListeners, $0.system.notifications)
        }
        #expect(left == 0)
        #expect(closed)
        #expect(notifications.contains("STOPPING=1"))
        try await service.close()
    }

    @Test func aRepeatedSIGTERMIsOneAndAnotherSignalHurries() async throws {
        let service = try await TestService(workers: 1)
        try await service.untilReady()
        let (once, hurried) = try await service.parts.run { parts in
            func hurries() -> Int {
                parts.driver.log.store.tail(LogFilter(grep: "Hurrying"), limit: 9).count
            }
            for _ in 0..<4 { parts.driver.stopSignalled("SIGTERM") }
            let once = hurries()
            parts.driver.stopSignalled("SIGINT")
            // After that it would be the third, which kills.
            parts.driver.stopSignalled("SIGTERM")
            return (once, hurries())
        }
        #expect(once == 0)
        #expect(hurried == 1)
        #expect(try await service.ended.get() == 0)
        try await service.close()
    }

    @Test func aReloadSendsTheNewLogLevelAndReplacesWorkers() async throws {
        var next = WsdConfiguration()
        next.workers.count = 2
        next.log.level = .debug
        let service = try await TestService(workers: 2, reload: .success(next))
        try await service.untilReady()
        let progress = try await service.parts.run { try $0.driver.begin(.reload) }
        var last: OperationProgress?
        for await step in progress { last = step }
        #expect(last?.done == true)
        #expect(last?.succeeded == true, "\(String(describing: last))")
        let levels = try await service.parts.run { $0.system.launched.map(\.configuration.log.level) }
        #expect(levels == [.info, .info, .info, .debug, .debug])
        #expect(try await service.parts.run { $0.driver.configuration.configuration.log.level } == .debug)
        try await service.close()
    }

    @Test func aReloadWithoutAnyDifferenceReplacesTheWorkers() async throws {
        var next = WsdConfiguration()
        next.workers.count = 2
        // As the service's own.
        next.restart.initialDelay = .milliseconds(1)
        var program = ProgramConfiguration()
        (program.name, program.command) = ("job", ["/bin/true"])
        next.programs = [program]
        let service = try await TestService(workers: 2, reload: .success(next))
        try await service.untilReady()
        let first = try await service.request("POST", "/v1/reload").body
        #expect(first.contains("The configuration is in force."))
        // Nothing differs any more: whoever asks for it wants new workers.
        let second = try await service.request("POST", "/v1/reload").body
        #expect(second.contains("Restarted: worker 1, worker 2"), "\(second)")
        #expect(try await service.parts.run { $0.system.launched.count } == 5)
        try await service.close()
    }

    @Test func saysHowThingsStandInOneLine() async throws {
        let service = try await TestService(workers: 2) { $0.behaviour.counters.clients = 60 }
        try await service.untilReady()
        try await service.until("the heartbeats") { $0.driver.statusText() == "2 workers, 120 clients" }
        try await service.close()
    }
}
