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
        let name = path.split(separator: "/").last.map(String.init) ?? ""
        if let complaint = configuration(name, shown: PlainText.harmless(shown)) { throw StartComplaint(complaint) }
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

    /// A sentence about a file that describes programs and is none, by its name: of PM2 (`*.config.js`, JSON, YAML) or of wsd.
    private static func configuration(_ name: String, shown: String) -> String? {
        if name == "wsd.yaml" {
            return """
                \(shown) is a configuration of wsd, whose programs start with wsd itself; `wsctl reload` takes in what was \
                changed.
                """
        }
        if [".config.js", ".config.cjs", ".config.mjs"].contains(where: name.hasSuffix) {
            let module = shown.hasPrefix("/") || shown.hasPrefix(".") ? shown : "./\(shown)"
            return """
                \(shown) is by its name an ecosystem file of PM2, which is imported:
                  node -p 'JSON.stringify(require("\(module)"))' | wsctl import -
                If it is a program all the same: wsctl start -- node \(shown)
                """
        }
        guard [".json", ".yaml", ".yml"].contains(where: name.hasSuffix) else { return nil }
        return "\(shown) is no program by its name. If it is an ecosystem file of PM2: wsctl import \(shown)"
    }

    /// Whether the extension of a name says what runs it.
    static func hasInterpreter(_ name: String) -> Bool {
        name.lastIndex(of: ".").map { interpreters[String(name[$0...].dropFirst())] != nil } ?? false
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
