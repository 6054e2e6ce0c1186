import Model
import WebSocketProtocol
import Wire

/// What operators and their pages can follow over WebSocket, by path.
enum LiveFeed: String, CaseIterable, Sendable {
    case logs = "/ws/logs"
    case stats = "/ws/stats"

    /// Bytes of a parameter's value.
    static let maxValue = 256
    /// Seconds between two objects of ``stats``, as the control API takes them.
    static let intervals = 1...60

    /// - Parameter path: of the request, without the query.
    init?(path: Substring) {
        guard let feed = Self.allCases.first(where: { $0.rawValue == path }) else { return nil }
        self = feed
    }

    /// The call of the control API that brings it. Parameters that are none of the feed's are left out.
    func call(_ query: Substring?) -> Result<String, HTTPRefusal> {
        let query = query ?? ""
        switch self {
        case .logs:
            var call = "/v1/logs?follow=1"
            for name in ["level", "worker", "source", "lines", "since", "grep", "after"] {
                guard let value = QueryText.value(of: name, in: query) else { continue }
                guard value.utf8.count <= Self.maxValue else { return .failure(.liveValueTooLong(name)) }
                call += "&\(name)=\(PercentEncoding.encode(value))"
            }
            return .success(call)
        case .stats:
            let text = QueryText.value(of: "interval", in: query) ?? "1s"
            let digits = text.hasSuffix("s") ? text.dropLast() : text[...]
            guard let seconds = Int(digits), Self.intervals.contains(seconds) else { return .failure(.liveInterval) }
            return .success("/v1/stats?follow=\(seconds)s")
        }
    }
}

extension HTTPRefusal {
    fileprivate static func liveValueTooLong(_ name: String) -> HTTPRefusal {
        HTTPRefusal(status: 400, sentence: "The parameter \(name) has more than \(LiveFeed.maxValue) bytes.")
    }

    fileprivate static let liveInterval = HTTPRefusal(
        status: 400,
        sentence:
            "The parameter interval is from \(LiveFeed.intervals.lowerBound)s to \(LiveFeed.intervals.upperBound)s, like 5s."
    )
}
