/// Columns of text under headings, each as wide as its widest cell.
struct Table {
    enum Alignment {
        case left
        case right
    }

    struct Cell: ExpressibleByStringLiteral {
        var text: String
        var colour = Style.Colour.plain

        init(_ text: String, _ colour: Style.Colour = .plain) {
            self.text = PlainText.harmless(text)
            self.colour = colour
        }

        init(stringLiteral text: String) {
            self.init(text)
        }
    }

    private let columns: [(heading: String, alignment: Alignment)]
    private var rows: [[Cell]] = []

    init(_ columns: [(String, Alignment)]) {
        self.columns = columns.map { ($0.0, $0.1) }
    }

    var isEmpty: Bool { rows.isEmpty }

    /// One cell for each column.
    mutating func add(_ row: [Cell]) {
        assert(row.count == columns.count)
        rows.append(row)
    }

    /// Lines without trailing spaces. Where the table is too wide with two spaces between columns, one is used; where it is
    /// still too wide, a left-aligned last column is cut (not below 8 columns).
    func lines(_ style: Style) -> [String] {
        var widths = columns.indices.map { column in
            rows.reduce(PlainText.width(columns[column].heading)) { max($0, PlainText.width($1[column].text)) }
        }
        var gap = 2
        if widths.reduce(0, +) + gap * (widths.count - 1) > style.width { gap = 1 }
        let excess = widths.reduce(0, +) + gap * (widths.count - 1) - style.width
        if excess > 0, let last = widths.last, columns.last?.alignment == .left {
            widths[widths.count - 1] = max(min(last, 8), last - excess)
        }
        let head = columns.map { Cell($0.heading, .faint) }
        return ([head] + rows).map { line($0, widths: widths, gap: gap, style) }
    }

    private func line(_ cells: [Cell], widths: [Int], gap: Int, _ style: Style) -> String {
        var line = ""
        var owed = 0
        for (index, cell) in cells.enumerated() {
            let text = PlainText.cut(cell.text, to: widths[index])
            let padding = widths[index] - PlainText.width(text)
            if columns[index].alignment == .right { owed += padding }
            if !text.isEmpty {
                line += String(repeating: " ", count: owed) + style.paint(text, cell.colour)
                owed = 0
            }
            if columns[index].alignment == .left { owed += padding }
            owed += gap
        }
        return line
    }
}
