import Model

/// Something that must hold between values that are each allowed alone.
struct ConfigurationRule: Sendable {
    /// The keys it is about. It is left out when one of them has no valid value.
    var keys: [String]
    /// For the reference: what must hold, in Markdown.
    var documentation: String
    /// Where it does not hold.
    var breaches: @Sendable (WsdConfiguration) -> [Breach]

    struct Breach: Sendable {
        /// A sentence.
        var message: String
        /// What is at fault; `nil`: whatever of the keys was set by the strongest layer.
        var place: Place?
    }

    /// A key, or an entry (counted from 0) of a list of mappings.
    struct Place: Sendable {
        var key: String
        var entry: Int?
        var leaf = ""
    }

    init(
        keys: [String], documentation: String, breaches: @escaping @Sendable (WsdConfiguration) -> [Breach]
    ) {
        self.keys = keys
        self.documentation = documentation
        self.breaches = breaches
    }

    /// - Parameter broken: A sentence when the rule does not hold.
    init(keys: [String], documentation: String, broken: @escaping @Sendable (WsdConfiguration) -> String?) {
        self.init(keys: keys, documentation: documentation) { configuration -> [Breach] in
            broken(configuration).map { [Breach(message: $0)] } ?? []
        }
    }

    static let all = service + clients + tls + routes + programs + events

    private static let service = [
        atLeast("restart.maxDelay", \.restart.maxDelay, "restart.initialDelay", \.restart.initialDelay),
        atLeast("reload.drainTimeout", \.reload.drainTimeout, "reload.drainSpread", \.reload.drainSpread),
        atLeast("shutdown.timeout", \.shutdown.timeout, "shutdown.drainSpread", \.shutdown.drainSpread),
        atLeast("log.memoryTotal", \.log.memoryTotal, "log.memoryPerChild", \.log.memoryPerChild),
        // A message that a client may send must fit the queues on its way through the hub.
        atLeast("hub.heldBytes", \.hub.heldBytes, "websocket.maxMessageSize", \.websocket.maxMessageSize),
        atLeast("hub.linkQueue", \.hub.linkQueue, "websocket.maxMessageSize", \.websocket.maxMessageSize),
        // So must what the backend sends, and what a join brings.
        atLeast("hub.heldBytes", \.hub.heldBytes, "api.maxBody", \.api.maxBody),
        atLeast("hub.linkQueue", \.hub.linkQueue, "api.maxBody", \.api.maxBody),
        atLeast("hub.linkQueue", \.hub.linkQueue, "history.recoveryPage", \.history.recoveryPage),
        ConfigurationRule(
            keys: ["listen"],
            documentation:
                "`listen` holds at least one address, none twice; an address for all hosts excludes others on its port."
        ) { (configuration) -> String? in brokenListen(configuration.listen) },
        ConfigurationRule(
            keys: ["websocket.paths", "http.prefix"],
            documentation: "`websocket.paths` holds at least one path, none twice, none under `http.prefix`, "
                + "and neither `/healthz` nor `/readyz`."
        ) { (configuration) -> String? in brokenPaths(configuration.websocket.paths, prefix: configuration.http.prefix)
        },
        ConfigurationRule(
            keys: ["http.singlePage", "http.staticFolder"],
            documentation: "`http.singlePage` needs `http.staticFolder`."
        ) { (configuration) -> String? in
            guard configuration.http.singlePage, configuration.http.staticFolder == nil else { return nil }
            return "http.singlePage needs http.staticFolder: the folder whose index.html is to be served"
        },
        ConfigurationRule(
            keys: ["http.dashboard", "api.keys"],
            documentation: "`http.dashboard` needs a key in `api.keys` that allows `observe`."
        ) { (configuration) -> String? in
            let mayObserve = configuration.api.keys.contains { $0.allow.contains(.observe) }
            guard configuration.http.dashboard, !mayObserve else { return nil }
            return
                "http.dashboard needs a key in api.keys that allows observe: make one with wsctl key new NAME --allow observe"
        },
    ]

    private static func atLeast<Value: Comparable & Sendable>(
        _ high: String, _ highPath: any KeyPath<WsdConfiguration, Value> & Sendable,
        _ low: String, _ lowPath: any KeyPath<WsdConfiguration, Value> & Sendable
    ) -> ConfigurationRule {
        ConfigurationRule(
            keys: [high, low], documentation: "`\(high)` is at least `\(low)`."
        ) { (configuration) -> String? in
            guard configuration[keyPath: highPath] < configuration[keyPath: lowPath] else { return nil }
            let texts = [high, low].map { name in
                "\(name) (\(ConfigurationSchema.current.key(name)?.access.text(configuration) ?? ""))"
            }
            return "\(texts[0]) must be at least \(texts[1])"
        }
    }

    private static func brokenListen(_ listen: [ListenAddress]) -> String? {
        if listen.isEmpty { return "listen is empty; the service needs an address to listen on" }
        for (index, address) in listen.enumerated() {
            for earlier in listen[..<index] {
                switch (earlier, address) {
                case (.tcp(_, port: 0), .tcp(_, port: 0)): continue
                case _ where earlier == address: return "listen holds \(address) twice"
                case (.tcp(nil, let first), .tcp(_, let second)) where first == second:
                    return "listen holds \(address), which \(earlier) (all addresses) includes"
                case (.tcp(_, let first), .tcp(nil, let second)) where first == second:
                    return "listen holds \(earlier), which \(address) (all addresses) includes"
                default: continue
                }
            }
        }
        return nil
    }

    private static func brokenPaths(_ paths: [String], prefix: String) -> String? {
        if paths.isEmpty { return "websocket.paths is empty; clients need a path to connect to" }
        for (index, path) in paths.enumerated() {
            if paths[..<index].contains(path) { return "websocket.paths holds \(path) twice" }
            if "\(path)/".hasPrefix(prefix) {
                return
                    "websocket.paths holds \(path), which lies under http.prefix (\(prefix)), where wsd's own pages are"
            }
            if ["/healthz", "/readyz"].contains(path) {
                return "websocket.paths holds \(path), which answers health checks"
            }
        }
        return nil
    }
}
