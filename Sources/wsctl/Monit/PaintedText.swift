/// Text with colours in it (ECMA-48 SGR, as ``Style`` writes them) and no other control characters.
enum PaintedText {
    private static let escape: Unicode.Scalar = "\u{1b}"
    private static let reset = "\u{1b}[0m"

    /// Cuts to so many columns, the last of them `…` if something was cut. Reads no more than it takes.
    static func cut(_ text: String, to columns: Int) -> String {
        guard columns > 0 else { return "" }
        var kept = Piece()
        // What is left where the last column is needed for the mark.
        var short: Piece?
        var rest = text.unicodeScalars[...]
        while let part = next(&rest) {
            if kept.columns + part.columns > columns {
                var piece = short ?? kept
                piece.text += (piece.isPainted ? reset : "") + "…"
                return piece.text
            }
            if short == nil, kept.columns + part.columns > columns - 1 { short = kept }
            kept.take(part)
        }
        return kept.text
    }

    /// Breaks into rows of so many columns wherever they are full, colours going on; what needs more than `rows` is cut.
    static func broken(_ text: String, to columns: Int, rows: Int) -> [String] {
        guard columns > 1, rows > 0 else { return [] }
        var result: [String] = []
        var row = Piece()
        var rest = text.unicodeScalars[...]
        while true {
            let before = rest
            guard let part = next(&rest) else { break }
            if row.columns + part.columns > columns {
                if result.count == rows - 1 { return result + [cut(row.text + String(before), to: columns)] }
                result.append(row.text + (row.isPainted ? reset : ""))
                let paint = row.paint
                row = Piece()
                if let paint { row.take(Part(text: paint, columns: 0, paint: paint)) }
            }
            row.take(part)
        }
        return result + [row.text]
    }

    /// Columns that it needs.
    static func width(_ text: String) -> Int {
        var width = 0
        var rest = text.unicodeScalars[...]
        while let part = next(&rest) { width += part.columns }
        return width
    }

    /// Fills up with spaces.
    static func padded(_ text: String, to columns: Int) -> String {
        text + String(repeating: " ", count: max(0, columns - width(text)))
    }

    /// The same for a terminal that knows ASCII alone; every character keeps its columns.
    static func ascii(_ text: String) -> String {
        if text.utf8.allSatisfy({ $0 < 0x80 }) { return text }
        var result = ""
        for scalar in text.unicodeScalars {
            if scalar.isASCII {
                result.unicodeScalars.append(scalar)
            } else if let known = known[scalar] {
                result.append(known)
            } else {
                result += String(repeating: "?", count: PlainText.width(String(scalar)))
            }
        }
        return result
    }

    private static let known: [Unicode.Scalar: Character] = [
        "·": "-", "…": "~", "─": "-", "›": ">", "“": "\"", "”": "\"", "’": "'", "↑": "^", "↓": "v", "×": "x",
        "▁": "_", "▂": ".", "▃": "-", "▄": "-", "▅": "=", "▆": "=", "▇": "#", "█": "#",
    ]

    private struct Part {
        var text: String
        var columns: Int
        /// Of a colour: the sequence; empty for the one that ends it.
        var paint: String?
    }

    private struct Piece {
        var text = ""
        var columns = 0
        var paint: String?

        var isPainted: Bool { paint != nil }

        mutating func take(_ part: Part) {
            text += part.text
            columns += part.columns
            if let paint = part.paint { self.paint = paint.isEmpty ? nil : paint }
        }
    }

    /// The next character or colour.
    private static func next(_ rest: inout Substring.UnicodeScalarView) -> Part? {
        guard let first = rest.popFirst() else { return nil }
        guard first == escape else {
            return Part(text: String(first), columns: PlainText.width(String(first)), paint: nil)
        }
        var text = String(first)
        while let scalar = rest.popFirst() {
            text.unicodeScalars.append(scalar)
            if scalar == "m" { break }
        }
        return Part(text: text, columns: 0, paint: text == reset ? "" : text)
    }
}

/// A row of small columns for the latest figures of something.
enum Sparkline {
    private static let bars: [Character] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]

    /// As many of the latest values as fit, at the right; the highest is full, or `full` where all are lower.
    static func text(_ values: some Collection<Double>, columns: Int, full: Double) -> String {
        let shown = values.suffix(max(0, columns))
        let top = max(full, shown.max() ?? 0)
        let text = shown.map { value in
            let share = top > 0 && value.isFinite ? max(0, min(value / top, 1)) : 0
            return bars[min(bars.count - 1, Int(share * Double(bars.count)))]
        }
        return String(repeating: " ", count: max(0, columns - shown.count)) + String(text)
    }
}
