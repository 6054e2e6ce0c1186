import Wire

/// A worker's figures in Prometheus' text format (version 0.0.4).
enum MetricsText {
    static func render(_ counters: ChildCounters, worker: Int) -> String {
        var text = ""
        func line(_ name: String, _ type: String, _ help: String, _ value: Int) {
            text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n\(name){worker=\"\(worker)\"} \(value)\n"
        }
        line("wsd_clients", "gauge", "Open WebSocket connections.", counters.clients)
        line("wsd_rooms", "gauge", "Rooms with a member on this worker.", counters.rooms)
        line("wsd_hub_link_up", "gauge", "Whether the hub link is up.", counters.hubLinks)
        line("wsd_held_operations", "gauge", "Operations held for the hub.", counters.held)
        line("wsd_connections_accepted_total", "counter", "Connections accepted.", counters.connectionsAccepted)
        line("wsd_handshakes_refused_total", "counter", "Requests refused.", counters.handshakesRefused)
        line("wsd_messages_received_total", "counter", "Messages from clients.", counters.messagesIn)
        line("wsd_messages_sent_total", "counter", "Messages to clients.", counters.messagesOut)
        line("wsd_received_bytes_total", "counter", "Bytes from clients.", counters.bytesIn)
        line("wsd_sent_bytes_total", "counter", "Bytes to clients.", counters.bytesOut)
        line("wsd_publications_total", "counter", "Publications given to the hub.", counters.publications)
        line("wsd_deliveries_total", "counter", "Deliveries from the hub.", counters.deliveries)
        line(
            "wsd_slow_clients_closed_total", "counter", "Clients closed because they read too slowly.",
            counters.slowClientsClosed)
        line(
            "wsd_loss_clients_closed_total", "counter", "Clients closed because deliveries for them were lost.",
            counters.lossClosed)
        line(
            "wsd_heartbeat_timeouts_total", "counter", "Clients that did not answer a ping.", counters.heartbeatTimeouts
        )
        line(
            "wsd_protocol_errors_total", "counter", "Clients that broke the WebSocket protocol.",
            counters.protocolErrors)
        line("wsd_accept_pauses_total", "counter", "Times that no descriptor was free.", counters.acceptPauses)
        return text
    }
}
