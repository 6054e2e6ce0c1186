/// What `wsctl start` is to do. Pure: what is known and what lies where are arguments.
enum StartPlan: Equatable {
    /// Programs that are known already.
    case known([String])
    /// New ones: the command of each, and what it was called on the command line.
    case new([Command])

    struct Command: Equatable {
        var words: [String]
        /// Quoted as one word (`"npm run dev"`): the service splits it.
        var isOneText = false
    }

    /// - Parameters:
    ///   - words: what stands before `--`.
    ///   - command: what stands behind it.
    ///   - hasSettings: options that only a new program can have were given.
    ///   - isNamed: `--name` is among them.
    ///   - known: names and numbers that the service knows; `nil`: it does not run.
    ///   - folder: the caller's.
    ///   - kind: what is at an absolute path.
    static func make(
        words: [String], command: [String], hasSettings: Bool, isNamed: Bool = false, known: Set<String>?,
        folder: String, kind: (String) -> ScriptFile.Kind
    ) throws(StartComplaint) -> StartPlan {
        guard !isNamed || words.count < 2 else {
            throw StartComplaint("Several programs cannot have one --name.", status: .usage)
        }
        guard let first = words.first else { return .new([commandLine(command, folder: folder, kind: kind)]) }
        if !hasSettings, command.isEmpty, let known, words.allSatisfy({ known.contains($0) || $0 == "all" }) {
            return .known(words)
        }
        if !command.isEmpty {
            guard words.count == 1 else {
                throw StartComplaint("Before -- stands one file at most; what follows are its arguments.")
            }
            return .new([Command(words: try script(first, known, folder, kind, command: nil) + command)])
        }
        if hasSettings, let known, let name = words.first(where: { known.contains($0) && !isFile($0, folder, kind) }) {
            throw StartComplaint(
                """
                There is a program '\(PlainText.harmless(name))' already, and settings are those of a new one. Change it \
                with `wsctl scale`, or delete it (`wsctl delete \(PlainText.harmless(name))`) and start it anew.
                """)
        }
        // Somebody may have forgotten the dashes, or have mistyped a file.
        let hint =
            words.allSatisfy(ScriptFile.hasInterpreter)
            ? nil : "wsctl start \(hasSettings ? "… " : "")-- \(words.map(PlainText.harmless).joined(separator: " "))"
        var commands: [Command] = []
        for word in words {
            if let known, known.contains(word) {
                throw StartComplaint(
                    """
                    '\(PlainText.harmless(word))' is a program that is known and the others are not. Start them one at a \
                    time.
                    """)
            }
            commands.append(Command(words: try script(word, known, folder, kind, command: hint)))
        }
        return .new(commands)
    }

    /// A path from a folder; an absolute one as it is.
    static func absolute(_ path: String, from folder: String) -> String {
        if path.hasPrefix("/") { return path }
        var parts = folder.split(separator: "/").map(String.init)
        for part in path.split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(String(part)) }
        }
        return "/" + parts.joined(separator: "/")
    }

    private static func commandLine(
        _ command: [String], folder: String, kind: (String) -> ScriptFile.Kind
    ) -> Command {
        guard command.count == 1, let word = command.first, word.contains(" "), !isFile(word, folder, kind) else {
            return Command(words: command)
        }
        return Command(words: [word], isOneText: true)
    }

    private static func isFile(_ word: String, _ folder: String, _ kind: (String) -> ScriptFile.Kind) -> Bool {
        if case .file = kind(absolute(word, from: folder)) { return true }
        return false
    }

    /// - Parameter command: what was probably meant, as a command; `nil`: none.
    private static func script(
        _ word: String, _ known: Set<String>?, _ folder: String, _ kind: (String) -> ScriptFile.Kind, command: String?
    ) throws(StartComplaint) -> [String] {
        let path = absolute(word, from: folder)
        let shown = PlainText.harmless(word)
        switch kind(path) {
        case .file(let isExecutable): return try ScriptFile.command(path, shown: word, isExecutable: isExecutable)
        case .folder: throw StartComplaint("\(shown) is a folder. A command stands behind --: wsctl start -- npm start")
        case .absent:
            let command = command.map { " A command stands behind --: \($0)" } ?? ""
            guard known != nil else {
                throw StartComplaint(
                    """
                    wsd is not running, and there is no file \(path). `wsctl resurrect` starts wsd with the programs that it \
                    remembers.\(command)
                    """, status: .notRunning)
            }
            throw StartComplaint(
                """
                There is neither a program '\(shown)' (`wsctl list` shows those there are) nor a file \(path).\(command)
                """)
        }
    }
}
