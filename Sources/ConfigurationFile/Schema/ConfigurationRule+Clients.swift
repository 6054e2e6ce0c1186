import Model

// Rules about who may connect and what they may do.

extension ConfigurationRule {
    static let clients =
        [
            ConfigurationRule(
                keys: ["auth.required"] + authKeys,
                documentation:
                    "`auth.required` needs a key to check tokens with (`auth.secretFile`, `auth.publicKeyFile` or "
                    + "`auth.jwksFile`) or `webhooks.connect.url`."
            ) { (configuration) -> String? in
                guard configuration.auth.required, !configuration.knowsIdentities else { return nil }
                return "auth.required is on, but nobody could authenticate: set auth.secretFile, auth.publicKeyFile or "
                    + "auth.jwksFile, or webhooks.connect.url"
            },
            ConfigurationRule(
                keys: ["limits.proxyProtocol", "http.trustedProxies"],
                documentation: "`limits.proxyProtocol` needs `http.trustedProxies`."
            ) { (configuration) -> String? in
                guard configuration.limits.proxyProtocol, configuration.http.trustedProxies.isEmpty else { return nil }
                return "limits.proxyProtocol needs http.trustedProxies: the addresses of the proxies that send it"
            },
            ConfigurationRule(
                keys: ["limits.origins"],
                documentation: "`limits.origins` holds no origin twice, and nothing besides `*` where that is in it."
            ) { (configuration) -> String? in configuration.limits.origins.flatMap(brokenOrigins) },
            ConfigurationRule(
                keys: ["rooms.rules"],
                documentation:
                    "No entry of `rooms.rules` stands behind one whose `match` fits all of its rooms: the first that "
                    + "fits holds."
            ) { (configuration) -> [Breach] in hiddenRules(configuration.rooms.rules) },
            ConfigurationRule(
                keys: ["api.keys"],
                documentation: "`api.keys` holds no name and no key twice, and none that may do nothing."
            ) { (configuration) -> [Breach] in wrongKeys(configuration.api.keys) },
            ConfigurationRule(
                keys: ["webhooks.secretFile"] + hooks,
                documentation: "A `url` of `webhooks` needs `webhooks.secretFile`."
            ) { (configuration) -> [Breach] in unsignedHooks(configuration.webhooks) },
        ]

    private static let authKeys = ["auth.secretFile", "auth.publicKeyFile", "auth.jwksFile", "webhooks.connect.url"]

    private static let hooks = WebhooksConfiguration().all.map { "webhooks.\($0.name).url" }

    private static func unsignedHooks(_ webhooks: WebhooksConfiguration) -> [Breach] {
        guard webhooks.secretFile == nil else { return [] }
        return webhooks.all.filter { $0.hook.url != nil }.map { name, _ in
            let key = "webhooks.\(name).url"
            let message = "\(key) needs webhooks.secretFile: the file with the secret that signs the calls"
            return Breach(message: message, place: Place(key: key))
        }
    }

    private static func brokenOrigins(_ origins: [String]) -> String? {
        if origins.isEmpty {
            return "limits.origins is empty, so that no page could connect; for all of them write \"*\""
        }
        for (index, origin) in origins.enumerated() where origins[..<index].contains(origin) {
            return "limits.origins holds \(origin) twice"
        }
        guard origins.count > 1, origins.contains("*") else { return nil }
        return "limits.origins holds *, which includes all others"
    }

    private static func hiddenRules(_ rules: [RoomRule]) -> [Breach] {
        rules.enumerated().compactMap { index, rule in
            // What stands for anything in the later pattern is matched by nothing but the like in the earlier one.
            let name = RoomName(
                rule.match.split(separator: "{user}", omittingEmptySubsequences: false).joined(separator: "*"))
            let hiding = rules[..<index].firstIndex { RoomPattern($0.match).matchesAnyUser(name) }
            guard let hiding else { return nil }
            let first = "rooms.rules[\(hiding)]"
            let shown = ShownText.quoted(rules[hiding].match)
            let message =
                rules[hiding].match == rule.match
                ? "rooms.rules[\(index)] and \(first) are both about \(shown); only the first would hold"
                : "rooms.rules[\(index)] would never hold: \(first) is about \(shown), which fits all of its rooms; "
                    + "put the narrower rule first"
            return Breach(message: message, place: Place(key: "rooms.rules", entry: index, leaf: "match"))
        }
    }

    private static func wrongKeys(_ keys: [APIKey]) -> [Breach] {
        keys.enumerated().compactMap { index, key in
            let place = { (leaf: String) in Place(key: "api.keys", entry: index, leaf: leaf) }
            if let first = keys[..<index].firstIndex(where: { $0.name == key.name }) {
                let message = "api.keys[\(index)] has the name \(key.name), as api.keys[\(first)] has"
                return Breach(message: message, place: place("name"))
            }
            if key.allow.isEmpty {
                return Breach(
                    message: "api.keys[\(index)] (\(key.name)) may do nothing: allow is empty", place: place("allow"))
            }
            guard let first = keys[..<index].firstIndex(where: { $0.sha256 == key.sha256 }) else { return nil }
            let message =
                "api.keys[\(index)] (\(key.name)) and api.keys[\(first)] (\(keys[first].name)) are the same key"
            return Breach(message: message, place: place("sha256"))
        }
    }
}
