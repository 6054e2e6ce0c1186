/// A value of a part of the configuration, under one word of a mapping.
struct SchemaField<Root: Sendable>: Sendable {
    typealias Path<Value> = any WritableKeyPath<Root, Value> & Sendable

    /// The word before the colon.
    var leaf: String
    /// Sentences for the operator.
    var documentation: String
    /// Completes `it must be …`.
    var allowed: String
    /// Never shown: neither its value nor the line it stands in.
    var secret = false
    /// The texts are `NAME=value`: names are shown, values are not, nor are the lines they stand in.
    var hidesValues = false
    /// How it takes a sequence of texts; `nil`: it takes one text.
    var list: ListForm?
    /// In an entry of a list: must be there.
    var isRequired = false
    /// In words, what holds where the value has no text of its own.
    var unset: String?
    var access: FieldAccess<Root>

    var isList: Bool { list != nil }

    /// One value.
    init<Value>(
        _ leaf: String, _ path: Path<Value>, _ format: ValueFormat<Value>, secret: Bool = false, required: Bool = false,
        unset: String? = nil, _ documentation: String
    ) {
        self.leaf = leaf
        self.documentation = documentation
        self.secret = secret
        self.unset = unset
        allowed = format.allowed
        isRequired = required
        access = .one(path, format)
    }

    /// A list of values.
    ///
    /// - Parameters:
    ///   - allowed: `nil`: `a list of` what the format allows.
    ///   - most: Most entries.
    init<Value>(
        _ leaf: String, list path: Path<[Value]>, _ format: ValueFormat<Value>, as form: ListForm = .texts,
        allowed: String? = nil, most: Int = ConfigurationSchema.listMax, required: Bool = false,
        hidesValues: Bool = false, _ documentation: String
    ) {
        self.leaf = leaf
        self.documentation = documentation
        self.allowed = allowed ?? "a list of " + format.allowed
        self.hidesValues = hidesValues
        isRequired = required
        list = form
        access = .list(path, format, most: most)
    }

    /// A list of values, or `word` instead of one.
    init<Value>(
        _ leaf: String, list path: Path<[Value]?>, _ format: ValueFormat<Value>, orWord word: String, meaning: String,
        _ documentation: String
    ) {
        self.leaf = leaf
        self.documentation = documentation
        allowed = "a list of \(format.allowed), or \(word) (\(meaning))"
        list = .texts
        access = .optionalList(path, format, word: word)
    }

    /// The same field, seen from a whole that the part lies in.
    func lifted<Whole>(to path: any WritableKeyPath<Whole, Root> & Sendable) -> SchemaField<Whole> {
        SchemaField<Whole>(
            leaf: leaf, documentation: documentation, allowed: allowed, secret: secret, hidesValues: hidesValues,
            list: list, isRequired: isRequired, unset: unset, access: access.lifted(to: path))
    }

    private init(
        leaf: String, documentation: String, allowed: String, secret: Bool, hidesValues: Bool, list: ListForm?,
        isRequired: Bool, unset: String?, access: FieldAccess<Root>
    ) {
        self.leaf = leaf
        self.documentation = documentation
        self.allowed = allowed
        self.secret = secret
        self.hidesValues = hidesValues
        self.list = list
        self.isRequired = isRequired
        self.unset = unset
        self.access = access
    }
}

/// What a field takes that holds a list, besides a sequence of texts.
enum ListForm: Sendable {
    /// A scalar stands for a sequence of one.
    case texts
    /// A scalar is split into words as a shell does it.
    case words
    /// A mapping stands for a sequence of `name=value`, a scalar for a sequence of one.
    case pairs
}

/// A value as what it could be read from.
enum WrittenValue: Equatable, Sendable {
    case one(String)
    case list([String])
    /// YAML already.
    case yaml(String)

    /// As it would stand in the file.
    var yaml: String {
        switch self {
        case .one(let text): YamlText.scalar(text)
        case .list(let texts): "[" + texts.map(YamlText.scalar).joined(separator: ", ") + "]"
        case .yaml(let text): text
        }
    }

    /// The same with `********` for what stands behind the first `=` of each text of a list.
    var hidden: WrittenValue {
        guard case .list(let texts) = self else { return self }
        return .list(texts.map { "\($0.prefix { $0 != "=" })=********" })
    }
}

/// How a value lies in a `Root`.
struct FieldAccess<Root: Sendable>: Sendable {
    /// Reads texts into the root; on failure nothing changes and the index tells which text is wrong.
    var assign: @Sendable (inout Root, [String], ValueContext) throws(InvalidItem) -> Void
    var written: @Sendable (Root) -> WrittenValue
    var equal: @Sendable (Root, Root) -> Bool
    var copy: @Sendable (_ from: Root, _ to: inout Root) -> Void

    /// As it would stand in the file.
    func text(_ root: Root) -> String { written(root).yaml }
}

struct InvalidItem: Error {
    var index: Int
    var reason: InvalidValue
}

extension FieldAccess {
    typealias Path<Value> = any WritableKeyPath<Root, Value> & Sendable

    static func one<Value>(_ path: Path<Value>, _ format: ValueFormat<Value>) -> Self {
        Self(
            assign: { (root, texts, context) throws(InvalidItem) in
                guard texts.count == 1, let text = texts.first else {
                    throw InvalidItem(index: 0, reason: InvalidValue())
                }
                do throws(InvalidValue) {
                    root[keyPath: path] = try format.parse(text, context)
                } catch {
                    throw InvalidItem(index: 0, reason: error)
                }
            },
            written: { .one(format.text($0[keyPath: path])) },
            equal: { $0[keyPath: path] == $1[keyPath: path] },
            copy: { $1[keyPath: path] = $0[keyPath: path] }
        )
    }

    static func list<Value>(_ path: Path<[Value]>, _ format: ValueFormat<Value>, most: Int) -> Self {
        Self(
            assign: { (root, texts, context) throws(InvalidItem) in
                root[keyPath: path] = try values(texts, format, context, most: most)
            },
            written: { .list($0[keyPath: path].map(format.text)) },
            equal: { $0[keyPath: path] == $1[keyPath: path] },
            copy: { $1[keyPath: path] = $0[keyPath: path] }
        )
    }

    static func optionalList<Value>(_ path: Path<[Value]?>, _ format: ValueFormat<Value>, word: String) -> Self {
        Self(
            assign: { (root, texts, context) throws(InvalidItem) in
                root[keyPath: path] = texts == [word] ? nil : try values(texts, format, context)
            },
            written: { root in root[keyPath: path].map { .list($0.map(format.text)) } ?? .one(word) },
            equal: { $0[keyPath: path] == $1[keyPath: path] },
            copy: { $1[keyPath: path] = $0[keyPath: path] }
        )
    }

    func lifted<Whole>(to path: any WritableKeyPath<Whole, Root> & Sendable) -> FieldAccess<Whole> {
        FieldAccess<Whole>(
            assign: { (whole, texts, context) throws(InvalidItem) in
                try assign(&whole[keyPath: path], texts, context)
            },
            written: { written($0[keyPath: path]) },
            equal: { equal($0[keyPath: path], $1[keyPath: path]) },
            copy: { copy($0[keyPath: path], &$1[keyPath: path]) }
        )
    }

    private static func values<Value>(
        _ texts: [String], _ format: ValueFormat<Value>, _ context: ValueContext,
        most: Int = ConfigurationSchema.listMax
    ) throws(InvalidItem) -> [Value] {
        var values: [Value] = []
        for (index, text) in texts.enumerated() {
            guard index < most else {
                let hint = "\(most) entries are the most"
                throw InvalidItem(index: index, reason: InvalidValue(hint: hint))
            }
            do throws(InvalidValue) {
                values.append(try format.parse(text, context))
            } catch {
                throw InvalidItem(index: index, reason: error)
            }
        }
        return values
    }
}
