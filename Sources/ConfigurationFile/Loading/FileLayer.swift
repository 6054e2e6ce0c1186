import Yams

/// What the file says: its tree, matched with the schema.
struct FileLayer {
    private(set) var assignments: [Assignment] = []
    var problems: [ConfigurationProblem] { faults + reader.problems }

    private let faults: [ConfigurationProblem]
    private let schema: ConfigurationSchema
    private var reader: NodeReader

    /// - Parameter context: where relative paths in the file start, and where credentials are.
    init(_ source: SourceText, schema: ConfigurationSchema, context: ValueContext) {
        self.schema = schema
        reader = NodeReader(source, context: context)
        let document = YamlDocument(source)
        faults = document.problems
        guard let root = document.root else { return }
        switch root {
        case .mapping(let mapping): walk(mapping, section: "")
        case .scalar(let scalar) where NodeReader.isEmpty(scalar): break
        default: reader.refuse("the file must consist of keys and values, such as `mode: prod`", at: root)
        }
    }

    private mutating func walk(_ mapping: Node.Mapping, section: String) {
        for (node, value) in mapping {
            guard case .scalar(let word) = node else {
                reader.refuse("a key must be a word", at: node)
                continue
            }
            if YamlDocument.isReportedDuplicate(word.string) { continue }
            let name = section.isEmpty ? word.string : "\(section).\(word.string)"
            if let key = schema.keys(in: section).first(where: { $0.leaf == word.string }) {
                if let assignment = reader.assignment(value, key) { assignments.append(assignment) }
            } else if !word.string.contains("."), schema.isSection(name) {
                readSection(value, name)
            } else {
                refuseUnknown(name, section: section, at: node)
            }
        }
    }

    private mutating func readSection(_ node: Node, _ name: String) {
        switch node {
        case .mapping(let mapping): walk(mapping, section: name)
        // All keys of the section are commented out.
        case .scalar(let scalar) where NodeReader.isEmpty(scalar): break
        default: reader.refuse("\(name) is a section: its keys (\(leaves(name))) stand below it, indented", at: node)
        }
    }

    private mutating func refuseUnknown(_ name: String, section: String, at node: Node) {
        // The search is quadratic in the name's length; what is not shown needs none.
        guard !reader.isFull else {
            reader.refuse("unknown key", at: node)
            return
        }
        let head = "\(ShownText.plain(name)) is not a key of wsd.yaml"
        if section.isEmpty, let key = schema.key(name) {
            let below = key.section.split(separator: ".").joined(separator: ": ")
            reader.refuse(
                "\(head) as it stands; write `\(below):` and below it, indented, `\(key.leaf): …`", at: node)
        } else if let near = schema.nearestKey(to: name) {
            reader.refuse("\(head); did you mean \(near)?", at: node)
        } else {
            let owner = section.isEmpty ? "the file" : section
            reader.refuse("\(head); the keys of \(owner) are \(leaves(section))", at: node)
        }
    }

    private func leaves(_ section: String) -> String {
        (schema.keys(in: section).map(\.leaf) + schema.sections(in: section).map(\.leaf)).joined(separator: ", ")
    }
}
