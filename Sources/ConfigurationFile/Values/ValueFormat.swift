/// How the values of one type are written in `wsd.yaml`, in a variable or in a flag, and which of them are allowed.
struct ValueFormat<Value: Equatable & Sendable>: Sendable {
    /// Completes `it must be …`: `a whole number from 0 to 1024`.
    var allowed: String
    /// Reads one text. Throws when it is not allowed.
    var parse: @Sendable (String, ValueContext) throws(InvalidValue) -> Value
    /// The canonical text, which `parse` reads back to an equal value.
    var text: @Sendable (Value) -> String
}

/// What the meaning of a text may depend on besides the text.
struct ValueContext: Sendable {
    /// Absolute path of the folder that relative paths start from: that of the file, or the working one.
    var folder: String
    /// Absolute path of the folder of credentials (`$CREDENTIALS_DIRECTORY`); `nil`: the service manager gave none.
    var credentials: String?
}

/// A text that is not a value of its key.
struct InvalidValue: Error, Equatable {
    /// A sentence's end after a semicolon (`did you mean 64KiB?`); `nil` when there is nothing to add to what is allowed.
    var hint: String?
}

extension ValueFormat {
    /// A format that also takes `word`, which stands for `nil`.
    func orWord(_ word: String, meaning: String? = nil) -> ValueFormat<Value?> {
        let wrapped = self
        return ValueFormat<Value?>(
            allowed: "\(allowed), or \(word)\(meaning.map { " (\($0))" } ?? "")",
            parse: { (text, context) throws(InvalidValue) in
                text == word ? nil : try wrapped.parse(text, context)
            },
            text: { $0.map(wrapped.text) ?? word }
        )
    }
}

extension ValueFormat<Bool> {
    static let boolean = ValueFormat(
        allowed: "true or false",
        parse: { (text, _) throws(InvalidValue) in
            switch text.lowercased() {
            case "true", "yes", "on", "1": return true
            case "false", "no", "off", "0": return false
            default: throw InvalidValue()
            }
        },
        text: { $0 ? "true" : "false" }
    )
}

extension ValueFormat where Value: RawRepresentable<String> & CaseIterable {
    /// One of the type's words.
    static var choice: Self {
        let words = Value.allCases.map(\.rawValue)
        return ValueFormat(
            allowed: words.dropLast().joined(separator: ", ") + " or " + (words.last ?? ""),
            parse: { (text, _) throws(InvalidValue) in
                if let value = Value(rawValue: text) { return value }
                throw InvalidValue(hint: Suggestion.nearest(to: text, among: words).map { "did you mean \($0)?" })
            },
            text: \.rawValue
        )
    }
}

extension ValueFormat<Int> {
    static func integer(_ range: ClosedRange<Int>) -> Self {
        ValueFormat(
            allowed: "a whole number from \(grouped(range.lowerBound)) to \(grouped(range.upperBound))",
            parse: { (text, _) throws(InvalidValue) in
                guard text.isDecimal, let value = Int(text), range.contains(value) else { throw InvalidValue() }
                return value
            },
            text: { String($0) }
        )
    }

    private static func grouped(_ value: Int) -> String {
        let digits = Array(String(value))
        return digits.indices.reduce(into: "") { text, index in
            if index > 0, (digits.count - index) % 3 == 0 { text.append(",") }
            text.append(digits[index])
        }
    }
}

extension ValueFormat<Double> {
    static func number(_ range: ClosedRange<Double>) -> Self {
        let format = ValueFormat(
            allowed: "",
            parse: { (text, _) throws(InvalidValue) in
                let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
                guard parts.allSatisfy(\.isDecimal), let value = Double(text), range.contains(value) else {
                    throw InvalidValue()
                }
                return value
            },
            text: { value in
                let text = String(value)
                return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
            }
        )
        var named = format
        named.allowed = "a number from \(format.text(range.lowerBound)) to \(format.text(range.upperBound))"
        return named
    }
}

extension StringProtocol {
    /// Nothing but ASCII digits, at least one.
    var isDecimal: Bool {
        !isEmpty && utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }
}
