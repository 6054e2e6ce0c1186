/// A value of an ecosystem file.
package indirect enum EcosystemValue: Equatable, Sendable {
    case null
    case boolean(Bool)
    /// As it was written.
    case number(String)
    case text(String)
    case list([EcosystemValue])
    /// In the order of the file; a key that stands twice has its last value.
    case object([EcosystemMember])
}

package struct EcosystemMember: Equatable, Sendable {
    package var key: String
    package var value: EcosystemValue

    package init(_ key: String, _ value: EcosystemValue) {
        self.key = key
        self.value = value
    }
}

extension EcosystemValue {
    /// Text, number or boolean as text; `nil` for anything else.
    var scalar: String? {
        switch self {
        case .text(let text), .number(let text): text
        case .boolean(let value): value ? "true" : "false"
        case .null, .list, .object: nil
        }
    }

    /// A number, or text that is one; finite.
    var number: Double? {
        switch self {
        case .number(let text), .text(let text): Double(text).flatMap { $0.isFinite ? $0 : nil }
        case .null, .boolean, .list, .object: nil
        }
    }

    /// A whole number below 10^15.
    var integer: Int? {
        guard let number, number.magnitude < 1e15, number == number.rounded() else { return nil }
        return Int(number)
    }

    /// A boolean, or text that says one.
    var flag: Bool? {
        switch self {
        case .boolean(let value): value
        case .text("true"), .number("1"): true
        case .text("false"), .number("0"): false
        case .null, .number, .text, .list, .object: nil
        }
    }

    /// The scalars of a list; one scalar is a list of one.
    var scalars: [String]? {
        guard case .list(let values) = self else { return scalar.map { [$0] } }
        let texts = values.compactMap(\.scalar)
        return texts.count == values.count ? texts : nil
    }

    var members: [EcosystemMember]? {
        guard case .object(let members) = self else { return nil }
        return members
    }

    func member(_ key: String) -> EcosystemValue? { members?.last { $0.key == key }?.value }

    /// JSON in one line.
    var json: String {
        switch self {
        case .null: "null"
        case .boolean(let value): value ? "true" : "false"
        case .number(let text): text
        case .text(let text): EntryText.quoted(text)
        case .list(let values): "[\(values.map(\.json).joined(separator: ","))]"
        case .object(let members):
            "{\(members.map { "\(EntryText.quoted($0.key)):\($0.value.json)" }.joined(separator: ","))}"
        }
    }

    /// For a person; cut to 60 characters.
    var shown: String {
        let text = scalar ?? json
        return text.count > 60 ? text.prefix(59) + "…" : text
    }
}
