import FoundationEssentials

/// The reference as JSON, for programs that write other documents: `scripts/manual` makes wsd.yaml(5) of it.
package enum ReferenceData {
    /// One object, with a line break at its end.
    package static func text() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(document()), as: UTF8.self) + "\n"
    }

    private static func document() -> Document {
        let schema = ConfigurationSchema.current
        let top = Section(name: "", documentation: "", like: nil, keys: schema.keys(in: "").map(Key.init))
        let sections = schema.sections.map { section in
            Section(
                name: section.name, documentation: section.documentation, like: section.like,
                keys: schema.keys(in: section.name).map(Key.init))
        }
        return Document(
            introduction: Reference.introduction, sections: [top] + sections, rules: schema.rules.map(\.documentation))
    }

    private struct Document: Encodable {
        /// Markdown: how the configuration is found and how values are written.
        var introduction: String
        /// The first one, without a name, is the file itself.
        var sections: [Section]
        /// What must hold between keys.
        var rules: [String]
    }

    private struct Section: Encodable {
        var name: String
        var documentation: String
        /// The section that says what its keys mean.
        var like: String?
        var keys: [Key]
    }

    private struct Key: Encodable {
        var name: String
        var variable: String
        var flags: [String]
        var documentation: String
        var allowed: String
        var defaultText: String
        var reloadable: Bool
        var entries: Entries?

        init(_ key: SchemaKey) {
            name = key.name
            variable = key.variable
            flags = key.flags
            documentation = key.documentation
            allowed = key.allowed
            defaultText = key.defaultText
            reloadable = key.reloadable
            entries = key.entries.map(Entries.init)
        }
    }

    /// What stands in each entry of a list of mappings.
    private struct Entries: Encodable {
        var fields: [Field]
        var example: String

        init(_ entries: EntrySchema) {
            fields = entries.fields.map {
                Field(
                    name: $0.leaf, documentation: $0.documentation, allowed: $0.allowed, defaultText: $0.defaultText,
                    isRequired: $0.isRequired, unset: $0.unset)
            }
            example = entries.example
        }
    }

    private struct Field: Encodable {
        var name: String
        var documentation: String
        var allowed: String
        var defaultText: String
        var isRequired: Bool
        /// What holds where the default has no text.
        var unset: String?
    }
}
