/// The columns of the list: as many as fit.
struct MonitTable {
    private struct Column {
        var heading: String
        var width: Int
        /// The lowest stays longest.
        var rank: Int
        var isLeft = false
        /// Less than a sparkline.
        var isLate = false
        var cell: (MonitRow) -> (text: String, colour: Style.Colour)
    }

    private static let longestName = 24
    private static let mark = "› "
    /// Columns of a sparkline.
    private static let sparkline = 8...30
    /// Percent of a core that fills a sparkline at least.
    private static let fullCore = 20.0

    private let columns: [Column]
    private let name: Int
    /// 0: there is no room for it.
    private let spark: Int

    init(_ rows: [MonitRow], width: Int) {
        let serves = rows.contains { $0.clients != nil }
        let longest = rows.reduce(4) { max($0, PlainText.width(Self.name($1))) }
        name = min(longest, Self.longestName, max(8, width - 14))
        var left = width - Self.mark.count - name
        var chosen: [Column] = []
        for column in Self.all(serves).sorted(by: { $0.rank < $1.rank }) {
            let kept = column.isLate ? Self.sparkline.lowerBound + 1 : 0
            guard left >= column.width + 1 + kept else { break }
            left -= column.width + 1
            chosen.append(column)
        }
        spark = left > Self.sparkline.lowerBound ? min(left - 1, Self.sparkline.upperBound) : 0
        let headings = chosen.map(\.heading)
        columns = Self.all(serves).filter { headings.contains($0.heading) }
    }

    /// - Parameter sort: the column by which it is sorted.
    func heading(_ sort: MonitScreen.Sort) -> String {
        func marked(_ heading: String) -> String {
            switch (sort, heading) {
            case (.name, "NAME"), (.cpu, "CPU%"), (.memory, "MEMORY"), (.restarts, "RESTARTS"): "*\(heading)"
            default: heading
            }
        }
        var line = PaintedText.padded("  " + marked("NAME"), to: Self.mark.count + name)
        for column in columns { line += " " + Self.aligned(marked(column.heading), column) }
        return spark > 0 ? line + " CPU" : line
    }

    func line(_ row: MonitRow, isSelected: Bool, history: [Double], _ style: Style) -> String {
        // One attribute for the whole of it: others would end it.
        let style = isSelected ? Style(coloured: false, width: style.width) : style
        let text = PlainText.cut(Self.name(row), to: name)
        var line = (isSelected ? Self.mark : "  ") + style.paint(text, row.isPart ? .plain : .bold)
        line += String(repeating: " ", count: name - PlainText.width(text))
        for column in columns {
            let (text, colour) = column.cell(row)
            line += " " + Self.aligned(PlainText.cut(text, to: column.width), column) { style.paint($0, colour) }
        }
        guard spark > 0 else { return line }
        return line + " " + style.paint(Sparkline.text(history, columns: spark, full: Self.fullCore), .cyan)
    }

    private static func name(_ row: MonitRow) -> String {
        (row.isPart ? "  " : "") + PlainText.harmless(row.name)
    }

    private static func aligned(
        _ text: String, _ column: Column, _ paint: (String) -> String = { $0 }
    ) -> String {
        let padding = String(repeating: " ", count: max(0, column.width - PlainText.width(text)))
        return column.isLeft ? paint(text) + padding : padding + paint(text)
    }

    private static func all(_ serves: Bool) -> [Column] {
        var columns = [
            Column(heading: "STATE", width: 9, rank: 0, isLeft: true) { (PlainText.harmless($0.state), $0.colour) },
            Column(heading: "PID", width: 7, rank: 8, isLate: true) { ($0.pid.map { "\($0)" } ?? "-", .plain) },
            Column(heading: "UPTIME", width: 6, rank: 7, isLate: true) {
                ($0.uptime.map(Humanized.durationBriefly) ?? "-", .plain)
            },
            Column(heading: "RESTARTS", width: 9, rank: 3) { ("\($0.restarts)", $0.restarts > 0 ? .yellow : .plain) },
        ]
        if serves {
            columns += [
                Column(heading: "CLIENTS", width: 7, rank: 4) { ($0.clients.map { "\($0)" } ?? "-", .plain) },
                Column(heading: "IN/S", width: 5, rank: 5) { ($0.incoming.map(Humanized.rate) ?? "-", .plain) },
                Column(heading: "OUT/S", width: 5, rank: 6) { ($0.outgoing.map(Humanized.rate) ?? "-", .plain) },
            ]
        }
        return columns + [
            Column(heading: "MEMORY", width: 7, rank: 2) {
                ($0.memory.map(Humanized.bytesBriefly) ?? "-", .plain)
            },
            Column(heading: "CPU%", width: 5, rank: 1) {
                ($0.cpu.map { Humanized.fixed($0, $0 < 9.95 ? 1 : 0) } ?? "-", .plain)
            },
        ]
    }
}
