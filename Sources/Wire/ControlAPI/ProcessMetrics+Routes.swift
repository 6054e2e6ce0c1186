extension ProcessMetrics {
    /// The series of `routes`; label `route` is the route's path.
    static func writeRoutes(
        _ members: [(labels: MetricsPage.Labels, counters: ChildCounters)], into page: inout MetricsPage
    ) {
        func each(_ body: (MetricsPage.Labels, RouteFigures) -> Void) {
            for (labels, counters) in members {
                for (route, figures) in counters.routes.sorted(by: { $0.key < $1.key }) {
                    body(labels + [("route", route)], figures)
                }
            }
        }
        func labelled(_ name: String, _ label: String, _ values: KeyPath<RouteFigures, [String: Int]>) {
            each { labels, figures in
                for (key, value) in figures[keyPath: values].sorted(by: { $0.key < $1.key }) {
                    page.sample(name, labels + [(label, key)], Double(value))
                }
            }
        }
        func gauge(_ name: String, _ help: String, _ value: KeyPath<RouteFigures, Int>) {
            page.family(name, .gauge, help)
            each { page.sample(name, $0, Double($1[keyPath: value])) }
        }
        page.family(
            "wsd_route_requests_total", .counter,
            "Ended requests of a route by class of the status; aborted: the client went away before the answer.")
        labelled("wsd_route_requests_total", "class", \.requests)
        page.family("wsd_route_failures_total", .counter, "Requests that a route's upstream did not answer.")
        labelled("wsd_route_failures_total", "reason", \.failures)
        page.family("wsd_route_tunnels_opened_total", .counter, "WebSockets opened to a route's upstream.")
        each { page.sample("wsd_route_tunnels_opened_total", $0, Double($1.tunnelsOpened)) }
        gauge("wsd_route_active_requests", "Requests of a route under way.", \.active)
        gauge("wsd_route_held_requests", "Of these: waiting for the upstream to start.", \.held)
        gauge("wsd_route_tunnels", "Open WebSockets to a route's upstream.", \.tunnels)
        page.family(
            "wsd_route_request_duration_seconds", .summary,
            "Requests of a route, from their head to the end of the answer.")
        each {
            page.summary(
                "wsd_route_request_duration_seconds", $0, sum: Double($1.microseconds) / 1e6, count: $1.ended)
        }
    }
}
