import Model

/// What stands in each entry of a list of mappings, such as `rooms.rules`.
struct EntrySchema: Sendable {
    /// Most entries of such a list.
    static let max = 256

    var fields: [Field]
    /// Some entries as they may stand in the file, without indentation.
    var example: String
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
        var isList: Bool
        var isRequired: Bool
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
        _ fields: [SchemaField<Entry>], example: String
    ) {
        let descriptions = fields.map { field in
            Field(
                leaf: field.leaf, documentation: field.documentation, allowed: field.allowed,
                defaultText: field.access.text(fresh), secret: field.secret, isList: field.isList,
                isRequired: field.isRequired)
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
                values.append(value)
            }
            if faults.isEmpty { configuration[keyPath: path] = values }
            return faults
        }
        text = { configuration, style in
            let entries = configuration[keyPath: path].map { entry in
                let set = fields.filter { $0.isRequired || !$0.access.equal(entry, fresh) }
                let pairs = set.map { field in
                    let hidden = field.secret && style == .shown
                    return "\(field.leaf): \(hidden ? "\"********\"" : field.access.text(entry))"
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
}
