import Yams

/// Makes assignments of YAML nodes, and says what they should have been.
struct NodeReader {
    private(set) var problems: [ConfigurationProblem] = []

    private let source: SourceText
    private let context: ValueContext
    /// Where the text came from if it is no file.
    private let place: Origin?
    /// There is one entry and no list, and messages do not number it.
    private let standsAlone: Bool

    init(_ source: SourceText, context: ValueContext, place: Origin? = nil, standsAlone: Bool = false) {
        self.source = source
        self.context = context
        self.place = place
        self.standsAlone = standsAlone
    }

    /// The value of a key; `nil` where it is none, and that is then among the problems.
    mutating func assignment(_ node: Node, _ key: SchemaKey) -> Assignment? {
        if key.entries != nil { return entries(node, key) }
        let value = Wanted(
            name: key.name, allowed: key.allowed, list: key.isList ? .texts : nil, hidden: key.secret)
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
        var list: ListForm?
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
            let place = origin(node, hidden: wanted.hidden)
            guard wanted.list == .words else { return [Assignment.Text(text: scalar.string, origin: place)] }
            do throws(InvalidValue) {
                return try CommandWords.split(scalar.string).map { Assignment.Text(text: $0, origin: place) }
            } catch {
                let hint = error.hint.map { "; \($0)" } ?? ""
                refuse(
                    "\(name) is \(ShownText.quoted(scalar.string)); it must be \(wanted.allowed)\(hint)", at: node,
                    hidden: wanted.hidden)
            }
        case .mapping(let mapping) where wanted.list == .pairs:
            return pairs(mapping, wanted)
        case .sequence(let sequence) where wanted.list != nil:
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

    /// `name=value` for each entry of a mapping.
    private mutating func pairs(_ mapping: Node.Mapping, _ wanted: Wanted) -> [Assignment.Text]? {
        var texts: [Assignment.Text] = []
        for (keyNode, value) in mapping {
            guard case .scalar(let name) = keyNode, !name.string.contains("=") else {
                refuse("a name in \(wanted.name) must be a word", at: keyNode, hidden: wanted.hidden)
                return nil
            }
            if YamlDocument.isReportedDuplicate(name.string) { continue }
            guard case .scalar(let text) = value, !Self.isEmpty(text) else {
                refuse(
                    "\(ShownText.plain(name.string)) in \(wanted.name) must be text; write \"\" for an empty one",
                    at: value,
                    hidden: wanted.hidden)
                return nil
            }
            let place = origin(value, hidden: wanted.hidden)
            texts.append(Assignment.Text(text: "\(name.string)=\(text.string)", origin: place))
        }
        return texts
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
        case .mapping(let mapping):
            if let name = Self.nameAsKey(mapping, key) {
                refuse(
                    "\(key.name) is a list: write `- name: \(ShownText.plain(name))`, and the rest right below name",
                    at: node, hidden: true)
                return nil
            }
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

    /// The first word of a mapping of names to mappings, which is meant as a list.
    private static func nameAsKey(_ mapping: Node.Mapping, _ key: SchemaKey) -> String? {
        guard let schema = key.entries, schema.isLabelled, let first = mapping.first?.key.scalar?.string else {
            return nil
        }
        let isMeant = mapping.allSatisfy { pair in
            pair.value.mapping != nil && schema.field(pair.key.scalar?.string ?? "") == nil
        }
        return isMeant ? first : nil
    }

    private mutating func entry(_ node: Node, number: Int, _ key: SchemaKey) -> Assignment.Entry {
        guard let schema = key.entries, case .mapping(let mapping) = node else {
            let label = key.entries?.label(key.name, number, name: nil) ?? key.name
            let leaf = key.entries?.fields.first?.leaf ?? ""
            refuse("\(label) must consist of keys and values, such as `\(leaf): …`", at: node, hidden: key.hidesLines)
            return Assignment.Entry(label: label, fields: [], origin: origin(node, hidden: key.hidesLines))
        }
        let name = mapping.first { $0.key.scalar?.string == "name" }?.value.scalar?.string
        let label = standsAlone ? "" : schema.label(key.name, number, name: name)
        let hidden = key.hidesLines || showsValues(mapping, schema)
        var entry = Assignment.Entry(label: label, fields: [], origin: origin(node, hidden: hidden))
        for (keyNode, value) in mapping {
            guard case .scalar(let word) = keyNode else {
                refuse("a key must be a word", at: keyNode, hidden: hidden)
                continue
            }
            if YamlDocument.isReportedDuplicate(word.string) { continue }
            guard let field = schema.field(word.string) else {
                refuseUnknown(word.string, in: label, schema, at: keyNode, hidden: hidden || value.scalar == nil)
                continue
            }
            let wanted = Wanted(
                name: entry.path(field.leaf), allowed: field.allowed, list: field.list,
                hidden: hidden || field.hidesValues)
            if let texts = texts(value, wanted) {
                let place = origin(value, hidden: wanted.hidden)
                entry.fields.append(Assignment.Entry.Field(leaf: field.leaf, texts: texts, origin: place))
            }
        }
        for field in schema.fields where field.isRequired {
            guard !mapping.contains(where: { $0.key.scalar?.string == field.leaf }) else { continue }
            let subject = label.isEmpty ? "the entry" : label
            refuse("\(subject) lacks \(field.leaf): \(field.allowed)", at: node, hidden: hidden)
        }
        return entry
    }

    /// Whether the line of any value may hold others that are not shown: between braces.
    private func showsValues(_ mapping: Node.Mapping, _ schema: EntrySchema) -> Bool {
        // Yams does not tell a mapping's style.
        guard let mark = mapping.mark, source.scalar(line: mark.line, column: mark.column) == "{",
            schema.fields.contains(where: \.hidesValues)
        else { return false }
        return mapping.contains { schema.field($0.key.scalar?.string ?? "")?.hidesValues ?? true }
    }

    private mutating func refuseUnknown(
        _ word: String, in label: String, _ schema: EntrySchema, at node: Node, hidden: Bool
    ) {
        guard !isFull else {
            refuse("unknown key", at: node, hidden: hidden)
            return
        }
        let subject = label.isEmpty ? "the entry" : label
        let meant = schema.meant(by: word)
        let advice =
            meant.map { "did you mean \($0)?" }
            ?? "its keys are \(schema.fields.map(\.leaf).joined(separator: ", "))"
        let isHidden = hidden || meant.flatMap(schema.field)?.hidesValues == true
        refuse("\(subject) has no key \(ShownText.quoted(word)); \(advice)", at: node, hidden: isHidden)
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
