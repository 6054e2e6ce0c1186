import Wire

/// A worker's figures in Prometheus' text format, under the same names as on the control socket.
enum MetricsText {
    static func render(_ counters: ChildCounters, worker: Int) -> String {
        var page = MetricsPage()
        ProcessMetrics.write(workers: [(number: worker, counters: counters)], into: &page)
        return page.text
    }
}
