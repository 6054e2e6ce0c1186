import Yams

/// What the file says: its tree, matched with the schema.
struct FileLayer {
    private(set) var assignments: [Assignment] = []
    private(set) var problems: [ConfigurationProblem] = []

    private let source: SourceText
    private let schema: ConfigurationSchema
    private let context: ValueContext

    /// - Parameter folder: Where relative paths in the file start.
    init(_ source: SourceText, schema: ConfigurationSchema, folder: String) {
        self.source = source
        self.schema = schema
        context = ValueContext(folder: folder)
        let document = YamlDocument(source)
        problems = document.problems
        guard let root = document.root else { return }
        switch root {
        case .mapping(let mapping): walk(mapping, section: "")
        case .scalar(let scalar) where isEmpty(scalar): break
        default: refuse("the file must consist of keys and values, such as `mode: prod`", at: root)
        }
    }

    private mutating func walk(_ mapping: Node.Mapping, section: String) {
        for (node, value) in mapping {
            guard case .scalar(let word) = node else {
                refuse("a key must be a word", at: node)
                continue
            }
            if YamlDocument.isReportedDuplicate(word.string) { continue }
            let name = section.isEmpty ? word.string : "\(section).\(word.string)"
            if let key = schema.keys(in: section).first(where: { $0.leaf == word.string }) {
                read(value, key)
            } else if section.isEmpty, schema.isSection(word.string) {
                readSection(value, word.string)
            } else {
                refuseUnknown(name, section: section, at: node)
            }
        }
    }

    private mutating func readSection(_ node: Node, _ name: String) {
        switch node {
        case .mapping(let mapping): walk(mapping, section: name)
        // All keys of the section are commented out.
        case .scalar(let scalar) where isEmpty(scalar): break
        default: refuse("\(name) is a section: its keys (\(leaves(name))) stand below it, indented", at: node)
        }
    }

    private mutating func read(_ node: Node, _ key: SchemaKey) {
        switch node {
        case .scalar(let scalar):
            if isEmpty(scalar) {
                refuse("\(key.name) has no value; it must be \(key.allowed), or leave the line out", at: node, key)
                return
            }
            assign(key, [scalar], at: node)
        case .sequence(let sequence) where key.isList:
            var texts: [Node.Scalar] = []
            for item in sequence {
                guard case .scalar(let scalar) = item, !isEmpty(scalar) else {
                    refuse(
                        "an entry of \(key.name) must be text; put text with a colon or brackets in quotes", at: item,
                        key)
                    return
                }
                texts.append(scalar)
            }
            assign(key, texts, at: node)
        case .sequence:
            refuse("\(key.name) takes one value, not a list; it must be \(key.allowed)", at: node, key)
        case .mapping, .alias:
            refuse("\(key.name) is not a section; it must be \(key.allowed)", at: node, key)
        }
    }

    private mutating func assign(_ key: SchemaKey, _ scalars: [Node.Scalar], at node: Node) {
        let texts = scalars.map { Assignment.Text(text: $0.string, origin: origin($0.mark, key)) }
        assignments.append(Assignment(key: key, texts: texts, origin: origin(node.mark, key), context: context))
    }

    private mutating func refuseUnknown(_ name: String, section: String, at node: Node) {
        // The search is quadratic in the name's length; what is not shown needs none.
        guard problems.count < ConfigurationErrors.shownMax else {
            refuse("unknown key", at: node)
            return
        }
        let head = "\(ShownText.plain(name)) is not a key of wsd.yaml"
        if section.isEmpty, let key = schema.key(name) {
            refuse("\(head) as it stands; write `\(key.section):` and below it, indented, `\(key.leaf): …`", at: node)
        } else if let near = schema.nearestKey(to: name) {
            refuse("\(head); did you mean \(near)?", at: node)
        } else {
            let owner = section.isEmpty ? "the file" : section
            refuse("\(head); the keys of \(owner) are \(leaves(section))", at: node)
        }
    }

    private func leaves(_ section: String) -> String {
        let sections = section.isEmpty ? schema.sections.map(\.name) : []
        return (schema.keys(in: section).map(\.leaf) + sections).joined(separator: ", ")
    }

    /// Nothing, `~` or `null`, outside quotes.
    private func isEmpty(_ scalar: Node.Scalar) -> Bool {
        scalar.style == .plain && ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    }

    private func origin(_ mark: Mark?, _ key: SchemaKey) -> Origin {
        Origin(line: mark?.line ?? 1, column: mark?.column ?? 1, of: source, secret: key.secret)
    }

    private mutating func refuse(_ message: String, at node: Node, _ key: SchemaKey? = nil) {
        let shown = key?.secret != true && problems.count < ConfigurationErrors.shownMax
        problems.append(
            source.problem(message, line: node.mark?.line ?? 1, column: node.mark?.column ?? 1, showLine: shown))
    }
}
