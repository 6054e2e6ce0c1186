import HTTPTypes
import Hummingbird
import HummingbirdCore
import LinuxSystem
import Model
import NIOCore
import Wire

extension ControlRoutes {
    /// Lines given when `lines` is not.
    static let defaultLines = 100
    /// Lines read from the store at a time while following.
    static let pageLines = 500

    /// `GET /v1/logs`. A follower that reads too slowly skips what the store let go meanwhile: it finds a line of the
    /// supervisor in its place that counts what is missing (field `log.skipped`).
    @Sendable func logs(_ request: Request, _ context: ControlContext) async throws -> Response {
        let names: Set<String> = [
            "follow", "lines", "worker", "program", "stream", "source", "level", "since", "grep", "after",
        ]
        let query = try QueryParameters(request.uri, names: names)
        var filter = LogFilter(
            source: query.text("source"), level: try query.level("level") ?? .trace,
            since: try query.time("since", now: Clocks.wallSeconds()), grep: query.text("grep"))
        if let worker = try query.integer("worker", in: 1...Int(UInt16.max)) {
            guard filter.source == nil else { throw ControlFailure.badRequest("Give either “worker” or “source”.") }
            filter.worker = worker
        }
        filter.program = query.text("program")
        if let stream = query.text("stream") {
            guard let known = LogStream(rawValue: stream) else {
                throw ControlFailure.badRequest("“stream” must be out or err, not “\(stream)”.")
            }
            filter.stream = known
        }
        let after = try query.integer("after", in: 0...Int.max)
        // With a time or a cursor all that is newer is meant, not the last hundred.
        let unlimited = filter.since != nil || after != nil
        let limit = try query.integer("lines", in: 0...1_000_000) ?? (unlimited ? Int.max : Self.defaultLines)
        let follow = try query.flag("follow")

        let (first, start) = try await driver.run { [filter] driver in
            (driver.log.store.tail(filter, limit: limit, after: after), driver.log.store.end())
        }
        let channel = context.channel
        return ControlJSON.stream { [driver, filter] lines in
            for entry in first { try await lines.write(entry) }
            try await lines.flush()
            guard follow else { return }
            try await Self.follow(start, filter, driver, channel, &lines)
        }
    }

    private static func follow(
        _ start: LogStore.Cursor, _ filter: LogFilter, _ driver: EventLoopConfined<FleetDriver>, _ channel: any Channel,
        _ lines: inout NDJSONWriter
    ) async throws {
        var cursor = start
        while channel.isActive {
            let page = try await driver.run { [cursor] driver in
                var cursor = cursor
                let read = driver.log.read(&cursor, filter, limit: Self.pageLines)
                return (entries: read.entries, skipped: read.skipped, more: read.more, cursor: cursor)
            }
            cursor = page.cursor
            if page.skipped > 0 {
                try await lines.write(skippedLine(page.skipped, before: page.entries.first))
            }
            for entry in page.entries { try await lines.write(entry) }
            try await lines.flush()
            if !page.more, !(try await driver.wait { $0.nextLine() }) { return }
        }
    }

    private static func skippedLine(_ count: Int, before next: LogEntry?) -> LogEntry {
        LogEntry(
            sequence: max(0, (next?.sequence ?? 1) - 1), time: Clocks.wallSeconds(), source: LogSource.supervisorName,
            worker: nil,
            pid: 0, level: .warning, message: "Log lines are missing here: this reader was too slow",
            fields: ["log.skipped": String(count)])
    }
}
