import FoundationEssentials
import Yams

/// A JSON text (RFC 8259) as a tree of YAML, so that both are read by the same rules. Members that are null are left out.
enum JSONNode {
    /// Throws when it is no JSON text.
    static func read(_ text: String) throws -> Node {
        try JSONDecoder().decode(Value.self, from: Data(text.utf8)).node
    }

    /// A JSON string.
    static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": quoted += "\\\(scalar)"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                let hex = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }

    private enum Value: Decodable {
        case null
        /// As it is written.
        case plain(String)
        case text(String)
        case list([Value])
        case members([String: Value])

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if container.decodeNil() {
                self = .null
            } else if let value = try? container.decode(Bool.self) {
                self = .plain(value ? "true" : "false")
            } else if let value = try? container.decode(Int.self) {
                self = .plain(String(value))
            } else if let value = try? container.decode(Double.self) {
                self = .plain(String(value))
            } else if let value = try? container.decode(String.self) {
                self = .text(value)
            } else if let value = try? container.decode([Value].self) {
                self = .list(value)
            } else {
                self = .members(try container.decode([String: Value].self))
            }
        }

        var node: Node {
            switch self {
            case .null: Node("", Tag(.implicit), .plain)
            case .plain(let text): Node(text, Tag(.implicit), .plain)
            case .text(let text): Node(text, Tag(.str), .doubleQuoted)
            case .list(let values): Node(values.map(\.node), Tag(.seq), .flow)
            case .members(let members):
                Node(
                    members.sorted { $0.key < $1.key }.compactMap { name, value in
                        if case .null = value { return nil }
                        return (Node(name, Tag(.str), .doubleQuoted), value.node)
                    }, Tag(.map), .flow)
            }
        }
    }
}
