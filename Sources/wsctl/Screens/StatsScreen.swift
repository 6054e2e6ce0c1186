import Wire

/// `wsctl stats`.
enum StatsScreen {
    private struct Row {
        var name: String
        var value: String
        /// More, behind the column of values.
        var note: String?

        init(_ name: String, _ value: String, _ note: String? = nil) {
            (self.name, self.value, self.note) = (name, value, note)
        }

        init(_ name: String, _ count: Int, _ note: String? = nil) {
            self.init(name, Humanized.count(count), note)
        }
    }

    static func lines(_ stats: StatsSample, _ style: Style) -> [String] {
        let totals = stats.totals
        let groups = [now(totals), traffic(totals), connections(totals), publications(totals), service(totals)]
        let rows = groups.joined()
        let name = rows.map(\.name.count).max() ?? 0
        let value = rows.map { PlainText.width($0.value) }.max() ?? 0
        var lines: [String] = []
        for group in groups {
            if !lines.isEmpty { lines.append("") }
            for row in group {
                let gap = name - row.name.count + 2 + value - PlainText.width(row.value)
                let head = row.name + String(repeating: " ", count: gap) + row.value
                let margin = name + 2 + value + 2
                let notes = PlainText.wrapped(PlainText.harmless(row.note ?? ""), to: style.width - margin)
                lines.append(head + (notes.first.map { "  " + style.paint($0, .faint) } ?? ""))
                lines += notes.dropFirst().map { String(repeating: " ", count: margin) + style.paint($0, .faint) }
            }
        }
        if !totals.webhooks.isEmpty { lines += [""] + webhooks(totals.webhooks, style) }
        return lines + [""] + ProcessTable.lines(stats.processes, style)
    }

    private static func now(_ totals: ServiceTotals) -> [Row] {
        let kept =
            "\(Humanized.counted(totals.historyMessages, "message")), \(Humanized.bytes(totals.historyBytes)) kept"
        return [
            Row("clients", totals.clients), Row("users", totals.users), Row("rooms", totals.rooms),
            Row("live connections", totals.liveConnections),
            Row("rooms with history", totals.historyRooms, totals.historyMessages > 0 ? kept : nil),
            Row("history's database", Humanized.bytes(totals.historyFileBytes)),
        ]
    }

    private static func traffic(_ totals: ServiceTotals) -> [Row] {
        var rows = [
            Row("messages in", totals.messagesIn, "\(Humanized.rate(totals.messagesInPerSecond)) a second"),
            Row("messages out", totals.messagesOut, "\(Humanized.rate(totals.messagesOutPerSecond)) a second"),
            Row("bytes in", Humanized.bytes(totals.bytesIn)), Row("bytes out", Humanized.bytes(totals.bytesOut)),
        ]
        if let size = totals.averageSize {
            rows.append(Row("mean message", Humanized.bytes(Int(max(0, min(size, 1e15)).rounded()))))
        }
        let ratios = [totals.compressionRatio.map { ($0, "sent") }, totals.decompressionRatio.map { ($0, "received") }]
        for case (let ratio, let what)? in ratios {
            rows.append(Row("compressed to, \(what)", Humanized.fixed(ratio * 100, 0) + " %"))
        }
        if let latency = totals.latency {
            rows.append(
                Row(
                    "message latency, p99", Humanized.latency(latency.p99),
                    "p50 \(Humanized.latency(latency.p50)), p95 \(Humanized.latency(latency.p95)), "
                        + "max \(Humanized.latency(latency.max))"))
        }
        return rows
    }

    private static func connections(_ totals: ServiceTotals) -> [Row] {
        let resumes = "rooms resumed \(Humanized.count(totals.resumed)), not \(Humanized.count(totals.notResumed))"
        return [
            Row("connections accepted", totals.connectionsAccepted), Row("WebSocket connects", totals.connects),
            Row("reconnects", totals.reconnects, totals.resumed + totals.notResumed > 0 ? resumes : nil),
            Row("handshakes refused", totals.handshakesRefused),
            Row("refused by reason", sum(totals.refusedByReason), list(totals.refusedByReason)),
            Row("rate limited", totals.rateLimited),
            Row("command errors", sum(totals.errorsByCode), list(totals.errorsByCode)),
            Row("slow clients closed", totals.slowClientsClosed), Row("ping timeouts", totals.heartbeatTimeouts),
            Row("protocol errors", totals.protocolErrors),
            Row("closed for lost messages", totals.lossClosed, totals.gaps > 0 ? "told of gaps \(totals.gaps)" : nil),
        ]
    }

    private static func publications(_ totals: ServiceTotals) -> [Row] {
        let commits = totals.commitMean.map {
            "\(Humanized.counted(totals.commits, "commit")) of \(Humanized.latency($0)) in the mean"
        }
        var rows = [Row("publications", totals.publications), Row("recorded in histories", totals.recorded, commits)]
        if totals.repetitions > 0 { rows.append(Row("repeated message ids", totals.repetitions)) }
        if totals.storageFailures > 0 { rows.append(Row("could not be recorded", totals.storageFailures)) }
        return rows
    }

    private static func service(_ totals: ServiceTotals) -> [Row] {
        var rows = [
            Row("restarts", totals.restarts), Row("errors", totals.errors),
            Row("log lines dropped", totals.logLinesDropped),
        ]
        if totals.traces > 0 { rows.append(Row("traces followed", totals.traces)) }
        if totals.traceEventsDropped > 0 { rows.append(Row("trace events dropped", totals.traceEventsDropped)) }
        return rows
    }

    private static func webhooks(_ hooks: [String: WebhookTotals], _ style: Style) -> [String] {
        var table = Table([
            ("WEBHOOK", .left), ("CALLS", .right), ("FAILED", .right), ("TIMEOUTS", .right), ("RETRIES", .right),
            ("REFUSED", .right), ("NOW", .right), ("MEAN", .right),
        ])
        for (name, hook) in hooks.sorted(by: { $0.key < $1.key }) {
            table.add([
                Table.Cell(name), Table.Cell("\(hook.calls)"),
                Table.Cell("\(hook.failures)", hook.failures > 0 ? .yellow : .plain), Table.Cell("\(hook.timeouts)"),
                Table.Cell("\(hook.retries)"), Table.Cell("\(hook.refusals)"), Table.Cell("\(hook.inFlight)"),
                Table.Cell(hook.meanMilliseconds.map { Humanized.latency($0 / 1000) } ?? "-"),
            ])
        }
        return table.lines(style)
    }

    private static func sum(_ counts: [String: Int]) -> Int { counts.values.reduce(0, &+) }

    /// The most frequent first.
    private static func list(_ counts: [String: Int]) -> String? {
        guard !counts.isEmpty else { return nil }
        return counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
            .map { "\($0.key) \(Humanized.count($0.value))" }.joined(separator: ", ")
    }
}

/// `wsctl stats -f`: one line each interval, the headings again every 20 lines.
struct StatsTicker {
    private static let headingEvery = 20
    private static let columns = [
        ("CLIENTS", 8), ("ROOMS", 7), ("IN/S", 6), ("OUT/S", 6), ("IN B/S", 8), ("OUT B/S", 8), ("RESTARTS", 9),
        ("LIMITED", 8), ("CPU%", 5), ("MEMORY", 7),
    ]
    private var shown = 0
    private var previous: StatsSample?

    mutating func lines(_ stats: StatsSample, _ style: Style) -> [String] {
        let totals = stats.totals
        let elapsed = previous.map { stats.time - $0.time } ?? 0
        func perSecond(_ figure: KeyPath<ServiceTotals, Int>) -> String {
            guard let previous = previous?.totals, elapsed > 0 else { return "-" }
            let grown = Double(totals[keyPath: figure]) - Double(previous[keyPath: figure])
            return Humanized.bytesBriefly(Int(max(0, min(grown / elapsed, 1e15)).rounded()))
        }
        let cells = [
            "\(totals.clients)", "\(totals.rooms)", Humanized.rate(totals.messagesInPerSecond),
            Humanized.rate(totals.messagesOutPerSecond), perSecond(\.bytesIn), perSecond(\.bytesOut),
            "\(totals.restarts)",
            "\(totals.rateLimited)", Humanized.fixed(stats.processes.reduce(0) { $0 + ($1.cpu ?? 0) }, 0),
            Humanized.bytesBriefly(stats.processes.reduce(0) { $0 + min($1.memory ?? 0, 1 << 50) }),
        ]
        previous = stats
        defer { shown += 1 }
        let line = Self.row(cells)
        return shown % Self.headingEvery == 0 ? [style.paint(Self.row(Self.columns.map(\.0)), .faint), line] : [line]
    }

    private static func row(_ cells: [String]) -> String {
        zip(columns, cells).map { column, cell in String(repeating: " ", count: max(1, column.1 - cell.count)) + cell }
            .joined()
    }
}
