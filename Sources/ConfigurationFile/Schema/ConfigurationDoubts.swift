import Glibc
import Model

/// What is allowed, but probably not what somebody meant.
enum ConfigurationDoubts {
    /// Sentences for the log.
    static func about(_ configuration: WsdConfiguration) -> [String] {
        folders(configuration) + identities(configuration) + history(configuration.rooms)
            + tls(configuration) + routes(configuration) + programs(configuration) + events(configuration)
    }

    private static func folders(_ configuration: WsdConfiguration) -> [String] {
        guard let folder = configuration.http.staticFolder, access(folder, R_OK | X_OK) != 0 else { return [] }
        return ["http.staticFolder: \(folder) cannot be read: \(String(cString: strerror(errno)))"]
    }

    /// Rights for those who said who they are, where nobody can.
    private static func identities(_ configuration: WsdConfiguration) -> [String] {
        guard !configuration.knowsIdentities else { return [] }
        let rooms = configuration.rooms
        var rights = [("rooms.broadcast", rooms.broadcast), ("rooms.direct", rooms.direct)]
        rights += self.rights("rooms.defaults", rooms.defaults)
        rights += rooms.rules.enumerated().flatMap { self.rights("rooms.rules[\($0)]", $1) }
        let names = rights.filter { $0.1 == .users || $0.1 == .granted }.map(\.0)
        guard let first = names.first else { return [] }
        let more = names.count > 1 ? " (and \(names.count - 1) more)" : ""
        return [
            "\(first)\(more) is for users only, but nobody can be one: there is neither a key for tokens (auth.secretFile, "
                + "auth.publicKeyFile, auth.jwksFile) nor webhooks.connect.url"
        ]
    }

    private static func rights(_ name: String, _ rule: RoomRule) -> [(String, Who?)] {
        [
            ("\(name).join", rule.join), ("\(name).publish", rule.publish), ("\(name).presence", rule.presence),
            ("\(name).history", rule.history),
        ]
    }

    /// A time to live of messages that are not kept.
    private static func history(_ rooms: RoomsConfiguration) -> [String] {
        let base = rooms.defaults.historySize ?? 0
        var names = rooms.rules.enumerated().filter { $1.historyTTL != nil && ($1.historySize ?? base) == 0 }
            .map { "rooms.rules[\($0.offset)]" }
        let isKeptSomewhere = base > 0 || rooms.rules.contains { ($0.historySize ?? 0) > 0 }
        if rooms.defaults.historyTTL != nil, !isKeptSomewhere { names.insert("rooms.defaults", at: 0) }
        return names.map { "\($0).historyTTL says nothing, because no messages are kept there: set historySize" }
    }
}
