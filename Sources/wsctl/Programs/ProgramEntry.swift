import ControlClient

/// A program as it would stand in `programs:` of wsd.yaml, for `POST /v1/programs`.
struct ProgramEntry: Encodable, Equatable {
    enum Value: Encodable, Equatable {
        case text(String)
        case list([String])
        case mapping([String: String])

        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            switch self {
            case .text(let text): try container.encode(text)
            case .list(let texts): try container.encode(texts)
            case .mapping(let pairs): try container.encode(pairs)
            }
        }
    }

    /// By the keys of `programs:`.
    var values: [String: Value] = [:]

    subscript(key: String) -> Value? {
        get { values[key] }
        set { values[key] = newValue }
    }

    var name: String? {
        if case .text(let name)? = values["name"] { name } else { nil }
    }

    /// Sets a text; nothing where there is none.
    mutating func set(_ key: String, _ text: String?) {
        if let text { values[key] = .text(text) }
    }

    /// Sets a list; nothing where it is empty.
    mutating func set(_ key: String, _ texts: [String]) {
        if !texts.isEmpty { values[key] = .list(texts) }
    }

    func encode(to encoder: any Encoder) throws { try values.encode(to: encoder) }

    var request: ControlRequest { ControlRequest(.post, "/v1/programs", body: ControlClient.encode(self)) }
}
