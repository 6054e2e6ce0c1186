import Model

/// Makes a program of one app of an ecosystem file.
struct AppConverter {
    /// One setting of the app.
    struct Setting {
        /// The schema's name.
        var key: String
        var written: String
        var value: EcosystemValue
    }

    let host: EcosystemHost
    let chosenEnvironment: String?
    let deploy: EcosystemValue?

    /// Not looked at yet.
    private(set) var rest: [Setting]
    private(set) var entry: [EntryField] = []
    private(set) var remarks: [ImportRemark] = []
    var variables: [EntryVariable] = []
    /// Absolute.
    var folder: String
    /// Node.js or Bun runs it.
    var isNode = false
    /// Its processes are to share a port, so that whoever connects to it may reach another one.
    var sharesPort = false
    /// Processes with variables of their own, by `increment_var`.
    var increment: (name: String, count: Int)?

    init(_ app: [EcosystemMember], environment: String?, deploy: EcosystemValue?, host: EcosystemHost) {
        self.host = host
        self.deploy = deploy
        chosenEnvironment = environment
        folder = host.folder
        rest = app.filter { $0.value != .null }.map { member in
            Setting(key: EcosystemKeys.canonical(member.key), written: member.key, value: member.value)
        }
    }

    /// - Parameter number: of the app in its file, for errors.
    mutating func convert(number: Int) throws(EcosystemError) -> [ImportedProgram] {
        guard let script = take("script"), let path = script.value.scalar, !path.isEmpty else {
            let name = take("name")?.value.scalar
            throw .unusable("App \(number)\(name.map { " (\($0))" } ?? "") has no `script`.")
        }
        let name = convertName(script: path)
        convertFolder()
        convertCommand(script, path)
        convertEnvironment()
        convertProcesses()
        convertUser()
        convertRestarts()
        convertStop()
        convertReadiness()
        convertMemory()
        convertWatch()
        convertCron()
        tellOfTheRest()
        if !variables.isEmpty { set("environment", .mapping(variables)) }
        entry.sort { Self.place($0.key) < Self.place($1.key) }
        return programs(name)
    }

    private static func place(_ key: String) -> Int { EcosystemKeys.entryOrder.firstIndex(of: key) ?? .max }

    /// One program, or one for each process where they differ in a variable.
    private func programs(_ name: String) -> [ImportedProgram] {
        guard let increment else { return [ImportedProgram(name: name, entry: entry, remarks: remarks)] }
        let first = variables.first { $0.name == increment.name }.flatMap { Int($0.value) } ?? 0
        return (0..<increment.count).map { index in
            let own = "\(name.prefix(60))-\(index + 1)"
            var variables = variables.filter { $0.name != increment.name }
            variables.append(EntryVariable(name: increment.name, value: String(first &+ index)))
            var copy = entry.filter { $0.key != "environment" && $0.key != "instances" && $0.key != "name" }
            copy += [
                EntryField(key: "name", value: .text(own)), EntryField(key: "environment", value: .mapping(variables)),
            ]
            copy.sort { Self.place($0.key) < Self.place($1.key) }
            return ImportedProgram(name: own, entry: copy, remarks: index == 0 ? remarks : [])
        }
    }

    // MARK: - Settings in, fields and remarks out

    /// Takes a setting out of what is left.
    mutating func take(_ key: String) -> Setting? {
        // PM2 prefers the schema's own name.
        guard let index = rest.firstIndex(where: { $0.written == key }) ?? rest.firstIndex(where: { $0.key == key })
        else { return nil }
        return rest.remove(at: index)
    }

    /// Takes a setting that is a number; says so where it is none.
    mutating func takeNumber(_ key: String) -> (setting: Setting, number: Double)? {
        guard let setting = take(key) else { return nil }
        guard let number = setting.value.number else {
            remark(setting, .toDo, "is no number; left out")
            return nil
        }
        return (setting, number)
    }

    /// Takes a setting that is true or false.
    mutating func takeFlag(_ key: String) -> (setting: Setting, flag: Bool)? {
        guard let setting = take(key) else { return nil }
        guard let flag = setting.value.flag else {
            remark(setting, .toDo, "is neither true nor false; left out")
            return nil
        }
        return (setting, flag)
    }

    mutating func set(_ key: String, _ value: EntryField.Value) {
        entry.removeAll { $0.key == key }
        entry.append(EntryField(key: key, value: value))
    }

    mutating func remark(
        _ setting: Setting, _ verdict: ImportRemark.Verdict, becomes: String = "", _ text: String = ""
    ) {
        remarks.append(ImportRemark(setting.written, setting.value.shown, verdict, becomes: becomes, text))
    }

    mutating func remark(_ remark: ImportRemark) { remarks.append(remark) }

    /// Settings without a counterpart, and those that nobody knows.
    private mutating func tellOfTheRest() {
        for setting in rest {
            if setting.key.hasPrefix("env_") {
                remarks.append(
                    ImportRemark(
                        setting.written, "", .notNeeded,
                        "not chosen; --env \(setting.written.dropFirst(4)) takes it"))
            } else if let other = EcosystemKeys.others[setting.key] {
                remark(setting, other.verdict, other.text)
            } else if EcosystemKeys.converted.contains(setting.key) {
                remark(setting, .notNeeded, "stands in the file by another name, too, which was taken")
            } else {
                remark(setting, .notNeeded, "unknown to PM2 as well")
            }
        }
        rest = []
    }

    // MARK: - Name and folder

    private mutating func convertName(script: String) -> String {
        let setting = take("name")
        var name = setting?.value.scalar ?? Self.name(ofScript: script)
        let written = name
        if let (suffix, flag) = takeFlag("append_env_to_name"), flag {
            if let chosenEnvironment { name += "-\(chosenEnvironment)" }
            remark(suffix, .taken)
        }
        let usable = Self.usableName(name)
        set("name", .text(usable))
        if usable != name {
            remark(
                ImportRemark(
                    "name", written, .differs, becomes: "name: \(usable)",
                    "names are letters, digits, dots, _ and -, and none of the words that commands know"))
        } else if let setting {
            remark(setting, .taken, becomes: "name: \(usable)")
        }
        return usable
    }

    /// As PM2 names an app: the file without its folder and end.
    private static func name(ofScript script: String) -> String {
        let file = script.split(separator: "/").last.map(String.init) ?? script
        guard let dot = file.lastIndex(of: "."), dot != file.startIndex else { return file }
        return String(file[..<dot])
    }

    private static func usableName(_ name: String) -> String {
        if ProgramConfiguration.isName(name) { return name }
        var usable = ""
        for character in name.unicodeScalars {
            let isFine =
                character.isASCII
                && (character.properties.isAlphabetic || "0123456789._-".unicodeScalars.contains(character))
            if isFine { usable.unicodeScalars.append(character) } else if usable.last != "-" { usable += "-" }
        }
        usable = String(usable.drop { "._-".contains($0) }.prefix(60))
        while usable.last == "-" { usable.removeLast() }
        if ProgramConfiguration.isName(usable) { return usable }
        let longer = usable.isEmpty ? "app" : "\(usable)-app"
        return ProgramConfiguration.isName(longer) ? longer : "app"
    }

    private mutating func convertFolder() {
        if let setting = take("cwd"), let path = setting.value.scalar, !path.isEmpty {
            folder = PathText.absolute(path, in: host.folder)
            remark(setting, .taken, becomes: "folder: \(folder)")
        }
        set("folder", .text(folder))
    }
}

/// Paths as text.
enum PathText {
    /// Without `.`, `..` and doubled slashes; symbolic links are not looked at.
    static func absolute(_ path: String, in folder: String) -> String {
        let full = path.hasPrefix("/") ? path : "\(folder)/\(path)"
        var parts: [Substring] = []
        for part in full.split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return "/" + parts.joined(separator: "/")
    }

    /// `.js`, lower case; empty: none.
    static func end(_ path: String) -> String {
        let file = path.split(separator: "/").last ?? ""
        guard let dot = file.lastIndex(of: "."), dot != file.startIndex else { return "" }
        return file[dot...].lowercased()
    }

    static func last(_ path: String) -> String { path.split(separator: "/").last.map(String.init) ?? path }
}
