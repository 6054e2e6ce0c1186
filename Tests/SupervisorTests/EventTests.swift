import FoundationEssentials
import NIOCore
import NIOEmbedded
import Supervision
import Testing
import Wire

@testable import Model
@testable import Supervisor

struct EventStoreTests {
    private static func event(_ kind: EventKind, program: String? = nil, reason: String? = nil) -> ServiceEvent {
        var event = ServiceEvent(kind, .info, "Something")
        (event.program, event.reason) = (program, reason)
        return event
    }

    @Test func numbersKeepsAndFilters() {
        var store = EventStore()
        for program in ["api", "db", nil] {
            let event = store.append(Self.event(.process(.exited), program: program))
            #expect(event.sequence == store.end)
        }
        _ = store.append(Self.event(.service(.ready)))
        func sequences(_ adjust: (inout EventFilter) -> Void, limit: Int = 9) -> [Int] {
            var filter = EventFilter()
            adjust(&filter)
            return store.tail(filter, limit: limit).map(\.sequence)
        }
        #expect(sequences { _ in } == [1, 2, 3, 4])
        #expect(sequences({ _ in }, limit: 2) == [3, 4])
        #expect(sequences { $0.after = 2 } == [3, 4])
        #expect(sequences { $0.program = "db" } == [2])
        #expect(sequences { $0.types = [EventPattern("program.exited")].compactMap { $0 } } == [1, 2])
        #expect(sequences { $0.types = [EventPattern("hub.*"), EventPattern("*.ready")].compactMap { $0 } } == [3, 4])
        #expect(sequences { $0.since = 1e12 } == [])
    }

    @Test func oldEventsGoAndAReaderIsToldHowMany() {
        var store = EventStore()
        let long = String(repeating: "x", count: EventStore.maxBytes / 10)
        for _ in 0..<40 { _ = store.append(Self.event(.process(.exited), reason: long)) }
        let kept = store.tail(EventFilter(), limit: 99).map(\.sequence)
        #expect(kept.count < 10)
        #expect(kept.last == 40)
        var position = 2
        let page = store.read(behind: &position, EventFilter(), limit: 3)
        #expect(page.events.map(\.sequence) == Array(kept.prefix(3)))
        #expect(page.skipped == (kept.first ?? 0) - 3)
        #expect(page.more)
        #expect(position == kept[2])
        let rest = store.read(behind: &position, EventFilter(), limit: 99)
        #expect(rest.skipped == 0)
        #expect(!rest.more)
        #expect(store.read(behind: &position, EventFilter(), limit: 99).events.isEmpty)
    }
}

@Suite struct EventPatternTests {
    @Test(arguments: [
        ("process.exited", true), ("worker.exited", true), ("program.*", true), ("*.failed", true), ("*", true),
        ("reload.started", true), ("p*ss.*ed", true), ("", false), ("process", false), ("process.exit", false),
        ("nothing.*", false), ("exited", false), (String(repeating: "*", count: 65), false),
    ])
    func onlyWhatMeansAnEvent(_ text: String, _ isOne: Bool) {
        #expect((EventPattern(text) != nil) == isOne)
    }

    @Test func namesAreUnique() {
        #expect(Set(EventPattern.names).count == EventPattern.names.count)
        #expect(EventPattern("prog*ited")?.fits(["process.exited", "program.exited"]) == true)
        #expect(EventPattern("hub.exited")?.fits(["process.exited", "program.exited"]) == false)
    }
}

/// Hooks that are carried out when the test says so.
private final class FakeHookSystem: EventHookSystem {
    struct Deed {
        var name: String
        var event: ServiceEvent
        var done: (String?) -> Void
    }

    var open: [Deed] = []
    var all: [ServiceEvent] = []

    func run(_ hook: EventHookConfiguration, name: String, _ event: ServiceEvent, done: @escaping (String?) -> Void) {
        open.append(Deed(name: name, event: event, done: done))
        all.append(event)
    }

    func call(_ hook: EventHookConfiguration, _ event: ServiceEvent, done: @escaping (String?) -> Void) {
        run(hook, name: hook.url ?? "", event, done: done)
    }

    func finish(_ failure: String? = nil) {
        if !open.isEmpty { open.removeFirst().done(failure) }
    }
}

struct EventHookTests {
    private final class Clock {
        var now = MonotonicTime.zero
    }

    private struct Parts {
        let system = FakeHookSystem()
        let clock = Clock()
        let log: LogCenter
        let hooks: EventHooks

        init(_ configurations: [EventHookConfiguration]) {
            log = LogCenter(
                eventLoop: EmbeddedEventLoop(), configuration: LogConfiguration(), format: .json, console: nil)
            let clock = clock
            hooks = EventHooks(log: log, system: system) { clock.now }
            hooks.configure(configurations)
        }

        func exit(_ sequence: Int, program: String? = "api") {
            var event = ServiceEvent(.process(.exited), .warning, "Program ended")
            (event.sequence, event.program, event.process) = (sequence, program, program.map { "\($0):1" })
            hooks.take(event)
        }
    }

    private static func hook(
        _ events: String, rate: String = "off", programs: [String] = [], run: [String] = ["x"]
    ) throws -> EventHookConfiguration {
        var hook = EventHookConfiguration()
        hook.events = [try #require(EventPattern(events))]
        hook.rateLimit = try #require(RateLimit(rate))
        (hook.programs, hook.run) = (programs, run)
        return hook
    }

    @Test func oneAfterTheOtherAndOnlyWhatItIsFor() throws {
        let parts = Parts([try Self.hook("program.exited", programs: ["api"]), try Self.hook("reload.*")])
        parts.exit(1)
        parts.exit(2)
        parts.exit(3, program: "db")
        #expect(parts.system.open.map(\.event.sequence) == [1])
        #expect(parts.system.all[0].text == "wsd: api:1: Program ended")
        #expect(!parts.hooks.isIdle)
        parts.system.finish("it exited with 1")
        #expect(parts.system.open.map(\.event.sequence) == [2])
        parts.system.finish()
        #expect(parts.system.open.isEmpty)
        #expect(parts.hooks.isIdle)
        let line = try #require(parts.log.store.tail(LogFilter(), limit: 9).first { $0.message == "A hook failed" })
        #expect(line.fields["hook"] == "onEvent[0]")
        #expect(line.fields["error"] == "it exited with 1")
    }

    @Test func aFloodIsCountedAndItsEndIsTold() throws {
        let parts = Parts([try Self.hook("*", rate: "1/s burst 2")])
        for sequence in 1...10 {
            parts.exit(sequence)
            parts.system.finish()
        }
        #expect(parts.system.all.map(\.sequence) == [1, 2])
        parts.hooks.secondPassed()
        #expect(parts.system.all.count == 2)
        parts.clock.now = .zero + .seconds(1)
        parts.hooks.secondPassed()
        #expect(parts.system.all.map(\.sequence) == [1, 2, 10])
        #expect(parts.system.all[2].leftOut == 7)
        #expect(parts.system.all[2].text?.contains("7 other events were left out") == true)
        parts.system.finish()
        parts.clock.now = .zero + .seconds(60)
        parts.hooks.secondPassed()
        #expect(parts.system.all.count == 3)
        parts.exit(11)
        #expect(parts.system.all[3].leftOut == nil)
    }

    @Test func aHookThatHangsHoldsUpNobodyAndNothingGrows() throws {
        let parts = Parts(try (0..<20).map { try Self.hook("*", run: ["\($0)"]) })
        for sequence in 1...(EventHooks.maxWaiting + 50) { parts.exit(sequence) }
        #expect(parts.system.open.count == EventHooks.maxRunning)
        #expect(Set(parts.system.open.map(\.name)).count == EventHooks.maxRunning)
        var finished = 0
        while !parts.system.open.isEmpty, finished < 10_000 {
            parts.system.finish()
            finished += 1
        }
        let mine = parts.system.all.count { $0.leftOut == nil }
        #expect(mine <= 20 * (EventHooks.maxWaiting + 1))
        parts.hooks.secondPassed()
        #expect(parts.system.all.contains { $0.leftOut != nil && $0.sequence == EventHooks.maxWaiting + 50 })
    }

    @Test func aNewConfigurationTakesOverAndWhatWaitsIsStillTold() throws {
        let parts = Parts([try Self.hook("*")])
        parts.exit(1)
        parts.exit(2)
        parts.hooks.configure([])
        parts.exit(3)
        parts.system.finish()
        parts.hooks.secondPassed()
        parts.system.finish()
        parts.hooks.secondPassed()
        #expect(parts.system.all.map(\.sequence) == [1, 2])
        #expect(parts.hooks.isIdle)
    }
}

struct EventAPITests {
    private static func events(_ body: String) throws -> [ServiceEvent] {
        try body.split(separator: "\n").map {
            try JSONDecoder().decode(ServiceEvent.self, from: Data(String($0).utf8))
        }
    }

    private static func program(_ adjust: (inout ProgramConfiguration) -> Void = { _ in }) -> ProgramConfiguration {
        var program = ProgramConfiguration()
        program.name = "api"
        program.command = ["/bin/true"]
        program.backoff.initialDelay = .milliseconds(1)
        program.backoff.maxDelay = .milliseconds(2)
        adjust(&program)
        return program
    }

    @Test func tellsALifeFromTheStartOfTheServiceToACrash() async throws {
        let service = try await TestService(workers: 1, programs: [Self.program()])
        try await service.untilReady()
        try await service.parts.run { parts in
            parts.programs.process("api:1")?.print("Error: no database\n", on: .err)
            parts.programs.process("api:1")?.end(.signalled(11, coreDumped: true))
        }
        try await service.until("a successor") { $0.programs.started.count == 2 }
        let events = try Self.events(try await service.request("GET", "/v1/events").body)
        #expect(events.map(\.sequence) == Array(0..<events.count).map { $0 + 1 })
        #expect(events.prefix(2).map(\.type) == ["service.starting", "configuration.loaded"])
        let types = Set(events.map(\.type))
        #expect(types.isSuperset(of: ["process.started", "process.ready", "service.ready", "start.finished"]))
        let ends = events.filter { $0.type == "process.exited" }
        let end = try #require(ends.first)
        #expect(ends.count == 1)
        #expect((end.process, end.program, end.signal, end.coreDumped) == ("api:1", "api", "SIGSEGV", true))
        #expect((end.code, end.expected, end.restarts) == (nil, false, 0))
        #expect(end.reason?.contains("no database") == true)
        #expect(end.pid != nil && end.uptime != nil)
        let few = try Self.events(
            try await service.request("GET", "/v1/events?type=worker.ready,hub.ready&count=1").body)
        #expect(few.map(\.process) == ["worker 1"])
        #expect(try await service.request("GET", "/v1/events?type=worker.exit").status == 400)
        #expect(try await service.request("GET", "/v1/events?program=other").body == "")
        try await service.close()
    }

    @Test func aWorkersEndIsOneEventWhateverItsState() async throws {
        let service = try await TestService(workers: 1)
        try await service.untilReady()
        try await service.parts.run { parts in
            parts.system.children.values.first { $0.configuration.slot == .worker(1) }?.end(.exited(3))
        }
        try await service.until("its end") { parts in
            parts.driver.events.store.tail(EventFilter(), limit: 99).contains { $0.type == "process.exited" }
        }
        let body = try await service.request("GET", "/v1/events?type=worker.exited").body
        let ends = try Self.events(body)
        #expect(ends.map(\.code) == [3])
        #expect(ends.map(\.worker) == [1])
        #expect(ends.map(\.expected) == [false])
        try await service.close()
    }

    @Test func aFinishedProgramHasEndedToo() async throws {
        let service = try await TestService(workers: 1, programs: [Self.program { $0.restart = .never }])
        try await service.untilReady()
        try await service.parts.run { $0.programs.process("api:1")?.end(.exited(0)) }
        try await service.until("its end") { parts in
            parts.driver.programs.statuses().first?.state == .finished
        }
        let body = try await service.request("GET", "/v1/events?type=program.exited,program.finished").body
        let ends = try Self.events(body)
        #expect(ends.map(\.type) == ["process.exited", "process.finished"])
        #expect(ends.map(\.code) == [0, 0])
        try await service.close()
    }

    @Test func everyKeyIsAVariable() {
        var event = ServiceEvent(
            .process(.exited), .warning, "Program ended", ["probe.failure": "a\0b", "process.pid": "7"])
        event.reason = String(repeating: "é", count: EventVariables.maxValue)
        let variables = EventVariables.of(event)
        #expect(variables.contains("WSD_EVENT_TYPE=process.exited"))
        #expect(variables.contains("WSD_EVENT_PID=7"))
        #expect(variables.contains("WSD_EVENT_PROBE_FAILURE=ab"))
        #expect(variables.allSatisfy { $0.utf8.count < EventVariables.maxValue + 40 })
    }
}
