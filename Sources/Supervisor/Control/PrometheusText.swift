import Model
import Wire

/// `GET /metrics`: Prometheus' text format, version 0.0.4.
enum PrometheusText {
    static func render(_ status: ServiceStatus, workersInState: [ProcessStatus.State: Int]) -> String {
        var page = MetricsPage()
        page.single(
            "wsd_up", .gauge, "Whether the service serves as configured (1) or not (0).", status.health == .ok ? 1 : 0)
        page.family("wsd_info", .gauge, "Version and mode, as labels.")
        page.sample("wsd_info", [("version", status.version), ("mode", status.mode.rawValue)], 1)
        page.single("wsd_uptime_seconds", .gauge, "Time since the supervisor started.", status.uptime)
        page.single("wsd_workers_wanted", .gauge, "Configured worker slots.", Double(status.workersWanted))
        page.family("wsd_workers", .gauge, "Worker processes and empty slots by state.")
        for (state, count) in workersInState.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            page.sample("wsd_workers", [("state", state.rawValue)], Double(count))
        }
        totals(status.totals, &page)
        processes(status.processes, &page)
        memory(status.memory, &page)
        if let programs = status.programs { ProgramMetrics.write(programs, into: &page) }
        let serving = serving(status.processes)
        ProcessMetrics.write(
            workers: serving.compactMap { process in
                process.worker.flatMap { number in process.counters.map { (number, $0) } }
            }, into: &page)
        ProcessMetrics.write(
            hub: serving.first { $0.worker == nil && $0.counters != nil }?.counters, into: &page)
        return page.text
    }

    private static func totals(_ totals: ServiceTotals, _ page: inout MetricsPage) {
        page.single("wsd_clients", .gauge, "Connected clients.", Double(totals.clients))
        page.single("wsd_users", .gauge, "Different users among them.", Double(totals.users))
        page.single(
            "wsd_live_connections", .gauge, "Live connections (/ws/logs, /ws/stats), which are no clients.",
            Double(totals.liveConnections))
        page.single("wsd_rooms", .gauge, "Rooms with a member.", Double(totals.rooms))
        page.single("wsd_restarts_total", .counter, "Restarts of children.", Double(totals.restarts))
        page.single(
            "wsd_log_lines_dropped_total", .counter, "Log lines that were not kept or not written.",
            Double(totals.logLinesDropped))
    }

    /// Families over all processes: label `process`.
    private static func processes(_ processes: [ProcessStatus], _ page: inout MetricsPage) {
        page.family("wsd_process_restarts_total", .counter, "Restarts of the slot since the service started.")
        for process in serving(processes) {
            page.sample("wsd_process_restarts_total", labels(process), Double(process.restarts))
        }
        page.family("wsd_process_resident_bytes", .gauge, "Resident memory.")
        for process in serving(processes) {
            if let memory = process.memory {
                page.sample("wsd_process_resident_bytes", labels(process), Double(memory))
            }
        }
        page.family(
            "wsd_process_memory_kills_total", .counter, "Processes of the slot that the kernel killed for memory.")
        for process in serving(processes) where process.name != LogSource.supervisorName {
            page.sample("wsd_process_memory_kills_total", labels(process), Double(process.memoryKills ?? 0))
        }
        page.family("wsd_process_cpu_ratio", .gauge, "Share of one core over the last seconds.")
        for process in serving(processes) {
            if let cpu = process.cpu { page.sample("wsd_process_cpu_ratio", labels(process), cpu / 100) }
        }
        page.family("wsd_process_ready", .gauge, "Whether the process serves (1) or not (0).")
        for process in serving(processes) {
            page.sample("wsd_process_ready", labels(process), process.state == .ready ? 1 : 0)
        }
    }

    /// Of the control group; families without samples where there is none, or no such limit.
    private static func memory(_ memory: ServiceMemory?, _ page: inout MetricsPage) {
        let gauges: [(String, String, Int?)] = [
            ("usage", "Memory of the control group, file cache included.", memory?.usage),
            ("working_set", "The same without file cache that nobody has used lately.", memory?.workingSet),
            ("high", "Above it the kernel slows the processes down.", memory?.high),
            ("max", "Above it the kernel kills.", memory?.max),
        ]
        for (name, help, value) in gauges {
            page.family("wsd_cgroup_memory_\(name)_bytes", .gauge, help)
            if let value { page.sample("wsd_cgroup_memory_\(name)_bytes", [], Double(value)) }
        }
        page.family("wsd_cgroup_memory_events_total", .counter, "Events of the control group's memory.")
        if let events = memory?.events {
            let counts = [
                ("low", events.low), ("high", events.high), ("max", events.max), ("oom", events.oom),
                ("oom_kill", events.oomKills),
            ]
            for (name, count) in counts {
                page.sample("wsd_cgroup_memory_events_total", [("event", name)], Double(count))
            }
        }
        page.family(
            "wsd_cgroup_memory_pressure_seconds_total", .counter,
            "Time in which some process, or all of them (full), waited for memory.")
        if let pressure = memory?.pressure {
            for (kind, seconds) in [("some", pressure.someSeconds), ("full", pressure.fullSeconds)] {
                page.sample("wsd_cgroup_memory_pressure_seconds_total", [("kind", kind)], seconds)
            }
        }
    }

    /// One process for each name: of a slot's two, the one that is not on its way out.
    private static func serving(_ processes: [ProcessStatus]) -> [ProcessStatus] {
        processes.filter { $0.state != .draining && $0.state != .stopping || $0.name == LogSource.supervisorName }
            .reduce(into: [ProcessStatus]()) { kept, process in
                // A successor that starts stands behind the one it replaces, which still serves.
                if !kept.contains(where: { $0.name == process.name }) { kept.append(process) }
            }
    }

    private static func labels(_ process: ProcessStatus) -> MetricsPage.Labels { [("process", process.name)] }
}
