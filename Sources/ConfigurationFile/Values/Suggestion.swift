/// The known word that somebody probably meant.
package enum Suggestion {
    /// Longer words are not compared: the cost is the product of the lengths.
    private static let lengthMax = 64

    /// The nearest of `words` by edits, when it is near enough to be worth asking; letter case, `_` and `-` do not count.
    ///
    /// - Parameter beginnings: Whether a word that begins with the other one is near, too: `production` and `prod`.
    package static func nearest(to word: String, among words: [String], beginnings: Bool = true) -> String? {
        guard word.unicodeScalars.count <= lengthMax else { return nil }
        let typed = simplified(word)
        guard !typed.isEmpty else { return nil }
        var best: (word: String, distance: Int)?
        for candidate in words {
            let known = simplified(candidate)
            let shorter = min(typed.count, known.count)
            let limit = max(1, shorter / 3)
            // There are at least as many edits as one is longer, and exactly so many where one begins with the other.
            let excess = abs(typed.count - known.count)
            var distance = excess > limit ? excess : edits(typed, known)
            if distance > limit {
                guard beginnings, shorter >= 3, typed.starts(with: known) || known.starts(with: typed) else { continue }
                // Weaker than any near miss.
                distance += lengthMax
            }
            if distance < best?.distance ?? .max { best = (candidate, distance) }
        }
        return best?.word
    }

    private static func simplified(_ word: String) -> [Unicode.Scalar] {
        word.lowercased().unicodeScalars.filter { $0 != "_" && $0 != "-" }
    }

    /// Insertions, deletions, replacements and swaps of neighbours that turn one word into the other (optimal string
    /// alignment).
    static func edits(_ first: [Unicode.Scalar], _ second: [Unicode.Scalar]) -> Int {
        if first.isEmpty || second.isEmpty { return max(first.count, second.count) }
        var rows = [Array(0...second.count)]
        for row in 1...first.count {
            var current = [row]
            for column in 1...second.count {
                let same = first[row - 1] == second[column - 1]
                var cost = min(
                    rows[row - 1][column] + 1, current[column - 1] + 1, rows[row - 1][column - 1] + (same ? 0 : 1))
                if row > 1, column > 1, first[row - 1] == second[column - 2], first[row - 2] == second[column - 1] {
                    cost = min(cost, rows[row - 2][column - 2] + 1)
                }
                current.append(cost)
            }
            rows.append(current)
        }
        return rows[first.count][second.count]
    }
}
