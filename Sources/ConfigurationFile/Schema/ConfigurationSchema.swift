import Model

/// The table of all keys and of the rules between them.
struct ConfigurationSchema: Sendable {
    /// Most entries of a list.
    static let listMax = 64

    var keys: [SchemaKey]
    var sections: [Section]
    var rules: [ConfigurationRule]

    struct Section: Sendable {
        /// Its path in the file.
        var name: String
        var documentation: String
        /// A section that the same is said about, key by key; `nil`: there is none.
        var like: String?

        /// The section it stands in; empty at the top level.
        var parent: String { name.lastIndex(of: ".").map { String(name[..<$0]) } ?? "" }

        /// The word before the colon in the file.
        var leaf: String { name.lastIndex(of: ".").map { String(name[name.index(after: $0)...]) } ?? name }

        /// Sections that it lies in.
        var depth: Int { name.count { $0 == "." } }
    }

    static let current = ConfigurationSchema(
        keys: general + routes + programs + events + workers + restart + reload + shutdown + webSocket + compression
            + rooms
            + roomDefaults
            + history
            + auth + limits + api + webhooks + http + tls + hub + control + log,
        // A section stands right behind the one it lies in.
        sections: [
            Section(name: "workers", documentation: "The worker processes."),
            Section(name: "restart", documentation: "When a process that ended is started again."),
            Section(name: "reload", documentation: "How the clients of a replaced worker are let go."),
            Section(name: "shutdown", documentation: "How the whole service stops."),
            Section(name: "websocket", documentation: "WebSocket connections and their limits."),
            Section(
                name: "websocket.compression",
                documentation: "Compression of messages (permessage-deflate, RFC 7692), where the client offers it."),
            Section(name: "rooms", documentation: "Rooms, their limits, and who may do what in them."),
            Section(name: "rooms.defaults", documentation: "What holds in rooms that no entry of rooms.rules fits."),
            Section(name: "history", documentation: "Where kept messages lie, and how they are found again."),
            Section(name: "auth", documentation: "Who a client is: JSON Web Tokens (RFC 7519)."),
            Section(name: "limits", documentation: "How many may connect, from where, and how much they may send."),
            Section(name: "api", documentation: "The backend's HTTP API, api/v1 under http.prefix."),
            Section(
                name: "webhooks", documentation: "What the service asks or tells the application over HTTP, signed."),
            Section(
                name: "webhooks.connect",
                documentation: "Asked when a client connects or authenticates; may refuse it or say who it is."),
            Section(
                name: "webhooks.join", documentation: "Asked when a client wants to join a room.",
                like: "webhooks.connect"),
            Section(
                name: "webhooks.publish", documentation: "Asked before a client's message is delivered; may change it.",
                like: "webhooks.connect"),
            Section(
                name: "webhooks.rpc", documentation: "Answers requests of a type that wsd does not know.",
                like: "webhooks.connect"),
            Section(
                name: "webhooks.disconnect", documentation: "Told when a client is gone. Nothing waits for it.",
                like: "webhooks.connect"),
            Section(
                name: "webhooks.roomEmpty",
                documentation: "Told when a room's last member has left. Nothing waits for it.",
                like: "webhooks.connect"),
            Section(name: "http", documentation: "What else is served on the same port."),
            Section(name: "tls", documentation: "TLS without a proxy in front."),
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

    /// Sections right below one; below "" those at the top.
    func sections(in section: String) -> [Section] {
        sections.filter { $0.parent == section }
    }

    /// The known key that `name` was probably meant to be: by its whole path, or by its last word, in whatever section.
    func nearestKey(to name: String) -> String? {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        let section = parts.dropLast().joined(separator: ".")
        if parts.count > 1, isSection(section) {
            let siblings = keys(in: section).map(\.leaf) + sections(in: section).map(\.leaf)
            if let leaf = Suggestion.nearest(to: parts[parts.count - 1], among: siblings) {
                return "\(section).\(leaf)"
            }
        } else if let near = Suggestion.nearest(
            to: name, among: keys.map(\.name) + sections.map(\.name), beginnings: false)
        {
            return near
        }
        // In a section of its own kind, such as another webhook's, a key of that name does not help.
        let elsewhere = keys.filter { !isSection(section) || !areSiblings($0.section, section) }
        let leaf = Suggestion.nearest(
            to: parts.last ?? "", among: elsewhere.map(\.leaf), beginnings: !isSection(section))
        return leaf.flatMap { leaf in elsewhere.first { $0.leaf == leaf }?.name }
    }

    /// Below one section, which is not the file itself.
    private func areSiblings(_ first: String, _ second: String) -> Bool {
        let parents = [first, second].map { $0.split(separator: ".").dropLast() }
        return !parents[0].isEmpty && parents[0] == parents[1]
    }
}
