import Model
import Wire

/// `GET /metrics`: Prometheus' text format, version 0.0.4.
enum PrometheusText {
    static func render(_ status: ServiceStatus, workersInState: [ProcessStatus.State: Int]) -> String {
        var page = Page()
        page.family("wsd_up", "gauge", "Whether the service serves as configured (1) or not (0).")
        page.sample("wsd_up", [], status.health == .ok ? 1 : 0)
        page.family("wsd_info", "gauge", "Version and mode, as labels.")
        page.sample("wsd_info", [("version", status.version), ("mode", status.mode.rawValue)], 1)
        page.family("wsd_uptime_seconds", "gauge", "Time since the supervisor started.")
        page.sample("wsd_uptime_seconds", [], status.uptime)
        page.family("wsd_workers_wanted", "gauge", "Configured worker slots.")
        page.sample("wsd_workers_wanted", [], Double(status.workersWanted))
        page.family("wsd_workers", "gauge", "Worker processes and empty slots by state.")
        for (state, count) in workersInState.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            page.sample("wsd_workers", [("state", state.rawValue)], Double(count))
        }
        totals(status.totals, &page)
        processes(status.processes, &page)
        children(status.processes, &page)
        return page.text
    }

    private static func totals(_ totals: ServiceTotals, _ page: inout Page) {
        page.family("wsd_clients", "gauge", "Connected clients.")
        page.sample("wsd_clients", [], Double(totals.clients))
        page.family("wsd_rooms", "gauge", "Rooms with a member.")
        page.sample("wsd_rooms", [], Double(totals.rooms))
        page.family("wsd_restarts_total", "counter", "Restarts of children.")
        page.sample("wsd_restarts_total", [], Double(totals.restarts))
        page.family("wsd_log_lines_dropped_total", "counter", "Log lines that were not kept or not written.")
        page.sample("wsd_log_lines_dropped_total", [], Double(totals.logLinesDropped))
    }

    /// Families over all processes: label `process`.
    private static func processes(_ processes: [ProcessStatus], _ page: inout Page) {
        page.family("wsd_process_restarts_total", "counter", "Restarts of the slot since the service started.")
        for process in serving(processes) {
            page.sample("wsd_process_restarts_total", labels(process), Double(process.restarts))
        }
        page.family("wsd_process_resident_bytes", "gauge", "Resident memory.")
        for process in serving(processes) {
            if let memory = process.memory {
                page.sample("wsd_process_resident_bytes", labels(process), Double(memory))
            }
        }
        page.family("wsd_process_cpu_ratio", "gauge", "Share of one core over the last seconds.")
        for process in serving(processes) {
            if let cpu = process.cpu { page.sample("wsd_process_cpu_ratio", labels(process), cpu / 100) }
        }
        page.family("wsd_process_ready", "gauge", "Whether the process serves (1) or not (0).")
        for process in serving(processes) {
            page.sample("wsd_process_ready", labels(process), process.state == .ready ? 1 : 0)
        }
    }

    private static func children(_ processes: [ProcessStatus], _ page: inout Page) {
        for family in families {
            let members = serving(processes).filter {
                $0.counters != nil && (family.hub ? $0.name == "hub" : $0.worker != nil)
            }
            page.family(family.name, family.kind, family.help)
            for process in members {
                guard let counters = process.counters else { continue }
                let labels = process.worker.map { [("worker", String($0))] } ?? []
                page.sample(family.name, labels, Double(counters[keyPath: family.value]))
            }
        }
    }

    private struct Family {
        var name: String
        var kind: String
        var help: String
        var hub = false
        var value: any KeyPath<ChildCounters, Int> & Sendable
    }

    /// Counters begin at 0 with every new process of a slot, as Prometheus expects of a restart.
    private static let families: [Family] = [
        Family(name: "wsd_worker_clients", kind: "gauge", help: "Connected clients of a worker.", value: \.clients),
        Family(
            name: "wsd_connections_accepted_total", kind: "counter", help: "Accepted connections.",
            value: \.connectionsAccepted),
        Family(
            name: "wsd_handshakes_refused_total", kind: "counter", help: "Refused WebSocket handshakes.",
            value: \.handshakesRefused),
        Family(
            name: "wsd_messages_received_total", kind: "counter", help: "Messages from clients.", value: \.messagesIn),
        Family(name: "wsd_messages_sent_total", kind: "counter", help: "Messages to clients.", value: \.messagesOut),
        Family(name: "wsd_received_bytes_total", kind: "counter", help: "Bytes from clients.", value: \.bytesIn),
        Family(name: "wsd_sent_bytes_total", kind: "counter", help: "Bytes to clients.", value: \.bytesOut),
        Family(
            name: "wsd_publications_total", kind: "counter", help: "Publications sent to the hub.",
            value: \.publications),
        Family(name: "wsd_deliveries_total", kind: "counter", help: "Deliveries from the hub.", value: \.deliveries),
        Family(
            name: "wsd_slow_clients_closed_total", kind: "counter",
            help: "Clients closed because they read too slowly.", value: \.slowClientsClosed),
        Family(
            name: "wsd_loss_clients_closed_total", kind: "counter",
            help: "Clients closed because deliveries for them were lost.", value: \.lossClosed),
        Family(
            name: "wsd_heartbeat_timeouts_total", kind: "counter",
            help: "Clients closed because they did not answer a ping.", value: \.heartbeatTimeouts),
        Family(
            name: "wsd_protocol_errors_total", kind: "counter", help: "Clients closed because they broke the protocol.",
            value: \.protocolErrors),
        Family(
            name: "wsd_accept_pauses_total", kind: "counter",
            help: "Pauses of accepting because no descriptor was free.", value: \.acceptPauses),
        Family(name: "wsd_errors_total", kind: "counter", help: "Other errors of a worker.", value: \.errors),
        Family(name: "wsd_operations_held", kind: "gauge", help: "Operations that wait for the hub.", value: \.held),
        Family(name: "wsd_hub_links", kind: "gauge", help: "Workers linked to the hub.", hub: true, value: \.hubLinks),
        Family(
            name: "wsd_hub_publications_total", kind: "counter", help: "Publications ordered by the hub.", hub: true,
            value: \.publications),
        Family(
            name: "wsd_hub_deliveries_total", kind: "counter", help: "Deliveries that left for workers.", hub: true,
            value: \.deliveries),
        Family(
            name: "wsd_hub_links_cut_total", kind: "counter", help: "Links cut because a worker did not read.",
            hub: true, value: \.linksCut),
        Family(
            name: "wsd_hub_queued_bytes", kind: "gauge", help: "Bytes queued for workers.", hub: true,
            value: \.queuedBytes),
    ]

    /// One process for each name: of a slot's two, the one that is not on its way out.
    private static func serving(_ processes: [ProcessStatus]) -> [ProcessStatus] {
        processes.filter { $0.state != .draining && $0.state != .stopping || $0.name == LogSource.supervisorName }
            .reduce(into: [ProcessStatus]()) { kept, process in
                // A successor that starts stands behind the one it replaces, which still serves.
                if !kept.contains(where: { $0.name == process.name }) { kept.append(process) }
            }
    }

    private static func labels(_ process: ProcessStatus) -> [(String, String)] { [("process", process.name)] }

    private struct Page {
        var text = ""

        mutating func family(_ name: String, _ kind: String, _ help: String) {
            text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind)\n"
        }

        mutating func sample(_ name: String, _ labels: [(String, String)], _ value: Double) {
            let list = labels.map { "\($0.0)=\"\(escaped($0.1))\"" }.joined(separator: ",")
            let number = value == value.rounded() && abs(value) < 1e15 ? String(Int(value)) : String(value)
            text += name + (list.isEmpty ? "" : "{\(list)}") + " \(number)\n"
        }

        private func escaped(_ text: String) -> String {
            text.reduce(into: "") { result, character in
                switch character {
                case "\\": result += "\\\\"
                case "\"": result += "\\\""
                case "\n": result += "\\n"
                default: result.append(character)
                }
            }
        }
    }
}
