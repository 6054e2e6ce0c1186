internal import ConfigurationFile
import HTTPTypes
import Hummingbird
import HummingbirdCore
import LinuxSystem
import Model
import NIOCore
import Supervision
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
            "follow", "lines", "target", "worker", "program", "stream", "source", "level", "since", "grep", "after",
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

        let words = (query.text("target") ?? "").split(separator: ",").map(String.init)
        filter.targets = try await driver.run { try $0.logTargets(words) }

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

extension FleetDriver {
    /// What the words mean. A program that is gone is known as long as lines of it are kept.
    ///
    /// - Returns: empty: everybody.
    func logTargets(_ words: [String]) throws(ControlFailure) -> [LogTarget] {
        guard words.count <= Self.maxTargets else {
            throw .badRequest("A request may name \(Self.maxTargets) programs at most.")
        }
        guard !words.contains("all") else { return [] }
        var targets: [LogTarget] = []
        for word in words {
            let target = try logTarget(word)
            if !targets.contains(target) { targets.append(target) }
        }
        return targets
    }

    private func logTarget(_ word: String) throws(ControlFailure) -> LogTarget {
        switch word {
        case LogSource.supervisorName: return .source(word)
        case SlotID.hub.description: return .hub
        case "workers", "0": return .workers
        default: break
        }
        if word.hasPrefix("worker:") { return try workerTarget(word) }
        if let known = programs.machine.resolve(word) {
            guard let number = known.number else { return .program(known.program) }
            let process = ProgramProcessID(program: known.program, number: number)
            let wanted = programs.statuses().first { $0.name == known.program }?.wanted ?? 0
            guard (1...max(1, wanted)).contains(number) || hasLines(.process(process)) else {
                throw ControlFailure(ProgramRefusal.noSuchProcess(process))
            }
            return .process(process)
        }
        if let gone = [LogTarget.program(word), .source(word)].first(where: hasLines) { return gone }
        let refusal = ProgramRefusal.unknown(word).description
        let others = [LogSource.supervisorName, SlotID.hub.description, "workers"]
        guard let near = Suggestion.nearest(to: word, among: programs.names + others) else { throw .notFound(refusal) }
        throw .notFound("\(refusal) Did you mean \(near)?")
    }

    private func workerTarget(_ word: String) throws(ControlFailure) -> LogTarget {
        guard let number = Int(word.dropFirst("worker:".count)), (1...Int(UInt16.max)).contains(number) else {
            throw .badRequest("“\(word)” is no worker: `worker:2` is the second.")
        }
        guard number <= machine.workersWanted || hasLines(.worker(number)) else {
            throw .notFound("There is no worker \(number). `wsctl workers` shows those there are.")
        }
        return .worker(number)
    }

    private func hasLines(_ target: LogTarget) -> Bool {
        !log.store.tail(LogFilter(targets: [target]), limit: 1).isEmpty
    }
}
