import Testing

@testable import Wire

@Suite struct RouteMetricsTests {
    @Test func routesHaveTheirSeries() {
        var figures = RouteFigures()
        figures.requests = ["2xx": 3, "aborted": 1]
        (figures.microseconds, figures.tunnelsOpened) = (1_500_000, 7)
        (figures.active, figures.held, figures.tunnels) = (4, 2, 5)
        figures.failures = ["refused": 6]
        var counters = ChildCounters()
        counters.routes = ["/api": figures]
        var page = MetricsPage()
        ProcessMetrics.write(workers: [(number: 2, counters: counters)], into: &page)
        let lines = Set(page.text.split(separator: "\n").map(String.init))
        let labels = "worker=\"2\",route=\"/api\""
        for line in [
            "wsd_route_requests_total{\(labels),class=\"2xx\"} 3",
            "wsd_route_requests_total{\(labels),class=\"aborted\"} 1",
            "wsd_route_failures_total{\(labels),reason=\"refused\"} 6", "wsd_route_tunnels_opened_total{\(labels)} 7",
            "wsd_route_active_requests{\(labels)} 4", "wsd_route_held_requests{\(labels)} 2",
            "wsd_route_tunnels{\(labels)} 5", "wsd_route_request_duration_seconds_sum{\(labels)} 1.5",
            "wsd_route_request_duration_seconds_count{\(labels)} 4",
        ] {
            #expect(lines.contains(line), "\(line)")
        }
        #expect(figures.ended == 4)
    }

    @Test func figuresAddUp() {
        var first = RouteFigures()
        (first.requests, first.failures, first.active) = (["2xx": 1], ["tls": 1], 1)
        var second = first
        second.requests["5xx"] = 2
        second.add(first)
        #expect(second.requests == ["2xx": 2, "5xx": 2] && second.failures == ["tls": 2] && second.active == 2)
    }
}
