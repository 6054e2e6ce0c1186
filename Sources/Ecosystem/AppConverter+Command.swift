/// What is executed, as whom, and with which variables.
extension AppConverter {
    mutating func convertCommand(_ script: Setting, _ path: String) {
        let written = take("exec_interpreter")
        let interpreterArguments = words(take("node_args"))
        let arguments = take("args")
        if path.contains(" ") {
            set("command", .list(["bash", "-c", path]))
            remark(script, .taken, becomes: "command: [bash, -c, …]")
            if let arguments { remark(arguments, .notNeeded, "PM2 leaves it out where `script` is a command line") }
            if let written { remark(written, .notNeeded, "PM2 leaves it out where `script` is a command line") }
            _ = sourceMaps()
            findProgram(path.split(separator: " ").first.map(String.init) ?? path)
            return
        }
        var command: [String]
        if let interpreter = interpreter(written, path) {
            isNode = ["node", "bun"].contains { PathText.last(interpreter).hasSuffix($0) }
            command = [interpreter] + interpreterArguments + sourceMaps() + [path]
        } else {
            command = [executable(path)] + sourceMaps()
            if !interpreterArguments.isEmpty {
                remark(
                    ImportRemark(
                        "node_args", interpreterArguments.joined(separator: " "), .differs,
                        "no interpreter runs it; for node, NODE_OPTIONS in `environment` does the same"))
            }
        }
        command += words(arguments)
        set("command", .list(command))
        remark(script, .taken, becomes: "command: \(EntryText.line(command))")
        findProgram(command[0])
    }

    /// `nil`: it is executed by itself.
    private mutating func interpreter(_ written: Setting?, _ path: String) -> String? {
        if let written, let word = written.value.scalar, !word.isEmpty {
            if word == "none" {
                remark(written, .taken)
                return nil
            }
            guard let at = word.firstIndex(of: "@"), word.contains("node@") else {
                remark(written, .taken)
                return word
            }
            let version = word[word.index(after: at)...]
            remark(
                written, .toDo,
                "no version is looked for: put the path that `nvm which \(version)` says in the place of `node`")
            return "node"
        }
        let end = PathText.end(path)
        if let known = EcosystemKeys.interpreters[end] {
            if end == ".py" || end == ".ts" || end == ".tsx" {
                remark(
                    ImportRemark(
                        "interpreter", "", .differs, becomes: "command: \(known) …",
                        end == ".py"
                            ? "python3, where PM2 takes python if there is one"
                            : "bun, as PM2 7 does; older ones took ts-node"))
            }
            return known
        }
        return host.script(PathText.absolute(path, in: folder)) == .plain ? "node" : nil
    }

    /// A file of the folder goes before a program in `PATH`, as with PM2.
    private func executable(_ path: String) -> String {
        guard !path.contains("/"), host.script("\(folder)/\(path)") != .missing else { return path }
        return "./\(path)"
    }

    private mutating func sourceMaps() -> [String] {
        guard let (setting, flag) = takeFlag("source_map_support") else { return [] }
        guard isNode, flag else {
            remark(
                setting, .notNeeded, isNode ? "they are off unless --enable-source-maps says otherwise" : "not of node")
            return []
        }
        remark(setting, .taken, becomes: "command: … --enable-source-maps")
        return ["--enable-source-maps"]
    }

    /// PM2 gives programs the environment of the shell; wsd's own may not know where nvm keeps node.
    private mutating func findProgram(_ program: String) {
        guard !program.contains("/"), let path = host.path(program) else { return }
        variables.append(EntryVariable(name: "PATH", value: path))
        remark(
            ImportRemark(
                "PATH", "", .taken, becomes: "environment: PATH",
                "of this shell, as with PM2; of its other variables programs get none"))
    }

    /// The words of a list, or of a text split as PM2 does: quotes hold words together and stay where they begin inside of one.
    private mutating func words(_ setting: Setting?) -> [String] {
        guard let setting else { return [] }
        if case .text(let text) = setting.value { return Self.split(text) }
        guard let words = setting.value.scalars else {
            remark(setting, .toDo, "is neither text nor a list of texts; left out")
            return []
        }
        return words
    }

    static func split(_ text: String) -> [String] {
        var words: [String] = []
        var word = ""
        var quote: Character?
        var isWhole = false
        for character in text {
            if let open = quote {
                word.append(character)
                if character == open {
                    quote = nil
                    if isWhole {
                        words.append(String(word.dropFirst().dropLast()))
                        (word, isWhole) = ("", false)
                    }
                }
            } else if character == " " || character == "\t" || character == "\n" || character == "\r\n" {
                if !word.isEmpty { words.append(word) }
                word = ""
            } else {
                if character == "\"" || character == "'", word.isEmpty || word.hasSuffix("=") {
                    (quote, isWhole) = (character, word.isEmpty)
                }
                word.append(character)
            }
        }
        // A quote that is never closed holds nothing together.
        if quote != nil {
            words += word.split { $0 == " " || $0 == "\t" || $0 == "\n" }.map(String.init)
        } else if !word.isEmpty {
            words.append(word)
        }
        return words.filter { !$0.isEmpty }
    }

    // MARK: - Environment

    mutating func convertEnvironment() {
        if let command = entry.first(where: { $0.key == "command" }), case .list(let words) = command.value,
            let program = words.first, PathText.last(program).hasPrefix("python")
        {
            // As PM2 does: the output would come in blocks of 8 KiB otherwise.
            variables.append(EntryVariable(name: "PYTHONUNBUFFERED", value: "1"))
        }
        if let chosenEnvironment, let values = deploy?.member(chosenEnvironment)?.member("env") {
            add(values, ImportRemark("deploy.\(chosenEnvironment).env", "", .taken))
        }
        if let setting = take("env") { add(setting.value, ImportRemark(setting.written, "", .taken)) }
        if let port = take("port"), let number = port.value.scalar {
            setVariable("PORT", number)
            remark(port, .taken, becomes: "environment: PORT")
        }
        if let chosenEnvironment, let setting = take("env_\(chosenEnvironment)") {
            add(setting.value, ImportRemark(setting.written, "", .taken))
        }
        if let setting = take("filter_env"), setting.value.flag != false {
            remark(
                setting, .notNeeded,
                "programs get wsd's environment, not that of the shell they are started from")
        }
        if let setting = take("instance_var"), setting.value.scalar != "NODE_APP_INSTANCE" {
            remark(setting, .toDo, "the number of a process is in NODE_APP_INSTANCE (from 0) and WSD_NUMBER (from 1)")
        }
    }

    private mutating func setVariable(_ name: String, _ value: String) {
        variables.removeAll { $0.name == name }
        variables.append(EntryVariable(name: name, value: value))
    }

    private mutating func add(_ values: EcosystemValue, _ remark: ImportRemark) {
        var remark = remark
        guard let members = values.members else {
            remark.verdict = .toDo
            remark.text = "is no object of names and values; left out"
            self.remark(remark)
            return
        }
        var wrong: [String] = []
        for member in members {
            guard !member.key.isEmpty, !member.key.utf8.contains(where: { $0 == UInt8(ascii: "=") || $0 == 0 }),
                member.value.scalar?.utf8.contains(0) != true
            else {
                wrong.append(member.key)
                continue
            }
            // What is no text becomes one, as in node.
            setVariable(member.key, member.value.scalar ?? member.value.json)
        }
        remark.value = members.map(\.key).joined(separator: ", ")
        remark.becomes = members.isEmpty ? "" : "environment"
        if !wrong.isEmpty {
            remark.verdict = .toDo
            remark.text = "no variable can have such a name or value: \(wrong.joined(separator: ", "))"
        }
        self.remark(remark)
    }

    // MARK: - Users

    mutating func convertUser() {
        for (key, field) in [("uid", "user"), ("gid", "group")] {
            guard let setting = take(key), let name = setting.value.scalar, !name.isEmpty else { continue }
            set(field, .text(name))
            remark(setting, .taken, becomes: "\(field): \(name)")
        }
    }
}
