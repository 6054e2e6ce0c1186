// Shapes of the control API that are not an operation's: lists, streams and figures.
//
// GET /v1/status            ServiceStatus
// GET /v1/version           VersionAnswer
// GET /v1/workers           [ProcessStatus]: status' `processes`
// GET /v1/clients           NDJSON: ClientInfo …, then StreamProblem for each worker that did not answer (none: all did)
//                           ?id= &room= &user= &address=
// GET /v1/rooms             NDJSON: RoomInfo (summed over workers, by name) …, then StreamProblem as above; ?prefix=
// GET /v1/stats             StatsSample; with ?follow=1s (to 60s) NDJSON, one each interval
// GET /v1/logs              NDJSON: LogEntry, oldest first
//                           ?lines=100 &target=api,web:2,worker:1 &worker=1 &source=hub &level=warning &since=<seconds since 1970, or 90s 10m 2h 1d ago>
//                           &grep= &after=<sequence> &follow=1
// GET /v1/config            [ConfigurationEntry]
// POST /v1/reload           NDJSON OperationProgress; 409 ControlError `busy` while another operation runs
// POST /v1/restart          the same; ?worker=N &now=1
// POST /v1/scale            the same; ScaleBody
// POST /v1/stop             the same
// POST /v1/kick             KickBody → CountAnswer (0: no such client is answered 404)
// POST /v1/publish          PublishBody → CountAnswer
// GET /v1/trace             NDJSON: TraceLine, until the caller hangs up; of a client alone, until that is gone
//                           ?client= &room= &user= &payloads=1
// … /v1/api/…               the backend's API (BackendHTTP), without a key
// GET /metrics              Prometheus text, version 0.0.4

/// A line of an NDJSON list that says why the list is not complete. It has none of the list's own keys.
package struct StreamProblem: Codable, Sendable, Equatable {
    /// A sentence: `Worker 3 did not answer within 5 s: its clients are missing.`
    package var problem: String

    package init(problem: String) {
        self.problem = problem
    }
}

/// `GET /v1/stats`, and one line each interval of `GET /v1/stats?follow=1s`.
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

/// A line of `GET /v1/trace`: what happened, or what is to be said about the trace itself.
package enum TraceLine: Codable, Sendable, Equatable {
    case event(TraceEvent)
    case notice(TraceNotice)

    private enum Key: String, CodingKey {
        case notice
    }

    /// The trace is over, as it was to be.
    package var isLast: Bool {
        if case .notice(let notice) = self { notice.ended ?? false } else { false }
    }

    package init(from decoder: any Decoder) throws {
        if try decoder.container(keyedBy: Key.self).contains(.notice) {
            self = .notice(try TraceNotice(from: decoder))
        } else {
            self = .event(try TraceEvent(from: decoder))
        }
    }

    package func encode(to encoder: any Encoder) throws {
        switch self {
        case .event(let event): try event.encode(to: encoder)
        case .notice(let notice): try notice.encode(to: encoder)
        }
    }
}

/// Who is followed, which worker came or went, and what is missing.
package struct TraceNotice: Codable, Sendable, Equatable {
    /// Seconds since 1970.
    package var time: Double
    /// A sentence.
    package var notice: String
    package var worker: Int?
    /// Events that are missing here.
    package var dropped: Int?
    /// `true`: the trace is over, because the client it followed is gone. The last line.
    package var ended: Bool?

    package init(time: Double, notice: String, worker: Int? = nil, dropped: Int? = nil, ended: Bool? = nil) {
        self.time = time
        self.notice = notice
        self.worker = worker
        self.dropped = dropped
        self.ended = ended
    }
}
