import Yams

/// The tree of a YAML text in the subset that a configuration needs: one document, no anchors, aliases or tags, each key once.
struct YamlDocument {
    /// `nil`: the document is empty.
    var root: Node?
    /// Faults of the YAML itself, in the order they were found.
    var problems: [ConfigurationProblem] = []

    /// Aliases in a text. Yams expands them, and compares whole keys: n of them can cost 3^(n/3).
    private static let aliasesMax = 24
    /// Duplicate keys that are looked for; each costs one more reading of the text.
    private static let duplicatesMax = ConfigurationErrors.shownMax
    /// Lines that are read in search of further duplicates. A long file is told its first ones only.
    private static let duplicateLinesMax = 20_000

    private let source: SourceText

    init(_ source: SourceText) {
        self.source = source
        if let place = Self.excessAlias(in: source) {
            refuseAnchor(place.line, place.column)
            return
        }
        var text = source
        for attempt in 0...min(Self.duplicatesMax, Self.duplicateLinesMax / source.lines.count) {
            guard !source.isBlank else { return }
            do {
                // An explicit encoding: the default one depends on an environment variable.
                let parser = try Parser(yaml: text.text, resolver: .basic, encoding: .utf8)
                root = try parser.singleRoot()
                // Nodes refer to their anchors weakly; the parser owns them.
                withExtendedLifetime(parser) {
                    if let root { refuseSpecial(root) }
                }
                return
            } catch YamlError.duplicatedKeysInMapping(let names, let context) {
                // Take the second one out of the way and go on looking, so that everything is reported at once.
                guard let name = names.first, reportDuplicate(name, after: context.mark, in: &text, attempt) else {
                    return
                }
            } catch let error as YamlError {
                problems.append(YamlFault(error, in: source).problem)
                return
            } catch {
                problems.append(ConfigurationProblem(place: source.name, message: "not valid YAML: \(error)"))
                return
            }
        }
    }

    /// Whether a key was put in place of a reported duplicate.
    static func isReportedDuplicate(_ key: String) -> Bool {
        key.unicodeScalars.first.map { placeholders.contains($0.value) } ?? false
    }

    /// Private-use characters, one for each duplicate.
    private static let placeholders: ClosedRange<UInt32> = 0xE000...0xE000 + UInt32(duplicatesMax)

    /// Reports the second `name` at the column of the first, and puts a placeholder there in `text`; `false` when it was not found
    /// (an unusual way of writing), then it is reported at the first.
    private mutating func reportDuplicate(_ name: String, after first: Mark, in text: inout SourceText, _ attempt: Int)
        -> Bool
    {
        guard
            let placeholder = Unicode.Scalar(Self.placeholders.lowerBound + UInt32(attempt)),
            let line = text.replaceKey(name, column: first.column, afterLine: first.line, with: placeholder)
        else {
            add("\(ShownText.quoted(name)) is set twice; a key stands once", first.line, first.column)
            return false
        }
        add("\(ShownText.quoted(name)) is already set in line \(first.line); a key stands once", line, first.column)
        return true
    }

    /// Reports anchors and tags. An alias is the very node that it names, so that this never walks into one.
    private mutating func refuseSpecial(_ node: Node) {
        let line = node.mark?.line ?? 1
        let column = node.mark?.column ?? 1
        if node.anchor != nil {
            refuseAnchor(line, column)
            return
        }
        switch node {
        case .scalar(let scalar):
            // A quoted or literal text has the tag `str`, and keeps it when it says so itself.
            refuseTag(scalar.tag, unless: .str, line, column)
        case .sequence(let sequence):
            refuseTag(sequence.tag, unless: .seq, line, column)
            for item in sequence { refuseSpecial(item) }
        case .mapping(let mapping):
            refuseTag(mapping.tag, unless: .map, line, column)
            for (key, value) in mapping {
                refuseSpecial(key)
                refuseSpecial(value)
            }
        case .alias:
            refuseAnchor(line, column)
        }
    }

    private mutating func refuseTag(_ tag: Tag, unless allowed: Tag.Name, _ line: Int, _ column: Int) {
        let name = Tag.Name(rawValue: tag.rawValue)
        guard name != .implicit, name != .nonSpecific, name != allowed else { return }
        add(
            "tags such as \(ShownText.quoted(tag.rawValue)) are not used in wsd.yaml; quote text that begins with !",
            line, column)
    }

    private mutating func add(_ message: String, _ line: Int, _ column: Int) {
        problems.append(source.problem(message, line: line, column: column))
    }

    private mutating func refuseAnchor(_ line: Int, _ column: Int) {
        add(
            "anchors (&name) and aliases (*name) are not used in wsd.yaml; quote text that begins with & or *", line,
            column)
    }

    /// Where the text has more than ``aliasesMax`` places outside whole comment lines that might be an alias.
    private static func excessAlias(in source: SourceText) -> (line: Int, column: Int)? {
        var count = 0
        for (index, line) in source.lines.enumerated() where line.first(where: { $0 != " " && $0 != "\t" }) != "#" {
            for (column, scalar) in line.enumerated().dropFirst() where line[column - 1] == "*" {
                // What libyaml takes for a name's letters, and no other character, makes `*` an alias.
                guard scalar.isASCII, UInt8(ascii: scalar).isLetterOrDigit || scalar == "_" || scalar == "-" else {
                    continue
                }
                count += 1
                if count > aliasesMax { return (index + 1, column) }
            }
        }
        return nil
    }
}
