/// The text of a configuration file, by lines, for messages.
struct SourceText: Sendable {
    /// As shown in messages: `wsd.yaml`.
    var name: String
    /// Split at the line breaks of YAML 1.1 section 4.2: LF, CR, CRLF, NEL, LS, PS.
    private(set) var lines: [[Unicode.Scalar]]

    init(name: String, text: String) {
        self.name = name
        lines = [[]]
        var previous: Unicode.Scalar = " "
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n" where previous == "\r": break
            case "\n", "\r", "\u{85}", "\u{2028}", "\u{2029}": lines.append([])
            default: lines[lines.count - 1].append(scalar)
            }
            previous = scalar
        }
    }

    /// Decodes a file. Throws the problem when it is not UTF-8 text.
    init(name: String, bytes: [UInt8]) throws(ConfigurationProblem) {
        if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF]) || bytes.prefix(4).contains(0) {
            throw ConfigurationProblem(place: name, message: "the file is UTF-16, UTF-32 or binary; save it as UTF-8")
        }
        let content = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes[3...] : bytes[...]
        guard let text = String(validating: content, as: UTF8.self) else {
            let (line, column) = Self.firstInvalid(content)
            throw ConfigurationProblem(
                place: "\(name):\(line):\(column)", message: "a byte that is not UTF-8; save the file as UTF-8",
                line: line)
        }
        self.init(name: name, text: text)
    }

    /// All of it, with LF between the lines and without a byte order mark.
    var text: String {
        String(String.UnicodeScalarView(lines.joined(separator: ["\n"])))
    }

    /// Nothing but spaces and line breaks.
    var isBlank: Bool {
        lines.allSatisfy { $0.allSatisfy(\.properties.isWhitespace) }
    }

    /// Overwrites the first `key:` (or `"key":`) that begins at `column` below `afterLine`, by as many `placeholder`s.
    ///
    /// - Returns: Its line, counted from 1; `nil` when there is none.
    mutating func replaceKey(_ key: String, column: Int, afterLine: Int, with placeholder: Unicode.Scalar) -> Int? {
        let wanted = Array(key.unicodeScalars)
        guard !wanted.isEmpty, column > 0, afterLine > 0 else { return nil }
        for index in lines.indices.dropFirst(afterLine) {
            let rest = lines[index].dropFirst(column - 1)
            let quoted = rest.first == "\"" || rest.first == "'"
            let start = rest.startIndex + (quoted ? 1 : 0)
            guard rest.dropFirst(quoted ? 1 : 0).starts(with: wanted) else { continue }
            let after = lines[index].dropFirst(start + wanted.count).drop { $0 == " " || $0 == "\"" || $0 == "'" }
            guard after.first == ":" else { continue }
            for position in start..<(start + wanted.count) { lines[index][position] = placeholder }
            return index + 1
        }
        return nil
    }

    /// A problem at a line and column, both counted from 1.
    ///
    /// - Parameter showLine: `false` keeps the line out of the message.
    func problem(_ message: String, line: Int, column: Int, showLine: Bool = true) -> ConfigurationProblem {
        ConfigurationProblem(
            place: "\(name):\(line):\(column)", message: message, line: line,
            excerpt: showLine ? excerpt(line: line, column: column) : nil)
    }

    func scalar(line: Int, column: Int) -> Unicode.Scalar? {
        guard lines.indices.contains(line - 1), lines[line - 1].indices.contains(column - 1) else { return nil }
        return lines[line - 1][column - 1]
    }

    /// Columns of a long line that are shown around the fault.
    private static let shownColumns = 100

    /// The line with a caret under the column; `nil` when there is no such line.
    private func excerpt(line: Int, column: Int) -> String? {
        guard lines.indices.contains(line - 1) else { return nil }
        let scalars = lines[line - 1]
        let caret = min(max(column - 1, 0), scalars.count)
        let start = max(0, min(caret - Self.shownColumns / 2, scalars.count - Self.shownColumns))
        let end = min(scalars.count, start + Self.shownColumns)
        let number = String(line)
        let gutter = String(repeating: " ", count: max(0, 5 - number.count)) + number + " | "
        let shown = scalars[start..<end].map { String(ShownText.harmless($0)) }.joined()
        let before = String(repeating: " ", count: caret - start + (start > 0 ? 1 : 0))
        return gutter + (start > 0 ? "…" : "") + shown + (end < scalars.count ? "…" : "") + "\n      | " + before + "^"
    }

    /// Line and column of the first byte at which the decoder gives up.
    private static func firstInvalid(_ bytes: ArraySlice<UInt8>) -> (line: Int, column: Int) {
        var decoder = UTF8()
        var iterator = bytes.makeIterator()
        var line = 1
        var column = 1
        while true {
            switch decoder.decode(&iterator) {
            case .scalarValue("\n"):
                line += 1
                column = 1
            case .scalarValue: column += 1
            case .emptyInput, .error: return (line, column)
            }
        }
    }
}

/// Text from a file or a variable, made fit for a terminal.
enum ShownText {
    private static let lengthMax = 60

    /// Neither controls nor invisible direction changes reach the terminal.
    static func harmless(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
        switch scalar.properties.generalCategory {
        case .control where scalar == "\t": " "
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: "\u{FFFD}"
        default: scalar
        }
    }

    /// Shortened.
    static func plain(_ text: String) -> String {
        let scalars = text.unicodeScalars.prefix(lengthMax + 1)
        let shown = scalars.prefix(lengthMax).map { String(harmless($0)) }.joined()
        return shown + (scalars.count > lengthMax ? "…" : "")
    }

    /// Shortened, between backticks.
    static func quoted(_ text: String) -> String { "`\(plain(text))`" }
}
