import FoundationEssentials
import Testing
import Wire

@testable import Model
@testable import Supervisor

struct MetricsTests {
    /// A service in which every figure is there.
    private static func page() -> String {
        var counters = ChildCounters()
        (counters.messagesIn, counters.liveConnections) = (7, 2)
        counters.refusedByReason = ["origin": 2, "rea\"s\\on\n": 1]
        counters.errorsByCode = ["forbidden": 3]
        var figures = WebhookFigures()
        (figures.calls, figures.inFlight, figures.microseconds, figures.timeouts) = (4, 1, 1_500_000, 2)
        counters.webhooks = ["publish": figures]
        for nanoseconds: Int64 in [0, 40_000, 1_000_000, 60_000_000_000] {
            counters.latency.record(nanoseconds: nanoseconds)
        }
        var worker = ProcessStatus(name: "worker 1", worker: 1, state: .ready, pid: 3)
        (worker.counters, worker.cpu, worker.memory) = (counters, 50, 1000)
        worker.memoryKills = 2
        var draining = worker
        draining.state = .draining
        var hub = ProcessStatus(name: "hub", state: .ready, pid: 2)
        var hubCounters = ChildCounters()
        (hubCounters.historyRooms, hubCounters.commits, hubCounters.commitMicroseconds) = (5, 4, 2000)
        hub.counters = hubCounters
        var totals = ServiceTotals()
        totals.liveConnections = 5
        var status = ServiceStatus(
            version: "0.1.0 \"x\\", pid: 1, mode: .dev, health: .ok, problems: [], uptime: 1.5, addresses: [],
            controlSocket: "/s", configurationFile: nil, operation: nil, underSystemd: false, workersWanted: 1,
            processes: [ProcessStatus(name: "supervisor", state: .ready, pid: 1), hub, worker, draining],
            totals: totals)
        let reading = MemoryReading(
            usage: 900, inactiveFile: 100, high: 1000, max: 2000,
            pressure: MemoryPressure(some: 1, full: 0, someSeconds: 2.5, fullSeconds: 0.5))
        status.memory = ServiceMemory(reading, events: MemoryEvents(high: 3, oomKills: 2), strainedAgo: 4)
        return PrometheusText.render(status, workersInState: [.ready: 1])
    }

    @Test func theExpositionIsStrictlyRight() throws {
        let exposition = try Exposition(Self.page())
        #expect(exposition.value("wsd_messages_received_total", ["worker": "1"]) == 7)
        #expect(exposition.value("wsd_worker_live_connections", ["worker": "1"]) == 2)
        #expect(exposition.value("wsd_live_connections") == 5)
        #expect(exposition.value("wsd_refused_total", ["worker": "1", "reason": "rea\"s\\on\n"]) == 1)
        #expect(exposition.value("wsd_command_errors_total", ["worker": "1", "code": "forbidden"]) == 3)
        #expect(exposition.value("wsd_webhook_calls_total", ["worker": "1", "hook": "publish"]) == 4)
        #expect(exposition.value("wsd_webhook_timeouts_total", ["worker": "1", "hook": "publish"]) == 2)
        #expect(exposition.value("wsd_webhook_duration_seconds_sum", ["worker": "1", "hook": "publish"]) == 1.5)
        #expect(exposition.value("wsd_webhook_duration_seconds_count", ["worker": "1", "hook": "publish"]) == 3)
        #expect(exposition.value("wsd_history_rooms") == 5)
        #expect(exposition.value("wsd_history_commit_duration_seconds_sum") == 0.002)
        #expect(exposition.value("wsd_info", ["version": "0.1.0 \"x\\", "mode": "dev"]) == 1)
    }

    @Test func theMemoryOfTheControlGroup() throws {
        let exposition = try Exposition(Self.page())
        #expect(exposition.value("wsd_cgroup_memory_usage_bytes") == 900)
        #expect(exposition.value("wsd_cgroup_memory_working_set_bytes") == 800)
        #expect(exposition.value("wsd_cgroup_memory_high_bytes") == 1000)
        #expect(exposition.value("wsd_cgroup_memory_max_bytes") == 2000)
        #expect(exposition.value("wsd_cgroup_memory_events_total", ["event": "high"]) == 3)
        #expect(exposition.value("wsd_cgroup_memory_events_total", ["event": "oom_kill"]) == 2)
        #expect(exposition.value("wsd_cgroup_memory_pressure_seconds_total", ["kind": "some"]) == 2.5)
        #expect(exposition.value("wsd_process_memory_kills_total", ["process": "worker 1"]) == 2)
        #expect(exposition.value("wsd_process_memory_kills_total", ["process": "hub"]) == 0)
    }

    @Test func theHistogramCountsAllBelow() throws {
        let exposition = try Exposition(Self.page())
        func bucket(_ bound: String) -> Double? {
            exposition.value("wsd_message_latency_seconds_bucket", ["worker": "1", "le": bound])
        }
        #expect(bucket("3.2e-05") == 1)
        #expect(bucket("6.4e-05") == 2)
        #expect(bucket("0.001024") == 3)
        #expect(bucket("16.777216") == 3)
        #expect(bucket("+Inf") == 4)
        #expect(exposition.value("wsd_message_latency_seconds_count", ["worker": "1"]) == 4)
    }

    @Test(arguments: [
        "x_total{a=\"1\"} 1\n", "# HELP wsd_x Help.\n# TYPE wsd_x counter\nwsd_x 1\n",
        "# HELP wsd_x Help.\n# TYPE wsd_x gauge\nwsd_x{a=\"1\",} 1\n",
        "# HELP wsd_x Help.\n# TYPE wsd_x gauge\nwsd_x 1\nwsd_x 2\n",
        "# HELP wsd_x Help.\n# TYPE wsd_x gauge\nwsd_x one\n", "# HELP wsd_x Help.\n# TYPE wsd_x gauge\nwsd_x 1",
    ])
    func theReaderIsStrict(_ text: String) {
        #expect(throws: Exposition.Failure.self) { try Exposition(text) }
    }

    // MARK: - The dashboard

    private struct Dashboard: Decodable {
        struct Panel: Decodable {
            struct Target: Decodable {
                var expr: String
            }
            struct Place: Decodable {
                var x, y, w, h: Int
            }

            var id: Int
            var type: String
            var title: String
            var targets: [Target]?
            var gridPos: Place
        }

        var title: String
        var schemaVersion: Int
        var panels: [Panel]
    }

    @Test func theDashboardAsksForNothingThatIsNotThere() throws {
        let text = try projectFile("deploy/grafana-dashboard.json")
        let dashboard = try JSONDecoder().decode(Dashboard.self, from: Data(text.utf8))
        let names = try Exposition(Self.page()).names
        let shown = dashboard.panels.filter { $0.type != "row" }
        #expect(dashboard.schemaVersion >= 39)
        #expect(Set(dashboard.panels.map(\.id)).count == dashboard.panels.count)
        #expect(dashboard.panels.allSatisfy { $0.gridPos.x + $0.gridPos.w <= 24 })
        var asked: Set<String> = []
        for panel in shown {
            #expect(panel.targets?.isEmpty == false, "\(panel.title)")
            for target in panel.targets ?? [] {
                let words = target.expr.split { !($0.isLetter || $0.isNumber || $0 == "_") }
                let metrics = words.filter { $0.hasPrefix("wsd_") }.map(String.init)
                #expect(!metrics.isEmpty, "\(panel.title)")
                for metric in metrics { #expect(names.contains(metric), "\(panel.title) asks for \(metric)") }
                #expect(target.expr.filter { $0 == "(" }.count == target.expr.filter { $0 == ")" }.count)
                #expect(target.expr.filter { $0 == "{" }.count == target.expr.filter { $0 == "}" }.count)
                asked.formUnion(metrics)
            }
        }
        #expect(asked.count > 40)
    }
}
