import Wire

/// `wsctl stats`.
enum StatsScreen {
    static func lines(_ stats: StatsSample, _ style: Style) -> [String] {
        let totals = stats.totals
        let rows: [(String, String)] = [
            ("clients", Humanized.count(totals.clients)),
            ("rooms", Humanized.count(totals.rooms)),
            ("messages in", Humanized.count(totals.messagesIn)),
            ("messages out", Humanized.count(totals.messagesOut)),
            ("messages in per second", Humanized.rate(totals.messagesInPerSecond)),
            ("messages out per second", Humanized.rate(totals.messagesOutPerSecond)),
            ("bytes in", Humanized.bytes(totals.bytesIn)),
            ("bytes out", Humanized.bytes(totals.bytesOut)),
            ("connections accepted", Humanized.count(totals.connectionsAccepted)),
            ("handshakes refused", Humanized.count(totals.handshakesRefused)),
            ("slow clients closed", Humanized.count(totals.slowClientsClosed)),
            ("restarts", Humanized.count(totals.restarts)),
            ("errors", Humanized.count(totals.errors)),
            ("log lines dropped", Humanized.count(totals.logLinesDropped)),
        ]
        let name = rows.map(\.0.count).max() ?? 0
        let value = rows.map { $0.1.count }.max() ?? 0
        let listed = rows.map { row in
            row.0 + String(repeating: " ", count: name - row.0.count + 2 + value - row.1.count) + row.1
        }
        return listed + [""] + ProcessTable.lines(stats.processes, style)
    }
}

/// `wsctl stats --watch`: one line a second, the headings again every 20 lines.
struct StatsTicker {
    private static let headingEvery = 20
    private static let columns = [
        ("CLIENTS", 8), ("ROOMS", 7), ("IN/S", 6), ("OUT/S", 6), ("IN B/S", 8), ("OUT B/S", 8), ("RESTARTS", 9),
        ("ERRORS", 7), ("CPU%", 5), ("MEMORY", 7),
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
            "\(totals.errors)", Humanized.fixed(stats.processes.reduce(0) { $0 + ($1.cpu ?? 0) }, 0),
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
