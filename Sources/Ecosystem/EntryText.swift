/// One key of an entry of `programs:`.
package struct EntryField: Equatable, Sendable {
    package var key: String
    package var value: Value

    package enum Value: Equatable, Sendable {
        case text(String)
        /// A number, a boolean, a time: never in quotes.
        case bare(String)
        case list([String])
        case numbers([Int])
        case mapping([EntryVariable])
    }
}

package struct EntryVariable: Equatable, Sendable {
    package var name: String
    package var value: String
}

/// Entries as text.
enum EntryText {
    /// JSON text (RFC 8259 section 7), which YAML reads the same in double quotes.
    static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": result += "\\\(scalar)"
            case _
            where scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value)
                || [0x2028, 0x2029, 0xFEFF].contains(scalar.value):
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }

    /// Words for a person: those with a space stand in quotes.
    static func line(_ words: [String]) -> String {
        words.map { $0.contains(" ") || $0.isEmpty ? "'\($0)'" : $0 }.joined(separator: " ")
    }

    /// A comment that ends with its line, whatever it holds.
    static func comment(_ text: String) -> String {
        let scalars = text.unicodeScalars.map { scalar in
            scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value) || [0x2028, 0x2029].contains(scalar.value)
                ? " " : Character(scalar)
        }
        return "# " + String(scalars)
    }

    /// Plain where no reader of YAML takes it for anything but this text.
    static func plain(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: "./_-".utf8.contains(byte)
            }
        }
        let words = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"]
        guard isPlain, !words.contains(text.lowercased()), Double(text) == nil, let first = text.utf8.first,
            first != UInt8(ascii: "-"), !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first),
            first != UInt8(ascii: ".") || text.hasPrefix("./") || text.hasPrefix("../")
        else { return quoted(text) }
        return text
    }

    static func json(_ entry: [EntryField]) -> String {
        let pairs = entry.map { field in
            let value =
                switch field.value {
                case .text(let text): quoted(text)
                case .bare(let text): text.utf8.allSatisfy(isNumeric) || isBoolean(text) ? text : quoted(text)
                case .list(let texts): "[\(texts.map(quoted).joined(separator: ","))]"
                case .numbers(let numbers): "[\(numbers.map(String.init).joined(separator: ","))]"
                case .mapping(let variables):
                    "{\(variables.map { "\(quoted($0.name)):\(quoted($0.value))" }.joined(separator: ","))}"
                }
            return "\(quoted(field.key)):\(value)"
        }
        return "{\(pairs.joined(separator: ","))}"
    }

    /// One entry of the list under `programs:`.
    static func yaml(_ entry: [EntryField]) -> [String] {
        var lines: [String] = []
        for field in entry {
            let lead = lines.isEmpty ? "  - " : "    "
            switch field.value {
            case .text(let text): lines.append("\(lead)\(field.key): \(plain(text))")
            case .bare(let text): lines.append("\(lead)\(field.key): \(text)")
            case .list(let texts):
                lines.append("\(lead)\(field.key): [\(texts.map(plain).joined(separator: ", "))]")
            case .numbers(let numbers):
                lines.append("\(lead)\(field.key): [\(numbers.map(String.init).joined(separator: ", "))]")
            case .mapping(let variables):
                lines.append("\(lead)\(field.key):")
                lines += variables.map { "      \(plain($0.name)): \(quoted($0.value))" }
            }
        }
        return lines
    }

    private static func isNumeric(_ byte: UInt8) -> Bool { "0123456789.".utf8.contains(byte) }

    private static func isBoolean(_ text: String) -> Bool { text == "true" || text == "false" }
}
