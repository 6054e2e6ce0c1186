/// The command line, before the argument parser sees it.
enum Invocation {
    /// Puts `--socket` and `--json` that stand before the command behind it, where the parser wants them. Of `start`, spells
    /// the value that `--watch` may have and the words behind `--` as options of their own.
    static func normalized(_ arguments: [String]) -> [String] {
        var leading: [String] = []
        var rest = arguments[...]
        while let first = rest.first {
            if first == "--json" || first.hasPrefix("--socket=") {
                leading.append(rest.removeFirst())
            } else if first == "--socket", rest.count > 1 {
                leading += rest.prefix(2)
                rest = rest.dropFirst(2)
            } else {
                break
            }
        }
        guard let command = rest.first, !command.hasPrefix("-") else { return arguments }
        // `key` has commands of its own.
        let words = command == "key" ? rest.prefix { !$0.hasPrefix("-") }.prefix(2) : rest.prefix(1)
        let others = rest.dropFirst(words.count)
        return words + leading + (command == "start" ? started(others) : Array(others))
    }

    private static func started(_ arguments: ArraySlice<String>) -> [String] {
        let own = arguments.prefix { $0 != "--" }
        let spelled = own.flatMap { word in
            word.hasPrefix("--watch=") ? ["--watch-path", String(word.dropFirst(8))] : [word]
        }
        return spelled + arguments.dropFirst(own.count + 1).flatMap { ["--command", $0] }
    }

    /// A sentence where the first argument is no command; `nil` where it is one, or none was given.
    static func complaint(_ arguments: [String], commands: [String]) -> String? {
        guard let typed = arguments.first, !typed.hasPrefix("-"), !commands.contains(typed), typed != "help" else {
            return nil
        }
        let shown = PlainText.cut(PlainText.harmless(typed), to: 40)
        if let here = PM2Words.command(typed) { return "'\(shown)' is a command of PM2. Here: \(here)." }
        let near = commands.filter { isNear(typed, $0) }.prefix(3).map { "'\($0)'" }
        guard !near.isEmpty else { return "There is no command '\(shown)'. `wsctl --help` lists them." }
        return
            "There is no command '\(shown)'. Did you mean \(near.joined(separator: " or "))? `wsctl --help` lists all."
    }

    private static func isNear(_ typed: String, _ command: String) -> Bool {
        (typed.count >= 2 && command.hasPrefix(typed)) || distance(typed, command) <= 2 && typed.count > 2
    }

    /// Letters to insert, delete or replace to make one word of the other (Levenshtein). Words above 40 letters are far apart.
    private static func distance(_ left: String, _ right: String) -> Int {
        let (left, right) = (Array(left), Array(right))
        guard left.count <= 40, right.count <= 40 else { return .max }
        var row = Array(0...right.count)
        for (i, letter) in left.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, other) in right.enumerated() {
                let replaced = diagonal + (letter == other ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(replaced, row[j] + 1, row[j + 1] + 1)
            }
        }
        return row[right.count]
    }
}
