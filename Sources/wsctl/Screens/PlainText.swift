/// Text from elsewhere, made fit for a terminal.
enum PlainText {
    /// Writes out everything a terminal might act upon: control characters (C0, C1, DEL), line and paragraph separators,
    /// and the marks that reorder text. The result is always one line.
    static func harmless(_ text: String) -> String {
        if text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7f }) { return text }
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x09: result += " "
            case 0x0a: result += "\\n"
            case 0x0d: result += "\\r"
            case 0..<0x20, 0x7f..<0xa0: result += "\\x" + hexadecimal(scalar.value, digits: 2)
            case 0x061c, 0x200e, 0x200f, 0x2028...0x202e, 0x2066...0x206f, 0xfeff:
                result += "\\u" + hexadecimal(scalar.value, digits: 4)
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// Columns that a terminal needs for text without control characters: two for the wide scripts and emoji, none for
    /// combining marks (the blocks of Unicode's EastAsianWidth.txt, coarsely).
    static func width(_ text: String) -> Int {
        var width = 0
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0..<0x300: width += 1
            case 0x300...0x36f, 0x200b...0x200d, 0x20d0...0x20ff, 0xfe00...0xfe0f: continue
            case 0x1100...0x115f, 0x2e80...0xa4cf, 0xac00...0xd7a3, 0xf900...0xfaff, 0xfe30...0xfe6f, 0xff00...0xff60,
                0x1f300...0x1f64f, 0x1f900...0x1f9ff, 0x20000...0x3fffd:
                width += 2
            default: width += 1
            }
        }
        return width
    }

    /// Cuts text to so many columns, the last of them `…` if something was cut.
    static func cut(_ text: String, to columns: Int) -> String {
        guard width(text) > columns else { return text }
        var result = ""
        var used = 0
        for character in text {
            let next = width(String(character))
            guard used + next <= columns - 1 else { break }
            result.append(character)
            used += next
        }
        return result + "…"
    }

    /// Breaks text between words into lines of at most so many columns; a longer word stays whole.
    static func wrapped(_ text: String, to columns: Int) -> [String] {
        var lines: [String] = []
        var line = ""
        for word in text.split(separator: " ") {
            if line.isEmpty {
                line = String(word)
            } else if width(line) + 1 + width(String(word)) <= columns {
                line += " " + word
            } else {
                lines.append(line)
                line = String(word)
            }
        }
        return line.isEmpty ? lines : lines + [line]
    }

    /// A sentence as a point of a list, broken to the width of the screen.
    static func bulleted(_ text: String, _ style: Style) -> [String] {
        wrapped(text, to: style.width - 4).enumerated().map { index, line in
            index == 0 ? "  \(style.paint("!", .boldRed)) \(line)" : "    \(line)"
        }
    }

    private static func hexadecimal(_ value: UInt32, digits: Int) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }
}
