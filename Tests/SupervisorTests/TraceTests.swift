import Glibc
import LinuxSystem
import NIOCore
import Supervision
import Testing
import Wire

@testable import Model
@testable import Supervisor

struct TraceTests {
    private static let worker = InstanceID(rawValue: 2)

    private func event(_ kind: TraceEvent.Kind, worker: Int = 1, room: String = "lobby") -> TraceEvent {
        var event = TraceEvent(time: 1, worker: worker, kind: kind)
        event.room = room
        return event
    }

    /// The number under which a child follows somebody.
    private static func trace(_ child: FakeChild?) -> Int? {
        for case .query(_, .trace(let id, _)) in child?.received ?? [] { return id }
        return nil
    }

    private static func hasEnded(_ child: FakeChild?) -> Bool {
        child?.received.contains { if case .query(_, .untrace) = $0 { true } else { false } } == true
    }

    @Test func streamsWhatWorkersTellUntilTheReaderLeaves() async throws {
        let service = try await TestService(workers: 2)
        try await service.untilReady()
        let reader = try StreamReader(service.socketPath, "/v1/trace?room=lobby&payloads=1")
        let first = try await reader.read(until: "fit now")
        #expect(first.contains("200 OK"))
        #expect(first.contains("Following on 2 workers; 2 clients fit now."))
        let told = [event(.joined), event(.published)]
        try await service.parts.run { parts in
            let child = parts.system.children[Self.worker]
            #expect(
                child?.received.contains { message in
                    if case .query(_, .trace(_, let filter)) = message {
                        filter == TraceFilter(room: "lobby", payloads: true)
                    } else {
                        false
                    }
                } == true)
            child?.send(.trace(id: Self.trace(child) ?? 0, events: told, dropped: 3))
        }
        let text = try await reader.read(until: "too many to tell")
        let lines = StreamReader.values(TraceLine.self, in: text)
        #expect(lines.prefix(2) == [.event(told[0]), .event(told[1])])
        guard case .notice(let notice) = lines.last else { throw HTTPExchange.Failure(what: text) }
        #expect(notice.dropped == 3)
        #expect(notice.worker == 1)
        #expect(try await service.parts.run { $0.driver.sample().totals.traces } == 1)
        reader.hangUp()
        try await service.until("the end of the trace") { parts in
            parts.driver.traces.isEmpty
                && parts.system.children.values.allSatisfy {
                    $0.configuration.slot.role == .hub || Self.hasEnded($0)
                }
        }
        try await service.close()
    }

    @Test func goesOnWhenAWorkerIsKilledAndFollowsItsSuccessor() async throws {
        let service = try await TestService(workers: 1)
        try await service.untilReady()
        let reader = try StreamReader(service.socketPath, "/v1/trace?user=ada")
        _ = try await reader.read(until: "fit")
        try await service.parts.run { $0.system.kill(Self.worker) }
        let text = try await reader.read(until: "is followed, too")
        #expect(text.contains("worker 1 (pid 1002) was killed by SIGKILL; what it had not told yet is missing."))
        try await service.parts.run { parts in
            let successor = parts.system.children.values.first { $0.configuration.slot == .worker(1) }
            successor?.send(.trace(id: Self.trace(successor) ?? 0, events: [event(.connected)], dropped: 0))
        }
        #expect(try await reader.read(until: "connected").contains("\"kind\":\"connected\""))
        reader.hangUp()
        try await service.close()
    }

    /// Once the client has closed, nothing more can come of it alone.
    @Test(arguments: [("", true), ("&user=ada", false), ("&room=lobby", false)])
    func endsWithTheClientThatAloneIsFollowed(_ more: String, _ ends: Bool) async throws {
        let service = try await TestService(workers: 2)
        try await service.untilReady()
        let reader = try StreamReader(service.socketPath, "/v1/trace?client=11-2" + more)
        _ = try await reader.read(until: "fit")
        var (early, closed) = (event(.published), event(.closed))
        (early.client, closed.client, closed.time) = ("11-2", "11-2", 2)
        let told = [early, closed]
        try await service.parts.run { parts in
            let child = parts.system.children[Self.worker]
            child?.send(.trace(id: Self.trace(child) ?? 0, events: told, dropped: 0))
        }
        if ends {
            let text = try await reader.read(until: "\r\n0\r\n\r\n")
            let lines = StreamReader.values(TraceLine.self, in: text)
            #expect(lines.prefix(2) == [.event(early), .event(closed)])
            guard case .notice(let last) = lines.last else { throw HTTPExchange.Failure(what: text) }
            #expect(last.ended == true && last.notice == "The client 11-2 is gone: the trace ends.")
            #expect(lines.last?.isLast == true && lines.dropLast().allSatisfy { !$0.isLast })
            try await service.until("the end of the trace") { $0.driver.traces.isEmpty }
        } else {
            _ = try await reader.read(until: "\"closed\"")
            #expect(try await service.parts.run { $0.driver.traces.count } == 1)
            reader.hangUp()
        }
        try await service.close()
    }

    @Test func endsWithTheWorkerOfTheClient() async throws {
        let service = try await TestService(workers: 2)
        try await service.untilReady()
        // Not by number: on a machine that stalls a child may have been started anew.
        let (worker, boot) = try #require(
            try await service.parts.run { parts in
                parts.driver.children.lazy.filter { $0.value.slot.role == .worker && $0.value.exit == nil }
                    .compactMap { entry in entry.value.boot.map { (entry.key, $0) } }.first
            })
        let client = ClientID(boot: boot, serial: 7)
        let reader = try StreamReader(service.socketPath, "/v1/trace?client=\(client)")
        _ = try await reader.read(until: "fit")
        try await service.parts.run { $0.system.kill(worker) }
        let text = try await reader.read(until: "\r\n0\r\n\r\n")
        #expect(text.contains("was killed by SIGKILL"))
        #expect(StreamReader.values(TraceLine.self, in: text).last?.isLast == true)
        try await service.close()
    }

    @Test func worksOverARollingReload() async throws {
        let service = try await TestService(workers: 2, reload: .success(WsdConfiguration()))
        try await service.untilReady()
        let reader = try StreamReader(service.socketPath, "/v1/trace?room=lobby")
        _ = try await reader.read(until: "fit")
        let progress = try await service.parts.run { try $0.driver.begin(.reload) }
        for await _ in progress {}
        var late = event(.gap)
        late.time = Clocks.wallSeconds()
        let told = late
        try await service.parts.run { parts in
            for child in parts.system.children.values where child.configuration.slot.role == .worker {
                child.send(.trace(id: Self.trace(child) ?? 0, events: [told], dropped: 0))
            }
        }
        #expect(try await reader.read(until: "\"gap\"").contains("has ended."))
        reader.hangUp()
        try await service.close()
    }

    @Test func thereAreEightAtMost() async throws {
        let service = try await TestService(workers: 1)
        try await service.untilReady()
        let readers = try (0..<FleetDriver.maxTraces).map { _ in
            try StreamReader(service.socketPath, "/v1/trace?room=lobby")
        }
        for reader in readers { _ = try await reader.read(until: "fit") }
        let (status, body) = try await service.request("GET", "/v1/trace?room=lobby")
        #expect(status == 409)
        #expect(body.contains("8 traces are being followed"))
        for reader in readers { reader.hangUp() }
        try await service.until("their end") { $0.driver.traces.isEmpty }
        try await service.close()
    }

    @Test(arguments: [
        ("", 400), ("?client=x", 404), ("?room=a&payloads=perhaps", 400), ("?room=a&what=b", 400),
        ("?user=\(String(repeating: "u", count: 300))", 400),
    ])
    func saysWhatIsWrong(_ query: String, _ expected: Int) async throws {
        let service = try await TestService(workers: 1)
        try await service.untilReady()
        #expect(try await service.request("GET", "/v1/trace" + query).status == expected)
        #expect(try await service.parts.run { $0.driver.traces.isEmpty })
        try await service.close()
    }

    @Test func whoMayOnlyLookSeesNoPayloads() async throws {
        let service = try await TestService(workers: 1, access: .readOnly)
        try await service.untilReady()
        #expect(try await service.request("GET", "/v1/trace?room=a&payloads=1").status == 403)
        let reader = try StreamReader(service.socketPath, "/v1/trace?room=a")
        #expect(try await reader.read(until: "fit").contains("200 OK"))
        reader.hangUp()
        try await service.close()
    }

    @Test func endsWithTheService() async throws {
        let service = try await TestService(workers: 1)
        try await service.untilReady()
        let reader = try StreamReader(service.socketPath, "/v1/trace?room=a")
        _ = try await reader.read(until: "fit")
        try await service.parts.run { $0.driver.stopSignalled("SIGTERM") }
        #expect(try await reader.read(until: "0\r\n\r\n").contains("0\r\n\r\n"))
        reader.hangUp()
        try await service.close()
    }
}
