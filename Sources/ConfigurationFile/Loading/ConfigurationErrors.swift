/// Everything that is wrong with a configuration, in the order of the file, then environment, then flags.
package struct ConfigurationErrors: Error, Sendable, Equatable, CustomStringConvertible {
    /// More problems than this are counted, but not shown.
    package static let shownMax = 20

    package var problems: [ConfigurationProblem]

    package init(_ problems: [ConfigurationProblem]) {
        self.problems = problems
    }

    /// For a terminal: each problem with the line it is about.
    package var description: String {
        var text = problems.prefix(Self.shownMax).map(\.description).joined(separator: "\n")
        if problems.count > Self.shownMax {
            text += "\n… and \(problems.count - Self.shownMax) more."
        }
        return text
    }
}

/// One reason why a configuration is refused.
package struct ConfigurationProblem: Error, Sendable, Equatable, CustomStringConvertible {
    /// `wsd.yaml:12:3`, `environment WSD_PORT`, `--port`.
    package var place: String
    /// A sentence that names the key and what is allowed.
    package var message: String
    /// Line of the file, counted from 1; `nil` outside it.
    package var line: Int?
    /// The line at fault with a caret under the column; `nil` outside a file, and for secrets.
    package var excerpt: String?

    package var description: String {
        let head = "\(place): \(message)"
        return excerpt.map { "\(head)\n\($0)" } ?? head
    }
}
