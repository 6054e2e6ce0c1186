/// What an ecosystem file holds, before anything is made of it.
struct EcosystemFile {
    var apps: [[EcosystemMember]]
    /// `deploy`: hosts, and variables of environments.
    var deploy: EcosystemValue?
    /// Other keys at the top, in order.
    var others: [String] = []
    /// About the kind of file.
    var remarks: [ImportRemark] = []

    init(_ text: String, name: String) throws(EcosystemError) {
        let root =
            switch try Self.format(text, name: name) {
            case .json: try RelaxedJSON.parse(text)
            case .yaml: try EcosystemYaml.parse(text)
            }
        var apps = root
        if let members = root.members {
            deploy = root.member("deploy")
            // PM2 takes `pm2` for `apps`, so that it may stand in package.json.
            if let key = ["apps", "pm2"].first(where: { root.member($0) != nil }), let found = root.member(key) {
                apps = found
                others = members.map(\.key).filter { $0 != key && $0 != "deploy" }
            }
        }
        let list: [EcosystemValue] = if case .list(let items) = apps { items } else { [apps] }
        self.apps = []
        for (index, item) in list.enumerated() {
            guard let members = item.members else {
                throw .unusable(
                    list.count == 1
                        ? "The file has no apps: an object, a list of objects, or such a list under `apps`."
                        : "App \(index + 1) of the file is no object.")
            }
            self.apps.append(members)
        }
        if PM2Dump.isDump(self.apps) { (self.apps, remarks) = PM2Dump.apps(self.apps) }
        guard !self.apps.isEmpty else { throw .unusable("The file has no apps.") }
        guard self.apps.count <= EcosystemLimits.programs else {
            throw .unusable("The file has more than \(EcosystemLimits.programs) apps. Import it in parts.")
        }
    }

    private enum Format {
        case json, yaml
    }

    /// By the end of its name; without a known one by what it begins with.
    private static func format(_ text: String, name: String) throws(EcosystemError) -> Format {
        let lowered = name.lowercased()
        if [".json", ".json5", ".jsonc"].contains(where: lowered.hasSuffix) { return .json }
        if [".yaml", ".yml"].contains(where: lowered.hasSuffix) { return .yaml }
        if let command = conversion(name) { throw .program(command: command) }
        let first = text.unicodeScalars.first { !$0.properties.isWhitespace && $0 != "\u{FEFF}" }
        if text.contains("module.exports") || text.contains("export default") {
            throw .program(command: conversion("./ecosystem.config.js") ?? "")
        }
        return first == "{" || first == "[" || first == "/" ? .json : .yaml
    }

    /// Takes JSON from standard input.
    private static let reader = [" | wsctl", "import", "-"].joined(separator: " ")

    /// The command that makes JSON of a program; `nil`: the name is none of a program.
    private static func conversion(_ name: String) -> String? {
        guard let dot = name.lastIndex(of: ".") else { return nil }
        let isPlain = name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: "._/-".utf8.contains(byte)
            }
        }
        let end = String(name[dot...].lowercased())
        // A name with quotes or spaces would need quotes in quotes.
        let shown = isPlain ? name : "ecosystem.config\(end)"
        // Without a beginning like these, node looks for a module of that name.
        let path = ["/", "./", "../"].contains(where: shown.hasPrefix) ? shown : "./\(shown)"
        let load = "import(\"\(path)\").then(m => console.log(JSON.stringify(m.default)))"
        switch end {
        case ".js", ".cjs": return "node -p 'JSON.stringify(require(\"\(path)\"))'\(reader)"
        case ".mjs": return "node -e '\(load)'\(reader)"
        case ".ts", ".mts", ".cts": return "npx tsx -e '\(load)'\(reader)"
        default: return nil
        }
    }
}
