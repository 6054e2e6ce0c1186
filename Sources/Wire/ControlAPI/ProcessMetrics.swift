/// The metrics of one worker or of the hub, the same on the control socket and on the public port. Counters begin at 0 with
/// every new process of a slot, as Prometheus expects of a restart.
package enum ProcessMetrics {
    /// Workers with their numbers; label `worker`.
    package static func write(workers: [(number: Int, counters: ChildCounters)], into page: inout MetricsPage) {
        let members = workers.map { (labels: [(name: "worker", value: String($0.number))], counters: $0.counters) }
        for family in workerFamilies { family.write(members, into: &page) }
        for family in labelledFamilies { family.write(members, into: &page) }
        for family in webhookFamilies { family.write(members, into: &page) }
        page.family(
            "wsd_tls_certificate_not_after_seconds", .gauge,
            "When the time of the TLS certificate in use ends, seconds since 1970.")
        for (labels, counters) in members where counters.tlsNotAfter > 0 {
            page.sample("wsd_tls_certificate_not_after_seconds", labels, Double(counters.tlsNotAfter))
        }
        page.family("wsd_webhook_duration_seconds", .summary, "Calls of a webhook, from being made to their end.")
        for (labels, counters) in members {
            for (hook, figures) in counters.webhooks.sorted(by: { $0.key < $1.key }) {
                page.summary(
                    "wsd_webhook_duration_seconds", labels + [("hook", hook)], sum: Double(figures.microseconds) / 1e6,
                    count: figures.ended)
            }
        }
        writeRoutes(members, into: &page)
        page.family(
            "wsd_message_latency_seconds", .histogram,
            "From taking in a publication to the last write of its delivery by the worker.")
        for (labels, counters) in members {
            page.histogram("wsd_message_latency_seconds", labels, counters.latency)
        }
    }

    /// The hub; `nil`: it does not run, and its families are empty.
    package static func write(hub: ChildCounters?, into page: inout MetricsPage) {
        let members = hub.map { [(labels: MetricsPage.Labels(), counters: $0)] } ?? []
        for family in hubFamilies { family.write(members, into: &page) }
        page.family(
            "wsd_history_commit_duration_seconds", .summary, "Commits of a batch to the history's database.")
        guard let hub else { return }
        page.summary(
            "wsd_history_commit_duration_seconds", [], sum: Double(hub.commitMicroseconds) / 1e6, count: hub.commits)
    }

    private typealias Members = [(labels: MetricsPage.Labels, counters: ChildCounters)]

    private struct Family: Sendable {
        var name: String
        var kind: MetricsPage.Kind
        var help: String
        var value: any KeyPath<ChildCounters, Int> & Sendable

        init(
            _ name: String, _ kind: MetricsPage.Kind, _ help: String,
            _ value: any KeyPath<ChildCounters, Int> & Sendable
        ) {
            (self.name, self.kind, self.help, self.value) = (name, kind, help, value)
        }

        func write(_ members: Members, into page: inout MetricsPage) {
            page.family(name, kind, help)
            for (labels, counters) in members {
                page.sample(name, labels, Double(counters[keyPath: value]))
            }
        }
    }

    /// One series for each key of a dictionary.
    private struct LabelledFamily: Sendable {
        var name: String
        var label: String
        var help: String
        var values: any KeyPath<ChildCounters, [String: Int]> & Sendable

        func write(_ members: Members, into page: inout MetricsPage) {
            page.family(name, .counter, help)
            for (labels, counters) in members {
                for (key, value) in counters[keyPath: values].sorted(by: { $0.key < $1.key }) {
                    page.sample(name, labels + [(label, key)], Double(value))
                }
            }
        }
    }

    private struct WebhookFamily: Sendable {
        var name: String
        var kind: MetricsPage.Kind
        var help: String
        var value: any KeyPath<WebhookFigures, Int> & Sendable

        func write(_ members: Members, into page: inout MetricsPage) {
            page.family(name, kind, help)
            for (labels, counters) in members {
                for (hook, figures) in counters.webhooks.sorted(by: { $0.key < $1.key }) {
                    page.sample(name, labels + [("hook", hook)], Double(figures[keyPath: value]))
                }
            }
        }
    }

    private static let workerFamilies = [
        Family("wsd_worker_clients", .gauge, "Connected clients of a worker.", \.clients),
        Family(
            "wsd_worker_live_connections", .gauge, "Open live connections (/ws/logs, /ws/stats) of a worker.",
            \.liveConnections),
        Family("wsd_worker_users", .gauge, "Different users among the clients of a worker.", \.users),
        Family("wsd_worker_rooms", .gauge, "Rooms with a member on a worker.", \.rooms),
        Family("wsd_worker_hub_link_up", .gauge, "Whether a worker's link to the hub is up.", \.hubLinks),
        Family("wsd_connections_accepted_total", .counter, "Accepted connections.", \.connectionsAccepted),
        Family("wsd_handshakes_refused_total", .counter, "Refused WebSocket handshakes.", \.handshakesRefused),
        Family("wsd_connects_total", .counter, "Opened WebSocket connections.", \.connects),
        Family("wsd_reconnects_total", .counter, "Opened by clients that came back.", \.reconnects),
        Family("wsd_resumes_recovered_total", .counter, "Resumed rooms whose missed messages were there.", \.resumed),
        Family("wsd_resumes_failed_total", .counter, "Resumed rooms whose missed messages were gone.", \.notResumed),
        Family("wsd_messages_received_total", .counter, "Messages from clients.", \.messagesIn),
        Family("wsd_messages_sent_total", .counter, "Messages to clients.", \.messagesOut),
        Family("wsd_received_bytes_total", .counter, "Bytes from clients.", \.bytesIn),
        Family("wsd_sent_bytes_total", .counter, "Bytes to clients.", \.bytesOut),
        Family("wsd_rate_limited_total", .counter, "Messages refused by a rate limit.", \.rateLimited),
        Family("wsd_publications_total", .counter, "Publications sent to the hub.", \.publications),
        Family("wsd_deliveries_total", .counter, "Deliveries from the hub.", \.deliveries),
        Family(
            "wsd_slow_clients_closed_total", .counter, "Clients closed because they read too slowly.",
            \.slowClientsClosed),
        Family(
            "wsd_loss_clients_closed_total", .counter, "Clients closed because deliveries for them were lost.",
            \.lossClosed),
        Family("wsd_gaps_total", .counter, "Members that were told of lost messages.", \.gaps),
        Family(
            "wsd_heartbeat_timeouts_total", .counter, "Clients closed because they did not answer a ping.",
            \.heartbeatTimeouts),
        Family(
            "wsd_protocol_errors_total", .counter, "Clients closed because they broke the protocol.", \.protocolErrors),
        Family(
            "wsd_accept_pauses_total", .counter, "Pauses of accepting because no descriptor was free.", \.acceptPauses),
        Family("wsd_errors_total", .counter, "Other errors of a worker.", \.errors),
        Family("wsd_operations_held", .gauge, "Operations that wait for the hub.", \.held),
        Family(
            "wsd_compression_input_bytes_total", .counter, "Messages to clients before compression.", \.compressionIn),
        Family(
            "wsd_compression_output_bytes_total", .counter, "The same messages after compression.", \.compressionOut),
        Family(
            "wsd_decompression_input_bytes_total", .counter, "Compressed messages from clients as they came.",
            \.decompressionIn),
        Family("wsd_decompression_output_bytes_total", .counter, "The same messages decompressed.", \.decompressionOut),
        Family("wsd_tls_handshakes_total", .counter, "Completed TLS handshakes.", \.tlsHandshakes),
        Family("wsd_traces", .gauge, "Traces that a worker takes part in.", \.traces),
        Family(
            "wsd_trace_events_dropped_total", .counter, "Events of traces that were too many.", \.traceEventsDropped),
    ]

    private static let labelledFamilies = [
        LabelledFamily(
            name: "wsd_refused_total", label: "reason", help: "Connections that were not admitted.",
            values: \.refusedByReason),
        LabelledFamily(
            name: "wsd_tls_handshake_failures_total", label: "reason", help: "TLS handshakes that did not succeed.",
            values: \.tlsFailures),
        LabelledFamily(
            name: "wsd_command_errors_total", label: "code", help: "Commands that failed.", values: \.errorsByCode),
    ]

    private static let webhookFamilies = [
        WebhookFamily(name: "wsd_webhook_calls_total", kind: .counter, help: "Calls of a webhook.", value: \.calls),
        WebhookFamily(
            name: "wsd_webhook_failures_total", kind: .counter, help: "Calls without a usable answer.",
            value: \.failures),
        WebhookFamily(
            name: "wsd_webhook_timeouts_total", kind: .counter, help: "Attempts that took too long.", value: \.timeouts),
        WebhookFamily(name: "wsd_webhook_retries_total", kind: .counter, help: "Further attempts.", value: \.retries),
        WebhookFamily(
            name: "wsd_webhook_refusals_total", kind: .counter, help: "Calls that the application answered with no.",
            value: \.refusals),
        WebhookFamily(
            name: "wsd_webhook_in_flight", kind: .gauge, help: "Calls that wait for their answer.", value: \.inFlight),
    ]

    private static let hubFamilies = [
        Family("wsd_hub_links", .gauge, "Workers linked to the hub.", \.hubLinks),
        Family("wsd_hub_publications_total", .counter, "Publications ordered by the hub.", \.publications),
        Family("wsd_hub_repetitions_total", .counter, "Publications whose message id was known.", \.repetitions),
        Family("wsd_hub_deliveries_total", .counter, "Deliveries that left for workers.", \.deliveries),
        Family("wsd_hub_links_cut_total", .counter, "Links cut because a worker did not read.", \.linksCut),
        Family("wsd_hub_queued_bytes", .gauge, "Bytes queued for workers.", \.queuedBytes),
        Family("wsd_history_rooms", .gauge, "Rooms whose history is in memory.", \.historyRooms),
        Family("wsd_history_messages", .gauge, "Messages of histories in memory.", \.historyMessages),
        Family("wsd_history_bytes", .gauge, "Bytes of these messages.", \.historyBytes),
        Family("wsd_history_file_bytes", .gauge, "Size of the history's database.", \.historyFileBytes),
        Family("wsd_history_recorded_total", .counter, "Messages recorded in a history.", \.recorded),
        Family(
            "wsd_history_failures_total", .counter, "Publications refused because they could not be recorded.",
            \.storageFailures),
    ]
}
