import FoundationEssentials
import Supervision
import Testing
import Wire

@testable import Model
@testable import Supervisor

struct StatsTests {
    @Test func endedProcessesCountWithAllButTheirGauges() {
        var counters = ChildCounters()
        (counters.clients, counters.connects, counters.rateLimited, counters.resumed) = (3, 9, 4, 2)
        counters.liveConnections = 5
        counters.refusedByReason = ["origin": 1]
        counters.errorsByCode = ["forbidden": 2]
        (counters.compressionIn, counters.compressionOut) = (1000, 250)
        (counters.messagesIn, counters.messagesOut, counters.bytesIn, counters.bytesOut) = (10, 30, 400, 1600)
        var figures = WebhookFigures()
        (figures.calls, figures.microseconds, figures.inFlight) = (4, 300_000, 1)
        counters.webhooks = ["join": figures]
        counters.latency.record(nanoseconds: 1_500_000)
        var hub = ChildCounters()
        (hub.users, hub.rooms, hub.historyBytes, hub.commits, hub.commitMicroseconds) = (2, 5, 77, 2, 6000)
        var workers = ChildCounters()
        workers.addEnded(counters)
        workers.add(counters)
        let totals = ServiceTotals(workers: workers, hub: hub, usersOfAWorker: 1)
        #expect(totals.clients == 3)
        #expect(totals.liveConnections == 5)
        #expect(totals.connects == 18)
        #expect(totals.rateLimited == 8)
        #expect(totals.refusedByReason == ["origin": 2])
        #expect(totals.errorsByCode == ["forbidden": 4])
        #expect(totals.users == 2)
        #expect(totals.rooms == 5)
        #expect(totals.historyBytes == 77)
        #expect(totals.averageSize == 50)
        #expect(totals.compressionRatio == 0.25)
        #expect(totals.decompressionRatio == nil)
        #expect(totals.commitMean == 0.003)
        #expect(totals.webhooks["join"]?.calls == 8)
        #expect(totals.webhooks["join"]?.inFlight == 1)
        #expect(totals.latency?.count == 2)
        #expect(totals.latency?.p50 == 0.0015)
        #expect(totals.latency?.max == 0.0015)
        #expect(ServiceTotals(workers: ChildCounters(), hub: ChildCounters(), usersOfAWorker: 7).users == 7)
    }

    @Test func namesAreInCamelCase() async throws {
        let service = try await TestService(workers: 1) { system in
            system.behaviour.counters.rateLimited = 1
            system.behaviour.counters.latency.record(nanoseconds: 5)
            system.behaviour.counters.webhooks["publish"] = WebhookFigures()
        }
        try await service.until("the heartbeats") { $0.driver.sample().totals.rateLimited == 1 }
        let body = try await service.request("GET", "/v1/stats").body
        for name in ["rateLimited", "refusedByReason", "webhooks", "latency", "p99", "historyBytes", "publish"] {
            #expect(body.contains("\"\(name)\":"), "\(name)")
        }
        try await service.close()
    }

    @Test(arguments: ["follow=1s", "watch=1", "follow=1"])
    func followsUntilTheReaderLeaves(_ query: String) async throws {
        let service = try await TestService(workers: 1)
        try await service.untilReady()
        let reader = try StreamReader(service.socketPath, "/v1/stats?\(query)")
        var samples: [StatsSample] = []
        while samples.count < 2 {
            let text = try await reader.read(until: "\"totals\"")
            try #require(text.contains("totals"))
            samples += StreamReader.values(StatsSample.self, in: text)
        }
        #expect(samples[1].time > samples[0].time)
        reader.hangUp()
        try await service.close()
    }

    @Test(arguments: [
        "follow=0s", "follow=61s", "follow=2m", "follow=x", "follow=1s&watch=1", "follow=-1", "follow=9999999999999m",
        "follow=-9223372036854775808m",
        "follow=9223372036854775807m",
    ])
    func refusesOtherIntervals(_ query: String) async throws {
        let service = try await TestService(workers: 1)
        #expect(try await service.request("GET", "/v1/stats?\(query)").status == 400)
        try await service.close()
    }

    @Test func aReloadRestartsTheHubForWhatItReads() async throws {
        for (isHubs, change) in Self.changes {
            var next = WsdConfiguration()
            next.workers.count = 1
            next.restart.initialDelay = .milliseconds(1)
            change(&next)
            let service = try await TestService(workers: 1, reload: .success(next))
            try await service.untilReady()
            let progress = try await service.parts.run { try $0.driver.begin(.reload) }
            for await _ in progress {}
            let hubs = try await service.parts.run { $0.system.launched.count { $0.slot == .hub } }
            #expect(hubs == (isHubs ? 2 : 1))
            try await service.close()
        }
    }

    private static let changes: [(Bool, @Sendable (inout WsdConfiguration) -> Void)] = [
        (true, { $0.limits.connectionsPerUser = 3 }), (true, { $0.history.idempotencyWindow = .seconds(9) }),
        (true, { $0.rooms.defaults.historySize = 9 }), (true, { $0.webhooks.roomEmpty.url = "http://localhost" }),
        (false, { $0.webhooks.join.url = "http://localhost" }), (false, { $0.log.level = .debug }),
    ]
}
