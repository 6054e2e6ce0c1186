/// What an ecosystem file of PM2 means to wsd.
package struct EcosystemImport: Equatable, Sendable {
    package var programs: [ImportedProgram]
    /// About the file as a whole.
    package var remarks: [ImportRemark]

    /// - Parameters:
    ///   - name: of the file: its end says JSON or YAML, and which programs are not read. Without a known end the text decides.
    ///   - environment: whose `env_NAME` goes over `env` (`pm2 start --env NAME`).
    package init(
        _ text: String, name: String, environment: String?, host: EcosystemHost
    ) throws(EcosystemError) {
        let file = try EcosystemFile(text, name: name)
        programs = []
        remarks = Self.remarks(on: file)
        var names: Set<String> = []
        for (index, app) in file.apps.enumerated() {
            var converter = AppConverter(app, environment: environment, deploy: file.deploy, host: host)
            for var program in try converter.convert(number: index + 1) {
                program.makeUnique(among: &names)
                programs.append(program)
            }
            guard programs.count <= EcosystemLimits.programs else {
                throw .unusable("The file makes more than \(EcosystemLimits.programs) programs. Import it in parts.")
            }
        }
        if let environment { try Self.check(environment, file) }
    }

    /// JSON in one line: the entries, and every remark.
    package var json: String {
        let entries = programs.map(\.json).joined(separator: ",")
        let all = remarks.map { ("", $0) } + programs.flatMap { program in program.remarks.map { (program.name, $0) } }
        let report = all.map { program, remark in
            let pairs = [
                ("program", program), ("setting", remark.setting), ("value", remark.value),
                ("verdict", remark.verdict.rawValue), ("becomes", remark.becomes), ("remark", remark.text),
            ]
            return "{\(pairs.map { "\"\($0.0)\":\(EntryText.quoted($0.1))" }.joined(separator: ","))}"
        }
        return "{\"programs\":[\(entries)],\"report\":[\(report.joined(separator: ","))]}"
    }

    /// The section `programs:` of wsd.yaml, with what is to be done about it as comments.
    package var yaml: [String] {
        var lines = remarks.filter { $0.verdict == .toDo }.map { EntryText.comment("\($0.setting): \($0.text)") }
        lines.append("programs:")
        for program in programs {
            lines += program.remarks.filter { $0.verdict == .toDo || $0.verdict == .differs }.map { remark in
                "  " + EntryText.comment("\(remark.verdict == .toDo ? "To do: " : "")\(remark.setting): \(remark.text)")
            }
            lines += EntryText.yaml(program.entry)
        }
        return lines
    }

    /// `--env` of a name that no app knows is a slip.
    private static func check(_ environment: String, _ file: EcosystemFile) throws(EcosystemError) {
        let known = file.apps.joined().contains { $0.key == "env_\(environment)" }
        guard !known, file.deploy?.member(environment)?.member("env") == nil else { return }
        let names = Set(file.apps.joined().map(\.key).filter { $0.hasPrefix("env_") }.map { $0.dropFirst(4) }).sorted()
        throw .unusable(
            "No app has env_\(environment). "
                + (names.isEmpty ? "Leave --env out." : "There is: \(names.joined(separator: ", "))."))
    }

    private static func remarks(on file: EcosystemFile) -> [ImportRemark] {
        var remarks = file.remarks
        remarks += file.others.map { key in
            key == "static"
                ? ImportRemark(
                    "static", "", .toDo,
                    "PM2's server of files is not here; run one as a program, as `npx serve` or nginx")
                : ImportRemark(key, "", .notNeeded, "means nothing to PM2 either")
        }
        if let deploy = file.deploy, deploy != .null {
            let hosts = (deploy.members ?? []).map(\.key).joined(separator: ", ")
            remarks.append(
                ImportRemark(
                    "deploy", hosts, .toDo,
                    "wsd runs programs and brings none to a machine: let git, rsync or CI do it and end with "
                        + "`wsctl reload NAME`"))
        }
        return remarks
    }
}

/// One entry of `programs:`, and how it came about.
package struct ImportedProgram: Equatable, Sendable {
    package var name: String
    /// In the reference's order.
    package var entry: [EntryField]
    package var remarks: [ImportRemark]

    /// The entry as the control API takes it.
    package var json: String { EntryText.json(entry) }

    /// What it runs, in one line.
    package var command: String {
        guard let field = entry.first(where: { $0.key == "command" }), case .list(let words) = field.value else {
            return ""
        }
        return EntryText.line(words)
    }

    fileprivate mutating func makeUnique(among names: inout Set<String>) {
        guard !names.insert(name).inserted else { return }
        let wanted = name
        var number = 2
        while !names.insert("\(wanted.prefix(60))-\(number)").inserted { number += 1 }
        name = "\(wanted.prefix(60))-\(number)"
        entry[0].value = .text(name)
        remarks.append(ImportRemark("name", wanted, .differs, "the file has it twice; a name stands for one program"))
    }
}

/// What became of one setting.
package struct ImportRemark: Equatable, Sendable {
    package enum Verdict: String, Sendable, CaseIterable {
        /// It means the same here.
        case taken
        /// It was taken as far as it goes.
        case differs
        /// There is no such thing here, and nothing is missing.
        case notNeeded
        /// There is no such thing here, and somebody has to do something.
        case toDo

        package var word: String {
            switch self {
            case .taken: "taken"
            case .differs: "differs"
            case .notNeeded: "not needed"
            case .toDo: "to do"
            }
        }
    }

    /// As it stands in the file.
    package var setting: String
    /// Never that of a variable of the environment: those are often secret.
    package var value: String
    package var verdict: Verdict
    /// Keys of the entry with their values; empty: none.
    package var becomes = ""
    /// A sentence without its capital and full stop; empty where nothing is to be said.
    package var text: String

    init(_ setting: String, _ value: String, _ verdict: Verdict, becomes: String = "", _ text: String = "") {
        self.setting = setting
        self.value = value
        self.verdict = verdict
        self.becomes = becomes
        self.text = text
    }
}

/// What the meaning of a file depends on besides its text.
package struct EcosystemHost: Sendable {
    package enum Script: Sendable {
        case missing
        /// A binary, or a script with `#!`, that may be executed.
        case executable
        /// Text for an interpreter.
        case plain
    }

    /// Absolute; where relative paths begin.
    package var folder: String
    /// As many processes as `max` makes.
    package var cores: Int
    /// What is at an absolute path.
    package var script: @Sendable (String) -> Script
    /// The `PATH` that goes with a program which is named without a folder; `nil`: wsd's own is good enough.
    package var path: @Sendable (String) -> String?

    package init(
        folder: String, cores: Int, script: @escaping @Sendable (String) -> Script,
        path: @escaping @Sendable (String) -> String?
    ) {
        self.folder = folder
        self.cores = cores
        self.script = script
        self.path = path
    }
}
