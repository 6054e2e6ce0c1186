import Yams

/// An error of the YAML reader, said for a person who has never heard of its grammar.
struct YamlFault {
    var problem: ConfigurationProblem

    init(_ error: YamlError, in source: SourceText) {
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            let reason =
                Self.hint(problem, at: mark, in: source)
                ?? [context?.text, problem].compactMap { $0 }.joined(separator: " ")
            self.problem = source.problem("not valid YAML: \(reason)", line: mark.line, column: mark.column)
        case .reader(let reason, let offset, let value, let yaml):
            let (line, column) = Self.position(of: offset ?? 0, in: yaml)
            let code = value >= 0 ? " (character \(value))" : ""
            problem = source.problem("not valid YAML: \(reason)\(code)", line: line, column: column)
        case .no, .memory, .writer, .emitter, .representer, .dataCouldNotBeDecoded, .duplicatedKeysInMapping:
            problem = ConfigurationProblem(place: source.name, message: "not valid YAML: \(error)")
        }
    }

    /// What the usual slips look like to libyaml (the texts of its `scanner.c` and `parser.c`).
    private static func hint(_ problem: String, at mark: Mark, in source: SourceText) -> String? {
        switch problem {
        case "found character that cannot start any token"
        where source.scalar(line: mark.line, column: mark.column) == "\t":
            "a tab; indent with spaces"
        case "found character that cannot start any token":
            "text cannot begin with this character unless it is in quotes"
        case "mapping values are not allowed in this context":
            "a second `: ` in the line, or a line indented too far; put text that holds `: ` in quotes"
        case "could not find expected ':'":
            "a key without its colon (`key: value`) stands here or in the line above"
        case "did not find expected key", "did not find expected '-' indicator":
            "this line does not fit the ones above: look at its indentation, and at quotes and brackets before it"
        case "did not find expected ',' or ']'", "did not find expected ',' or '}'":
            "a list in brackets is not closed, or text with brackets or a comma is not in quotes"
        case "did not find expected node content":
            "a value is missing here, or text that begins with a sign such as `:` is not in quotes"
        case "found unexpected end of stream":
            "a quote is opened and not closed"
        case "found undefined alias", "did not find expected alphabetic or numeric character":
            "text that begins with * or & must be in quotes"
        case "but found another document":
            "a second document begins here (`---`); wsd.yaml is one"
        case _ where problem.hasPrefix("Maximum nesting level"):
            "sections or brackets within one another without end"
        default: nil
        }
    }

    private static func position(of offset: Int, in text: String) -> (line: Int, column: Int) {
        let before = text.prefix(offset)
        let line = before.count { $0.isNewline } + 1
        let column = before.reversed().prefix { !$0.isNewline }.reduce(1) { $0 + $1.unicodeScalars.count }
        return (line, column)
    }
}
