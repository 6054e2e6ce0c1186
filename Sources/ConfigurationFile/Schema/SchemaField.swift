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
    /// Takes a sequence of texts; a scalar stands for a sequence of one.
    var isList = false
    /// In an entry of a list: must be there.
    var isRequired = false
    var access: FieldAccess<Root>

    /// One value.
    init<Value>(
        _ leaf: String, _ path: Path<Value>, _ format: ValueFormat<Value>, secret: Bool = false, required: Bool = false,
        _ documentation: String
    ) {
        self.leaf = leaf
        self.documentation = documentation
        self.secret = secret
        allowed = format.allowed
        isRequired = required
        access = .one(path, format)
    }

    /// A list of values.
    init<Value>(
        _ leaf: String, list path: Path<[Value]>, _ format: ValueFormat<Value>, _ documentation: String
    ) {
        self.leaf = leaf
        self.documentation = documentation
        allowed = "a list of " + format.allowed
        isList = true
        access = .list(path, format)
    }

    /// A list of values, or `word` instead of one.
    init<Value>(
        _ leaf: String, list path: Path<[Value]?>, _ format: ValueFormat<Value>, orWord word: String, meaning: String,
        _ documentation: String
    ) {
        self.leaf = leaf
        self.documentation = documentation
        allowed = "a list of \(format.allowed), or \(word) (\(meaning))"
        isList = true
        access = .optionalList(path, format, word: word)
    }

    /// The same field, seen from a whole that the part lies in.
    func lifted<Whole>(to path: any WritableKeyPath<Whole, Root> & Sendable) -> SchemaField<Whole> {
        SchemaField<Whole>(
            leaf: leaf, documentation: documentation, allowed: allowed, secret: secret, isList: isList,
            isRequired: isRequired, access: access.lifted(to: path))
    }

    private init(
        leaf: String, documentation: String, allowed: String, secret: Bool, isList: Bool, isRequired: Bool,
        access: FieldAccess<Root>
    ) {
        self.leaf = leaf
        self.documentation = documentation
        self.allowed = allowed
        self.secret = secret
        self.isList = isList
        self.isRequired = isRequired
        self.access = access
    }
}

/// How a value lies in a `Root`.
struct FieldAccess<Root: Sendable>: Sendable {
    /// Reads texts into the root; on failure nothing changes and the index tells which text is wrong.
    var assign: @Sendable (inout Root, [String], ValueContext) throws(InvalidItem) -> Void
    /// As it would stand in the file.
    var text: @Sendable (Root) -> String
    var equal: @Sendable (Root, Root) -> Bool
    var copy: @Sendable (_ from: Root, _ to: inout Root) -> Void
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
            text: { YamlText.scalar(format.text($0[keyPath: path])) },
            equal: { $0[keyPath: path] == $1[keyPath: path] },
            copy: { $1[keyPath: path] = $0[keyPath: path] }
        )
    }

    static func list<Value>(_ path: Path<[Value]>, _ format: ValueFormat<Value>) -> Self {
        Self(
            assign: { (root, texts, context) throws(InvalidItem) in
                root[keyPath: path] = try values(texts, format, context)
            },
            text: { text($0[keyPath: path], format) },
            equal: { $0[keyPath: path] == $1[keyPath: path] },
            copy: { $1[keyPath: path] = $0[keyPath: path] }
        )
    }

    static func optionalList<Value>(_ path: Path<[Value]?>, _ format: ValueFormat<Value>, word: String) -> Self {
        Self(
            assign: { (root, texts, context) throws(InvalidItem) in
                root[keyPath: path] = texts == [word] ? nil : try values(texts, format, context)
            },
            text: { root in root[keyPath: path].map { text($0, format) } ?? word },
            equal: { $0[keyPath: path] == $1[keyPath: path] },
            copy: { $1[keyPath: path] = $0[keyPath: path] }
        )
    }

    func lifted<Whole>(to path: any WritableKeyPath<Whole, Root> & Sendable) -> FieldAccess<Whole> {
        FieldAccess<Whole>(
            assign: { (whole, texts, context) throws(InvalidItem) in
                try assign(&whole[keyPath: path], texts, context)
            },
            text: { text($0[keyPath: path]) },
            equal: { equal($0[keyPath: path], $1[keyPath: path]) },
            copy: { copy($0[keyPath: path], &$1[keyPath: path]) }
        )
    }

    private static func values<Value>(
        _ texts: [String], _ format: ValueFormat<Value>, _ context: ValueContext
    ) throws(InvalidItem) -> [Value] {
        var values: [Value] = []
        for (index, text) in texts.enumerated() {
            guard index < ConfigurationSchema.listMax else {
                let hint = "\(ConfigurationSchema.listMax) entries are the most"
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

    private static func text<Value>(_ values: [Value], _ format: ValueFormat<Value>) -> String {
        "[" + values.map { YamlText.scalar(format.text($0)) }.joined(separator: ", ") + "]"
    }
}
