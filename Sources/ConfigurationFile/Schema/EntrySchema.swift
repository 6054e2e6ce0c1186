import Model

/// What stands in each entry of a list of mappings, such as `rooms.rules`.
struct EntrySchema: Sendable {
    /// Most entries of such a list.
    static let max = 256

    var fields: [Field]
    /// Some entries as they may stand in the file, without indentation.
    var example: String
    /// Messages name an entry by its `name`, too.
    var isLabelled: Bool
    /// Words that people know from elsewhere, in lower case without `_` and `-`, and the keys for the same thing here.
    var synonyms: [String: String]
    /// Reads entries, each a list of words with their texts. Changes nothing unless all are valid.
    var assign: @Sendable (inout WsdConfiguration, [[(leaf: String, texts: [String])]], ValueContext) -> [Fault]
    var text: @Sendable (WsdConfiguration, Style) -> String
    var equal: @Sendable (WsdConfiguration, WsdConfiguration) -> Bool

    struct Field: Sendable {
        var leaf: String
        var documentation: String
        var allowed: String
        /// As it would stand in the file.
        var defaultText: String
        var secret: Bool
        var hidesValues: Bool
        var list: ListForm?
        var isRequired: Bool
        /// In words, what holds where the default has no text.
        var unset: String?
    }

    /// A value of an entry that is not one.
    struct Fault {
        /// Counted from 0.
        var entry: Int
        var field: Field
        var item: InvalidItem
    }

    enum Style {
        /// As it could stand in the file.
        case written
        /// The same with secrets hidden.
        case shown
    }

    init<Entry: Sendable>(
        _ path: any WritableKeyPath<WsdConfiguration, [Entry]> & Sendable, of fresh: Entry,
        _ fields: [SchemaField<Entry>], isLabelled: Bool, synonyms: [String: String],
        complete: @escaping @Sendable (inout Entry, ValueContext) -> Void, example: String
    ) {
        self.isLabelled = isLabelled
        self.synonyms = synonyms
        let descriptions = fields.map { field in
            Field(
                leaf: field.leaf, documentation: field.documentation, allowed: field.allowed,
                defaultText: field.access.text(fresh), secret: field.secret, hidesValues: field.hidesValues,
                list: field.list, isRequired: field.isRequired, unset: field.unset)
        }
        self.fields = descriptions
        self.example = example
        assign = { configuration, entries, context in
            var values: [Entry] = []
            var faults: [Fault] = []
            for (number, entry) in entries.enumerated() {
                var value = fresh
                for written in entry {
                    guard let index = fields.firstIndex(where: { $0.leaf == written.leaf }) else { continue }
                    do throws(InvalidItem) {
                        try fields[index].access.assign(&value, written.texts, context)
                    } catch {
                        faults.append(Fault(entry: number, field: descriptions[index], item: error))
                    }
                }
                complete(&value, context)
                values.append(value)
            }
            if faults.isEmpty { configuration[keyPath: path] = values }
            return faults
        }
        text = { configuration, style in
            let entries = configuration[keyPath: path].map { entry in
                let set = fields.filter { $0.isRequired || !$0.access.equal(entry, fresh) }
                let pairs = set.map { field in
                    let written = field.access.written(entry)
                    let shown =
                        switch style {
                        case .shown where field.secret: WrittenValue.one("********")
                        case .shown where field.hidesValues: written.hidden
                        case .shown, .written: written
                        }
                    return "\(field.leaf): \(shown.yaml)"
                }
                return "{\(pairs.joined(separator: ", "))}"
            }
            return "[\(entries.joined(separator: ", "))]"
        }
        equal = { first, second in
            let (first, second) = (first[keyPath: path], second[keyPath: path])
            guard first.count == second.count else { return false }
            return zip(first, second).allSatisfy { pair in fields.allSatisfy { $0.access.equal(pair.0, pair.1) } }
        }
    }

    func field(_ leaf: String) -> Field? { fields.first { $0.leaf == leaf } }

    /// How messages call an entry: `routes[0]`, `programs[1] (api)`.
    func label(_ key: String, _ number: Int, name: String?) -> String {
        guard isLabelled, let name else { return "\(key)[\(number)]" }
        return "\(key)[\(number)] (\(ShownText.plain(name)))"
    }

    /// The key that a word which is none was probably meant to be.
    func meant(by word: String) -> String? {
        let simple = word.lowercased().filter { $0 != "_" && $0 != "-" }
        return synonyms[simple] ?? Suggestion.nearest(to: word, among: fields.map(\.leaf))
    }
}
