import Yams

/// Reads YAML as PM2 takes it (js-yaml): anchors, aliases and `<<` included.
struct EcosystemYaml {
    private var values = 0

    static func parse(_ text: String) throws(EcosystemError) -> EcosystemValue {
        try refuseManyAliases(text)
        do {
            // An explicit encoding: the default one depends on an environment variable.
            let parser = try Parser(yaml: text, resolver: .basic, encoding: .utf8)
            guard let root = try parser.singleRoot() else { return .null }
            var reader = EcosystemYaml()
            // Nodes refer to their anchors weakly; the parser owns them.
            return try withExtendedLifetime(parser) { try reader.value(root, depth: 0) }
        } catch let error as EcosystemError {
            throw error
        } catch let error as YamlError {
            throw Self.fault(error)
        } catch {
            throw .unusable("The file is not valid YAML: \(error).")
        }
    }

    private static func fault(_ error: YamlError) -> EcosystemError {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            .syntax(line: mark.line, column: mark.column, "not valid YAML (\(problem))")
        case .duplicatedKeysInMapping(let names, let context):
            .syntax(
                line: context.mark.line, column: context.mark.column,
                "\(names.sorted().joined(separator: ", ")) stands here twice")
        case .reader, .no, .memory, .writer, .emitter, .representer, .dataCouldNotBeDecoded:
            .unusable("The file is not valid YAML: \(error).")
        }
    }

    private static func refuseManyAliases(_ text: String) throws(EcosystemError) {
        var count = 0
        var previous: Unicode.Scalar = " "
        for scalar in text.unicodeScalars {
            // What libyaml takes for a name's letters, and no other character, makes `*` an alias.
            if previous == "*", scalar.isASCII, scalar.properties.isAlphabetic || ("0"..."9").contains(scalar) {
                count += 1
            }
            previous = scalar
        }
        guard count <= EcosystemLimits.aliases else {
            throw .unusable("The file has more than \(EcosystemLimits.aliases) aliases (*name). Write them out.")
        }
    }

    private mutating func value(_ node: Node, depth: Int) throws(EcosystemError) -> EcosystemValue {
        values += 1
        guard depth <= EcosystemLimits.depth, values <= EcosystemLimits.values else {
            throw .unusable("The file has more values, or deeper lists, than a file of programs can have.")
        }
        switch node {
        case .scalar(let scalar): return Self.value(scalar)
        case .sequence(let sequence):
            var items: [EcosystemValue] = []
            for item in sequence { items.append(try value(item, depth: depth + 1)) }
            return .list(items)
        case .mapping(let mapping): return .object(try members(mapping, depth: depth))
        case .alias: throw .unusable("The file has an alias (*name) without its anchor (&name).")
        }
    }

    private mutating func members(_ mapping: Node.Mapping, depth: Int) throws(EcosystemError) -> [EcosystemMember] {
        var own: [EcosystemMember] = []
        var merged: [EcosystemMember] = []
        for (key, node) in mapping {
            guard case .scalar(let name) = key else { throw .unusable("The file has a key that is no text.") }
            let value = try value(node, depth: depth + 1)
            if name.string == "<<", name.style == .plain {
                let sources: [EcosystemValue] = if case .list(let items) = value { items } else { [value] }
                for member in sources.compactMap(\.members).joined()
                where !merged.contains(where: { $0.key == member.key }) {
                    merged.append(member)
                }
            } else {
                own.append(EcosystemMember(name.string, value))
            }
        }
        return merged.filter { member in !own.contains { $0.key == member.key } } + own
    }

    /// What a plain scalar stands for (YAML 1.2 section 10.3.2).
    private static func value(_ scalar: Node.Scalar) -> EcosystemValue {
        guard scalar.style == .plain else { return .text(scalar.string) }
        switch scalar.string {
        case "", "~", "null", "Null", "NULL": return .null
        case "true", "True", "TRUE": return .boolean(true)
        case "false", "False", "FALSE": return .boolean(false)
        default:
            let isNumber =
                scalar.string.utf8.allSatisfy { "0123456789+-.eE".utf8.contains($0) }
                && Double(scalar.string)?.isFinite == true
            return isNumber ? .number(scalar.string) : .text(scalar.string)
        }
    }
}
