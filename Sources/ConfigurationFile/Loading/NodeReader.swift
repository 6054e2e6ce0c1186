import Yams

/// Makes assignments of YAML nodes, and says what they should have been.
struct NodeReader {
    private(set) var problems: [ConfigurationProblem] = []

    private let source: SourceText
    private let context: ValueContext
    /// Where the text came from if it is no file.
    private let place: Origin?

    init(_ source: SourceText, context: ValueContext, place: Origin? = nil) {
        self.source = source
        self.context = context
        self.place = place
    }

    /// The value of a key; `nil` where it is none, and that is then among the problems.
    mutating func assignment(_ node: Node, _ key: SchemaKey) -> Assignment? {
        if key.entries != nil { return entries(node, key) }
        let value = Wanted(name: key.name, allowed: key.allowed, isList: key.isList, hidden: key.secret)
        guard let texts = texts(node, value) else { return nil }
        return Assignment(key: key, texts: texts, origin: origin(node, hidden: key.secret), context: context)
    }

    mutating func refuse(_ message: String, at node: Node, hidden: Bool = false) {
        let shown = !hidden && problems.count < ConfigurationErrors.shownMax
        var problem = source.problem(
            message, line: node.mark?.line ?? 1, column: node.mark?.column ?? 1, showLine: shown)
        // Lines of a variable are not those of the file that problems are sorted by.
        if place != nil { problem.line = nil }
        problems.append(problem)
    }

    /// Whether so much is wrong already that more would not be shown.
    var isFull: Bool { problems.count >= ConfigurationErrors.shownMax }

    /// Nothing, `~` or `null`, outside quotes.
    static func isEmpty(_ scalar: Node.Scalar) -> Bool {
        scalar.style == .plain && ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    }

    /// What should stand somewhere.
    private struct Wanted {
        var name: String
        var allowed: String
        var isList: Bool
        var hidden: Bool
    }

    private mutating func texts(_ node: Node, _ wanted: Wanted) -> [Assignment.Text]? {
        let name = wanted.name
        switch node {
        case .scalar(let scalar) where Self.isEmpty(scalar):
            refuse(
                "\(name) has no value; it must be \(wanted.allowed), or leave the line out", at: node,
                hidden: wanted.hidden)
        case .scalar(let scalar):
            return [Assignment.Text(text: scalar.string, origin: origin(node, hidden: wanted.hidden))]
        case .sequence(let sequence) where wanted.isList:
            var texts: [Assignment.Text] = []
            for item in sequence {
                guard case .scalar(let scalar) = item, !Self.isEmpty(scalar) else {
                    refuse(
                        "an entry of \(name) must be text; put text with a colon or brackets in quotes", at: item,
                        hidden: wanted.hidden)
                    return nil
                }
                texts.append(Assignment.Text(text: scalar.string, origin: origin(item, hidden: wanted.hidden)))
            }
            return texts
        case .sequence:
            refuse("\(name) takes one value, not a list; it must be \(wanted.allowed)", at: node, hidden: wanted.hidden)
        case .mapping, .alias:
            refuse("\(name) is not a section; it must be \(wanted.allowed)", at: node, hidden: wanted.hidden)
        }
        return nil
    }

    /// A list of mappings; one mapping stands for a list of one.
    private mutating func entries(_ node: Node, _ key: SchemaKey) -> Assignment? {
        let before = problems.count
        var entries: [Assignment.Entry] = []
        switch node {
        case .sequence(let sequence):
            guard sequence.count <= EntrySchema.max else {
                refuse("\(key.name) holds more than \(EntrySchema.max) entries", at: node, hidden: key.hidesLines)
                return nil
            }
            entries = sequence.enumerated().map { entry($1, number: $0, key) }
        case .mapping:
            entries = [entry(node, number: 0, key)]
        case .scalar(let scalar) where Self.isEmpty(scalar):
            refuse(
                "\(key.name) has no value; it must be \(key.allowed), or leave the line out", at: node,
                hidden: key.hidesLines)
        case .scalar(let scalar) where key.takesCredential && Credential.isNamed(by: scalar.string):
            return credential(scalar.string, node, key)
        case .scalar, .alias:
            refuse("\(key.name) must be \(key.allowed)", at: node, hidden: key.hidesLines)
        }
        var assignment = Assignment(
            key: key, entries: entries, origin: origin(node, hidden: key.hidesLines), context: context)
        assignment.isDamaged = problems.count > before
        return assignment
    }

    /// The list that a credential holds.
    private mutating func credential(_ text: String, _ node: Node, _ key: SchemaKey) -> Assignment? {
        let path: String
        let found: FileReader.Found?
        do throws(InvalidValue) {
            path = try Credential.path(text, in: context.credentials)
        } catch {
            refuse("\(key.name) is \(ShownText.quoted(text)); \(error.hint ?? "")", at: node, hidden: key.hidesLines)
            return nil
        }
        do throws(ConfigurationProblem) {
            found = try FileReader.read(explicit: path, candidates: [], folder: "")
        } catch {
            refuse("\(key.name) is \(ShownText.quoted(text)), which \(error.message)", at: node, hidden: key.hidesLines)
            return nil
        }
        let source = SourceText(name: text, text: found?.source.text ?? "")
        let document = YamlDocument(source)
        // No credential within a credential.
        let inner = ValueContext(folder: context.folder)
        var reader = NodeReader(source, context: inner, place: origin(node, hidden: key.hidesLines))
        let read = document.root.flatMap { reader.assignment($0, key) }
        problems += (document.problems + reader.problems).map { problem in
            var problem = problem
            problem.line = nil
            if key.hidesLines { problem.excerpt = nil }
            return problem
        }
        if document.root == nil, document.problems.isEmpty {
            refuse("\(key.name) is \(ShownText.quoted(text)), which is empty", at: node, hidden: key.hidesLines)
        }
        return read
    }

    private mutating func entry(_ node: Node, number: Int, _ key: SchemaKey) -> Assignment.Entry {
        let schema = key.entries
        let name = "\(key.name)[\(number)]"
        var entry = Assignment.Entry(fields: [], origin: origin(node, hidden: key.hidesLines))
        guard case .mapping(let mapping) = node else {
            let leaf = schema?.fields.first?.leaf ?? ""
            refuse("\(name) must consist of keys and values, such as `\(leaf): …`", at: node, hidden: key.hidesLines)
            return entry
        }
        for (keyNode, value) in mapping {
            guard case .scalar(let word) = keyNode else {
                refuse("a key must be a word", at: keyNode, hidden: key.hidesLines)
                continue
            }
            if YamlDocument.isReportedDuplicate(word.string) { continue }
            guard let field = schema?.field(word.string) else {
                refuseUnknown(word.string, in: name, key, at: keyNode)
                continue
            }
            let wanted = Wanted(
                name: "\(name).\(field.leaf)", allowed: field.allowed, isList: field.isList, hidden: key.hidesLines)
            if let texts = texts(value, wanted) {
                let place = origin(value, hidden: key.hidesLines)
                entry.fields.append(Assignment.Entry.Field(leaf: field.leaf, texts: texts, origin: place))
            }
        }
        for field in schema?.fields ?? [] where field.isRequired {
            guard !mapping.contains(where: { $0.key.scalar?.string == field.leaf }) else { continue }
            refuse("\(name) lacks \(field.leaf): \(field.allowed)", at: node, hidden: key.hidesLines)
        }
        return entry
    }

    private mutating func refuseUnknown(_ word: String, in entry: String, _ key: SchemaKey, at node: Node) {
        guard !isFull else {
            refuse("unknown key", at: node, hidden: key.hidesLines)
            return
        }
        let leaves = key.entries?.fields.map(\.leaf) ?? []
        let advice =
            Suggestion.nearest(to: word, among: leaves).map { "did you mean \($0)?" }
            ?? "its keys are \(leaves.joined(separator: ", "))"
        refuse("\(entry) has no key \(ShownText.quoted(word)); \(advice)", at: node, hidden: key.hidesLines)
    }

    private func origin(_ node: Node, hidden: Bool) -> Origin {
        let line = node.mark?.line ?? 1
        let column = node.mark?.column ?? 1
        guard var origin = place else { return Origin(line: line, column: column, of: source, secret: hidden) }
        origin.problem = { [source] message in
            var problem = source.problem(message, line: line, column: column, showLine: !hidden)
            problem.line = nil
            return problem
        }
        return origin
    }
}
