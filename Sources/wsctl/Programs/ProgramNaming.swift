import Model

/// The name of a program that was given none: that of the script.
enum ProgramNaming {
    /// `node app.js`: app; `python3 -m http.server`: http.server; `npm start`: the folder's name; else the program's own.
    /// The folder stands before words that are reserved (`worker.js`) and numbers.
    ///
    /// - Returns: `nil` where no permitted name comes of it.
    static func name(of command: [String], folder: String) -> String? {
        var words = command[...]
        if words.first.map(base) == "env" {
            // env(1): options and assignments stand before the program.
            words = words.dropFirst().drop { $0.hasPrefix("-") || $0.contains("=") }
        }
        guard let program = words.first else { return nil }
        let own = base(program)
        if folderNamed.contains(own) { return permitted(base(folder)) ?? permitted(own) }
        let name = isInterpreter(own) ? script(of: words.dropFirst()) ?? own : stem(own)
        return permitted(name) ?? (folder == "/" ? nil : permitted("\(base(folder))-\(name)"))
    }

    /// What an interpreter runs; `nil`: nothing that has a name.
    private static func script(of arguments: ArraySlice<String>) -> String? {
        var words = arguments
        while let word = words.popFirst() {
            switch word {
            case "-m": return words.first
            case "-c", "-e", "--eval", "-p", "--print": return nil
            case "-jar", "--": return words.first.map { stem(base($0)) }
            case "-r", "--require", "--import", "--loader", "-W", "-X", "-I", "-cp", "--class-path":
                _ = words.popFirst()
            case "run": continue
            case let word where word.hasPrefix("-"): continue
            default: return stem(base(word))
            }
        }
        return nil
    }

    private static let folderNamed: Set<String> = [
        "npm", "npx", "yarn", "pnpm", "make", "cargo", "go", "bundle", "rake",
    ]

    /// `python3.12` is a python as well.
    private static func isInterpreter(_ program: String) -> Bool {
        let plain = program.prefix { !$0.isNumber && $0 != "." }
        return [
            "node", "nodejs", "deno", "bun", "python", "pypy", "ruby", "perl", "php", "bash", "sh", "zsh", "dash",
            "ksh",
            "java", "lua", "uv", "tsx", "ts-node",
        ].contains(String(plain))
    }

    private static func base(_ path: String) -> String {
        path.split(separator: "/").last.map(String.init) ?? ""
    }

    /// Without the extension; `.profile` has none.
    private static func stem(_ name: String) -> String {
        guard let dot = name.lastIndex(of: "."), dot > name.startIndex else { return name }
        return String(name[..<dot])
    }

    /// Other characters become `-`.
    private static func permitted(_ text: String) -> String? {
        let plain = text.unicodeScalars.map { scalar in
            scalar.isASCII && (scalar.properties.isAlphabetic || scalar.properties.numericType != nil)
                || "._-".unicodeScalars.contains(scalar) ? Character(scalar) : "-"
        }
        let name = String(String(plain).drop { "._-".contains($0) }.prefix(64))
        return ProgramConfiguration.isName(name) ? name : nil
    }
}
