/// A command in one text, taken apart as a POSIX shell does it, without what takes a shell to do.
enum CommandWords {
    /// Words of `text`, which blanks separate; quotes and backslashes keep what they enclose as it is.
    static func split(_ text: String) throws(InvalidValue) -> [String] {
        var words: [String] = []
        var word: String?
        var quote: Unicode.Scalar?
        var scalars = text.unicodeScalars.makeIterator()
        while let scalar = scalars.next() {
            switch (quote, scalar) {
            case ("'"?, "'"), ("\""?, "\""): quote = nil
            case ("'"?, _): word?.unicodeScalars.append(scalar)
            case ("\""?, "\\"):
                guard let next = scalars.next() else { throw InvalidValue(hint: "a quote is not closed") }
                // POSIX.1-2024, Shell Command Language, 2.2.3.
                if !"$`\"\\\n".unicodeScalars.contains(next) { word?.append("\\") }
                if next != "\n" { word?.unicodeScalars.append(next) }
            case (_, "$"), (_, "`"): throw needsShell(text, scalar)
            case (_?, _): word?.unicodeScalars.append(scalar)
            case (nil, "'"), (nil, "\""):
                quote = scalar
                word = word ?? ""
            case (nil, "\\"):
                guard let next = scalars.next() else { throw InvalidValue(hint: "a backslash ends it") }
                if next != "\n" { append(next, to: &word) }
            case (nil, " "), (nil, "\t"), (nil, "\n"):
                if let ended = word { words.append(ended) }
                word = nil
            case (nil, "|"), (nil, "&"), (nil, ";"), (nil, "<"), (nil, ">"), (nil, "("), (nil, ")"), (nil, "*"):
                throw needsShell(text, scalar)
            case (nil, "~") where word == nil: throw needsShell(text, scalar)
            default: append(scalar, to: &word)
            }
        }
        guard quote == nil else { throw InvalidValue(hint: "a quote is not closed") }
        if let word { words.append(word) }
        guard let first = words.first else { throw InvalidValue(hint: "it is empty") }
        if let equals = first.firstIndex(of: "="), equals != first.startIndex,
            first[..<equals].utf8.allSatisfy({ $0.isLetterOrDigit || $0 == UInt8(ascii: "_") })
        {
            throw InvalidValue(hint: "\(ShownText.plain(String(first[..<equals]))) belongs to environment")
        }
        return words
    }

    /// In place: a word may be as long as the text.
    private static func append(_ scalar: Unicode.Scalar, to word: inout String?) {
        if word == nil { word = "" }
        word?.unicodeScalars.append(scalar)
    }

    private static func needsShell(_ text: String, _ sign: Unicode.Scalar) -> InvalidValue {
        let quoted = text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''")
        return InvalidValue(
            hint: "there is no shell, to which \(sign) means something: "
                + "put it in single quotes, or write sh -c '\(ShownText.plain(quoted))'")
    }
}
