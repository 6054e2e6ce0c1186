import HTTPTypes
import Hummingbird
import HummingbirdCore
import LinuxSystem
import Model
import NIOCore
import Wire

extension ControlRoutes {
    /// Events given when `count` is not.
    static let defaultEvents = 100
    /// Events read from the store at a time while following.
    static let pageEvents = 500
    /// Patterns of one request.
    static let maxEventTypes = 64

    static let eventMethods: [String: [HTTPRequest.Method]] = ["/v1/events": [.get]]

    var eventRoutes: [Route] { [Route(method: .get, path: "/v1/events", handle: events)] }

    /// `GET /v1/events`. A follower that reads too slowly finds a ``StreamProblem`` in the place of what it missed.
    @Sendable private func events(_ request: Request, _ context: ControlContext) async throws -> Response {
        let query = try QueryParameters(
            request.uri, names: ["type", "program", "since", "after", "count", "follow"])
        var filter = EventFilter()
        filter.types = try Self.patterns(query.text("type"))
        filter.program = query.text("program")
        filter.since = try query.time("since", now: Clocks.wallSeconds())
        filter.after = try query.integer("after", in: 0...Int.max)
        // With a time or a cursor all that is newer is meant, not the last hundred.
        let isUnlimited = filter.since != nil || filter.after != nil
        let limit =
            try query.integer("count", in: 0...1_000_000) ?? (isUnlimited ? Int.max : Self.defaultEvents)
        let follow = try query.flag("follow")
        let (first, start) = try await driver.run { [filter] driver in
            (driver.events.store.tail(filter, limit: limit), driver.events.store.end)
        }
        let channel = context.channel
        return ControlJSON.stream { [driver, filter] lines in
            for event in first { try await lines.write(event) }
            try await lines.flush()
            guard follow else { return }
            var position = start
            while channel.isActive {
                let page = try await driver.run { [position] driver in
                    var position = position
                    let read = driver.events.store.read(behind: &position, filter, limit: Self.pageEvents)
                    return (events: read.events, skipped: read.skipped, more: read.more, position: position)
                }
                position = page.position
                if page.skipped > 0 {
                    let problem = "\(page.skipped) events are missing here: this reader was too slow."
                    try await lines.write(StreamProblem(problem: problem))
                }
                for event in page.events { try await lines.write(event) }
                try await lines.flush()
                if !page.more, !(try await driver.wait { $0.nextEvent() }) { return }
            }
        }
    }

    private static func patterns(_ text: String?) throws(ControlFailure) -> [EventPattern] {
        var patterns: [EventPattern] = []
        for word in (text ?? "").split(separator: ",").prefix(maxEventTypes) {
            guard let pattern = EventPattern(String(word)) else {
                throw .badRequest(
                    "“\(word)” fits no type of event. A type is a word such as process.exited, or a pattern such as worker.* or *.failed."
                )
            }
            patterns.append(pattern)
        }
        return patterns
    }
}
