// Shapes of the control API that are not an operation's: lists, streams and figures.
//
// GET /v1/status            ServiceStatus
// GET /v1/version           VersionAnswer
// GET /v1/workers           [ProcessStatus]: status' `processes`
// GET /v1/clients           NDJSON: ClientInfo …, then StreamProblem for each worker that did not answer (none: all did)
//                           ?id= &room= &user= &address=
// GET /v1/rooms             NDJSON: RoomInfo (summed over workers, by name) …, then StreamProblem as above; ?prefix=
// GET /v1/stats             StatsSample; with ?watch=1 NDJSON, one a second
// GET /v1/logs              NDJSON: LogEntry, oldest first
//                           ?lines=100 &worker=1 &source=hub &level=warning &since=<seconds since 1970, or 90s 10m 2h 1d ago>
//                           &grep= &after=<sequence> &follow=1
// GET /v1/config            [ConfigurationEntry]
// POST /v1/reload           NDJSON OperationProgress; 409 ControlError `busy` while another operation runs
// POST /v1/restart          the same; ?worker=N &now=1
// POST /v1/scale            the same; ScaleBody
// POST /v1/stop             the same
// POST /v1/kick             KickBody → CountAnswer (0: no such client is answered 404)
// POST /v1/publish          PublishBody → CountAnswer
// GET /metrics              Prometheus text, version 0.0.4

/// A line of an NDJSON list that says why the list is not complete. It has none of the list's own keys.
package struct StreamProblem: Codable, Sendable, Equatable {
    /// A sentence: `Worker 3 did not answer within 5 s: its clients are missing.`
    package var problem: String

    package init(problem: String) {
        self.problem = problem
    }
}

/// `GET /v1/stats`, and one line a second of `GET /v1/stats?watch=1`.
package struct StatsSample: Codable, Sendable, Equatable {
    /// Seconds since 1970.
    package var time: Double
    package var totals: ServiceTotals
    package var processes: [ProcessStatus]

    package init(time: Double, totals: ServiceTotals, processes: [ProcessStatus]) {
        self.time = time
        self.totals = totals
        self.processes = processes
    }
}

/// `POST /v1/kick`: clients closed. `POST /v1/publish`: what the hub counted.
package struct CountAnswer: Codable, Sendable, Equatable {
    package var count: Int

    package init(count: Int) {
        self.count = count
    }
}
