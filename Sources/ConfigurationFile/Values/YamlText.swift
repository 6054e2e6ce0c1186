/// Values as YAML text.
enum YamlText {
    /// Plain where no YAML reader could take it for anything but this text, double-quoted otherwise.
    static func scalar(_ text: String) -> String {
        let plain = text.utf8.allSatisfy { $0.isLetterOrDigit || "./_- ".utf8.contains($0) }
        if plain, !text.hasSuffix(" "), text.lowercased() != "null", let first = text.utf8.first,
            first.isLetterOrDigit || first == UInt8(ascii: "/")
        {
            return text
        }
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": quoted += "\\\(scalar)"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                let hex = String(scalar.value, radix: 16, uppercase: true)
                quoted += "\\x" + (hex.count == 1 ? "0" : "") + hex
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
