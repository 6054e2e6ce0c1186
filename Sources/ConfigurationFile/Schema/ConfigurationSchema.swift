import Model

/// The table of all keys and of the rules between them.
struct ConfigurationSchema: Sendable {
    /// Most entries of a list.
    static let listMax = 64

    var keys: [SchemaKey]
    var sections: [Section]
    var rules: [ConfigurationRule]

    struct Section: Sendable {
        /// Its key in the file.
        var name: String
        var documentation: String
    }

    static let current = ConfigurationSchema(
        keys: general + workers + restart + reload + shutdown + webSocket + rooms + http + hub + control + log,
        sections: [
            Section(name: "workers", documentation: "The worker processes."),
            Section(name: "restart", documentation: "When a process that ended is started again."),
            Section(name: "reload", documentation: "How the clients of a replaced worker are let go."),
            Section(name: "shutdown", documentation: "How the whole service stops."),
            Section(name: "websocket", documentation: "WebSocket connections and their limits."),
            Section(name: "rooms", documentation: "Rooms and their limits."),
            Section(name: "http", documentation: "What else is served on the same port."),
            Section(name: "hub", documentation: "The process that orders each room's messages."),
            Section(name: "control", documentation: "The control socket that wsctl speaks to."),
            Section(name: "log", documentation: "Logs of all processes."),
        ],
        rules: ConfigurationRule.all
    )

    func key(_ name: String) -> SchemaKey? {
        keys.first { $0.name == name }
    }

    func isSection(_ name: String) -> Bool {
        sections.contains { $0.name == name }
    }

    func keys(in section: String) -> [SchemaKey] {
        keys.filter { $0.section == section }
    }

    /// The known key that `name` was probably meant to be: by its whole path, or by its last word, in whatever section.
    func nearestKey(to name: String) -> String? {
        let names = keys.map(\.name) + sections.map(\.name)
        let parts = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        if parts.count == 2, isSection(parts[0]) {
            let siblings = keys(in: parts[0])
            if let leaf = Suggestion.nearest(to: parts[1], among: siblings.map(\.leaf)) { return "\(parts[0]).\(leaf)" }
        }
        if let near = Suggestion.nearest(to: name, among: names, beginnings: false) { return near }
        guard let leaf = Suggestion.nearest(to: parts.last ?? "", among: keys.map(\.leaf)) else { return nil }
        return keys.first { $0.leaf == leaf }?.name
    }
}
