/// What `wsctl start FILE` runs.
enum ScriptFile {
    /// What is at a path.
    enum Kind: Equatable {
        case absent
        case folder
        case file(isExecutable: Bool)
    }

    /// The interpreter that a file's extension says, or the file itself.
    ///
    /// - Parameters:
    ///   - path: absolute.
    ///   - shown: as it was typed.
    static func command(_ path: String, shown: String, isExecutable: Bool) throws(StartComplaint) -> [String] {
        let name = path.split(separator: "/").last ?? ""
        if let dot = name.lastIndex(of: "."), let interpreter = interpreters[String(name[dot...].dropFirst())] {
            return [interpreter, path]
        }
        guard isExecutable else {
            throw StartComplaint(
                """
                \(PlainText.harmless(shown)) is not executable, and its name says no interpreter. Make it executable \
                (chmod +x), or name one: wsctl start -- INTERPRETER \(PlainText.harmless(shown))
                """)
        }
        return [path]
    }

    private static let interpreters = [
        "js": "node", "mjs": "node", "cjs": "node", "py": "python3", "sh": "bash", "rb": "ruby", "pl": "perl",
        "php": "php",
    ]
}

/// Why `wsctl start` cannot tell what to start.
struct StartComplaint: Error, Equatable {
    var message: String
    var status = CommandStatus.refused

    init(_ message: String, status: CommandStatus = .refused) {
        self.message = message
        self.status = status
    }
}
