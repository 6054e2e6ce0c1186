/// Where a value came from. Later cases are stronger.
enum ConfigurationLayer: Int, Comparable, Sendable {
    case defaults
    case file
    /// `PORT` and `WEBSOCKET_PORT`, as platforms set them.
    case platform
    case environment
    case flags

    static func < (lhs: Self, rhs: Self) -> Bool { lhs.rawValue < rhs.rawValue }
}

/// The place of one value, for messages and for `wsctl config`.
struct Origin: Sendable {
    var layer: ConfigurationLayer
    /// `wsd.yaml:12`, `environment WSD_PORT`, `--port`.
    var text: String
    /// Makes a problem of a sentence about this value.
    var problem: @Sendable (String) -> ConfigurationProblem

    static let defaults = Origin(layer: .defaults, named: "default")

    /// A place without lines.
    init(layer: ConfigurationLayer, named name: String) {
        self.layer = layer
        text = name
        problem = { ConfigurationProblem(place: name, message: $0) }
    }

    /// A place in the file. The line of a secret is never shown.
    init(line: Int, column: Int, of source: SourceText, secret: Bool = false) {
        layer = .file
        text = "\(source.name):\(line)"
        problem = { source.problem($0, line: line, column: column, showLine: !secret) }
    }
}

/// What one layer says about one key.
struct Assignment: Sendable {
    var key: SchemaKey
    var content: Content
    var origin: Origin
    var context: ValueContext
    /// Parts could not be read, and are reported: the rest is checked, but does not hold.
    var isDamaged = false

    enum Content: Sendable {
        /// One text, or those of a list.
        case texts([Text])
        case entries([Entry])
    }

    struct Text: Sendable {
        var text: String
        var origin: Origin
    }

    /// One mapping of a list of them.
    struct Entry: Sendable {
        /// As messages call it: `routes[0]`. Empty: it stands alone.
        var label: String
        var fields: [Field]
        var origin: Origin

        struct Field: Sendable {
            var leaf: String
            var texts: [Text]
            var origin: Origin
        }
    }

    /// From a variable or a flag: texts of a list are separated by commas, a list of mappings is written as YAML, `none` is
    /// either when empty. `nil`: it could not be read at all, and `problems` tell why.
    init?(
        key: SchemaKey, written: String, origin: Origin, context: ValueContext, problems: inout [ConfigurationProblem]
    ) {
        if key.entries != nil {
            guard written != "none" else {
                self.init(key: key, entries: [], origin: origin, context: context)
                return
            }
            let source = SourceText(name: origin.text, text: written)
            let document = YamlDocument(source)
            var reader = NodeReader(source, context: context, place: origin)
            let read = document.root.flatMap { reader.assignment($0, key) }
            problems += document.problems.map { problem in
                var problem = problem
                problem.line = nil
                if key.hidesLines { problem.excerpt = nil }
                return problem
            }
            problems += reader.problems
            if document.root == nil, document.problems.isEmpty {
                problems.append(origin.problem("\(key.name) has no value; it must be \(key.allowed), or none"))
            }
            guard let read else { return nil }
            self = read
            return
        }
        var parts = [written]
        if key.isList {
            parts =
                written == "none"
                ? [] : written.split(separator: ",", omittingEmptySubsequences: false).map(Self.trimmed)
        }
        self.init(key: key, texts: parts.map { Text(text: $0, origin: origin) }, origin: origin, context: context)
    }

    init(key: SchemaKey, texts: [Text], origin: Origin, context: ValueContext) {
        self.key = key
        content = .texts(texts)
        self.origin = origin
        self.context = context
    }

    init(key: SchemaKey, entries: [Entry], origin: Origin, context: ValueContext) {
        self.key = key
        content = .entries(entries)
        self.origin = origin
        self.context = context
    }

    private static func trimmed(_ part: Substring) -> String {
        var part = part.drop { $0 == " " }
        while part.last == " " { part.removeLast() }
        return String(part)
    }
}

extension Assignment {
    /// A sentence about a value that is not one.
    static func complaint(
        _ name: String, _ text: Text?, _ error: InvalidItem, allowed: String, isList: Bool, secret: Bool
    ) -> String {
        let value = secret ? "is not allowed" : "\(isList ? "holds" : "is") \(ShownText.quoted(text?.text ?? ""))"
        let hint = error.reason.hint.map { "; \($0)" } ?? ""
        return "\(name) \(value); it must be \(allowed)\(hint)"
    }
}

extension Assignment.Entry {
    func complaint(_ fault: EntrySchema.Fault) -> String {
        let field = fault.field
        let texts = fields.first { $0.leaf == field.leaf }?.texts ?? []
        let text = texts.indices.contains(fault.item.index) ? texts[fault.item.index] : nil
        return Assignment.complaint(
            path(field.leaf), text, fault.item, allowed: field.allowed, isList: field.list != nil,
            secret: field.secret || field.hidesValues)
    }

    func path(_ leaf: String) -> String { label.isEmpty ? leaf : "\(label).\(leaf)" }
}
