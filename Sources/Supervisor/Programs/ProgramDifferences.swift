import Model

/// What a new configuration means for the programs of the old one.
struct ProgramDifferences {
    /// Programs named in a sentence; the others are counted.
    static let maxNames = 10

    var new: [String]
    var changed: [String]
    var gone: [String]

    init(_ old: [ProgramConfiguration], _ next: [ProgramConfiguration]) {
        let before = Dictionary(old.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        let names = Set(next.map(\.name))
        new = next.map(\.name).filter { before[$0] == nil }
        changed = next.filter { before[$0.name] != nil && before[$0.name] != $0 }.map(\.name)
        gone = old.map(\.name).filter { !names.contains($0) }
    }

    /// `Programs: new: api; changed: mailer; gone: job.` `nil`: nothing differs.
    var sentence: String? {
        let parts = [("new", new), ("changed", changed), ("gone", gone)].filter { !$1.isEmpty }
        guard !parts.isEmpty else { return nil }
        return "Programs: " + parts.map { "\($0): \(Self.list($1))" }.joined(separator: "; ") + "."
    }

    private static func list(_ names: [String]) -> String {
        let rest = names.count - maxNames
        return names.prefix(maxNames).joined(separator: ", ") + (rest > 0 ? " and \(rest) more" : "")
    }
}
