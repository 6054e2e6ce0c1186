import Model

/// One key of the configuration: everything that the parser, the messages, the example file, the reference, the variables and
/// `wsctl config` know about it.
struct SchemaKey: Sendable {
    /// Path with dots: `workers.count`.
    var name: String
    /// Name of its variable: `WSD_WORKERS_COUNT`.
    var variable: String
    /// Its own flags, besides `--set`.
    var flags: [String]
    /// Sentences for the operator.
    var documentation: String
    /// Completes `it must be …`.
    var allowed: String
    /// The default as it would stand in the file, or a sentence where that depends on other keys.
    var defaultText: String
    /// Whether a reload can change it.
    var reloadable: Bool
    /// Never shown: neither its value nor the line it stands in.
    var secret: Bool
    /// Takes a sequence of texts; a scalar stands for a sequence of one.
    var isList: Bool
    /// Takes a sequence of mappings; `nil`: it does not.
    var entries: EntrySchema?
    /// The list may also stand in a credential.
    var takesCredential = false
    /// It names a file that must be there; `nil`: it does not.
    var file: FileUse?
    var access: FieldAccess<WsdConfiguration>

    struct FileUse: Sendable {
        var kind: FileCheck.Kind
        var path: @Sendable (WsdConfiguration) -> String?
    }

    /// The section it stands in; empty at the top level.
    var section: String {
        name.lastIndex(of: ".").map { String(name[..<$0]) } ?? ""
    }

    /// The word before the colon in the file.
    var leaf: String {
        name.lastIndex(of: ".").map { String(name[name.index(after: $0)...]) } ?? name
    }

    /// No line that it stands in may be shown.
    var hidesLines: Bool { secret || entries?.fields.contains { $0.secret } == true }

    /// For `wsctl config` and messages: a secret that is set does not show.
    func shownText(_ configuration: WsdConfiguration) -> String {
        if let entries { return entries.text(configuration, .shown) }
        return secret && !access.equal(configuration, WsdConfiguration()) ? "********" : access.text(configuration)
    }
}

extension SchemaKey {
    typealias Path<Value> = any WritableKeyPath<WsdConfiguration, Value> & Sendable

    /// A key with one value.
    init<Value>(
        _ name: String, _ path: Path<Value>, _ format: ValueFormat<Value>, reload: Bool = true, flags: [String] = [],
        variable: String? = nil, secret: Bool = false, _ documentation: String
    ) {
        self.init(
            name, SchemaField("", path, format, secret: secret, documentation), reload: reload, flags: flags,
            variable: variable)
    }

    /// A key with a list of values.
    init<Value>(
        _ name: String, list path: Path<[Value]>, _ format: ValueFormat<Value>, default defaultText: String? = nil,
        reload: Bool = true, flags: [String] = [], _ documentation: String
    ) {
        self.init(
            name, SchemaField("", list: path, format, documentation), default: defaultText, reload: reload, flags: flags
        )
    }

    /// A key that names a file, which is looked at when the configuration is loaded.
    init(_ name: String, file path: Path<String?>, _ kind: FileCheck.Kind, _ documentation: String) {
        self.init(name, path, ValueFormat.file().orWord("none"), documentation)
        file = FileUse(kind: kind) { $0[keyPath: path] }
    }

    /// A key with a list of mappings.
    init<Entry>(
        _ name: String, entries path: Path<[Entry]>, of fresh: Entry, _ fields: [SchemaField<Entry>], allowed: String,
        takesCredential: Bool = false, labelled: Bool = false, synonyms: [String: String] = [:],
        complete: @escaping @Sendable (inout Entry, ValueContext) -> Void = { _, _ in }, example: String,
        _ documentation: String
    ) {
        let schema = EntrySchema(
            path, of: fresh, fields, isLabelled: labelled, synonyms: synonyms, complete: complete, example: example)
        self.init(
            name: name, variable: Self.variable(for: name), flags: [], documentation: documentation, allowed: allowed,
            defaultText: schema.text(WsdConfiguration(), .written), reloadable: true, secret: false, isList: false,
            entries: schema, takesCredential: takesCredential,
            access: FieldAccess(
                assign: { (_, _, _) throws(InvalidItem) in throw InvalidItem(index: 0, reason: InvalidValue()) },
                written: { .yaml(schema.text($0, .written)) },
                equal: { schema.equal($0, $1) },
                copy: { $1[keyPath: path] = $0[keyPath: path] }
            ))
    }

    /// A field at the top of the configuration.
    init(
        _ name: String, _ field: SchemaField<WsdConfiguration>, default defaultText: String? = nil, reload: Bool = true,
        flags: [String] = [], variable: String? = nil
    ) {
        self.init(
            name: name, variable: variable ?? Self.variable(for: name), flags: flags,
            documentation: field.documentation,
            allowed: field.allowed, defaultText: defaultText ?? field.access.text(WsdConfiguration()),
            reloadable: reload, secret: field.secret, isList: field.isList, access: field.access)
    }

    /// Fields that a section has in common with others.
    static func keys<Part>(_ section: String, _ path: Path<Part>, _ fields: [SchemaField<Part>]) -> [SchemaKey] {
        fields.map { SchemaKey("\(section).\($0.leaf)", $0.lifted(to: path)) }
    }

    /// `websocket.maxMessageSize` → `WSD_WEBSOCKET_MAX_MESSAGE_SIZE`.
    static func variable(for name: String) -> String {
        var text = "WSD_"
        var afterLowercase = false
        for character in name {
            if character.isUppercase && afterLowercase { text.append("_") }
            text.append(character == "." ? "_" : character.uppercased())
            afterLowercase = character.isLowercase
        }
        return text
    }
}
