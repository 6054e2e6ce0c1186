import Model

// The entries of routes. Bounds stand also with the fields of RouteConfiguration.

private let kibibyte = 1 << 10
private let gibibyte = 1 << 30
private let day = Duration.seconds(24 * 60 * 60)

extension ConfigurationSchema {
    static let routes = [
        SchemaKey(
            "routes", entries: \.routes, of: RouteConfiguration(),
            [
                SchemaField(
                    "path", \.path, .routePath, required: true,
                    "The paths it is for: /api covers /api and what lies below it, / everything. The longest that fits counts."
                ),
                SchemaField(
                    "upstream", \.upstream, .upstream, required: true, "The server that answers."),
                SchemaField(
                    "stripPrefix", \.stripPrefix, .boolean, "The upstream sees the path without the route's own."),
                SchemaField(
                    "host", \.host, .choice,
                    "The Host that the upstream sees: keep the client's, or the upstream's own name."),
                SchemaField(
                    "connectTimeout", \.connectTimeout, .duration(.milliseconds(50) ... .seconds(300)),
                    "How long connecting to the upstream may take."),
                SchemaField(
                    "timeout", \.timeout, .duration(.milliseconds(50)...day),
                    "From the end of the request to the beginning of the answer; above it the answer is 504."),
                SchemaField(
                    "idleTimeout", \.idleTimeout, .duration(.seconds(1)...day, zero: "without end"),
                    "How long the upstream may be silent in the middle of an answer, or both ends of a WebSocket."),
                SchemaField(
                    "hold", \.hold, .duration(.zero ... .seconds(300)),
                    "How long a request waits while the upstream refuses connections, or its socket file is missing, because it "
                        + "is starting; then the answer is 503."),
                SchemaField(
                    "maxBody", \.maxBody, .size(kibibyte...1024 * gibibyte, zero: "any size"),
                    "Largest body of a request; above it the answer is 413."),
            ],
            allowed: "a list of routes, each with path and upstream",
            example: """
                - path: /api
                  upstream: http://127.0.0.1:3000
                  timeout: 2m
                - path: /
                  upstream: unix:/run/app/app.sock
                """,
            "Paths that another server answers, plain requests and WebSockets: an application on the same port. What is wsd's "
                + "own (http.prefix, /healthz, /readyz, and WebSockets on websocket.paths) stays wsd's; everything else goes to "
                + "the longest path that fits, before http.staticFolder.")
    ]
}

extension ValueFormat<String> {
    /// A prefix of paths; a slash at its end is dropped.
    static let routePath = ValueFormat(
        allowed: "a path that begins with /, without query, such as /api",
        parse: { (text, _) throws(InvalidValue) in
            guard text.isURLPath, !text.contains("//") else {
                let hint = "/\(text)".isURLPath && !text.hasPrefix("/") ? "did you mean /\(text)?" : nil
                throw InvalidValue(hint: hint)
            }
            return text.count > 1 && text.hasSuffix("/") ? String(text.dropLast()) : text
        },
        text: { $0 }
    )
}

extension ValueFormat<UpstreamAddress> {
    static let upstream = ValueFormat(
        allowed: "an address such as http://127.0.0.1:3000, https://app.example.org or unix:/run/app.sock",
        parse: { (text, _) throws(InvalidValue) in
            guard let address = UpstreamAddress(text) else { throw InvalidValue(hint: hint(text)) }
            guard case .tcp(let host, _, _) = address else { return address }
            guard NetworkText.isHost(host) else { throw InvalidValue() }
            return address
        },
        text: \.description
    )

    private static func hint(_ text: String) -> String? {
        for (wrong, right) in [("ws://", "http://"), ("wss://", "https://")] where text.hasPrefix(wrong) {
            return "WebSockets go the same way: \(right)\(text.dropFirst(wrong.count))"
        }
        if text.hasPrefix("/") { return "did you mean unix:\(text)?" }
        guard text.hasPrefix("http://") || text.hasPrefix("https://") else {
            return UpstreamAddress("http://\(text)") == nil ? nil : "did you mean http://\(text)?"
        }
        let rest = text[text.index(text.startIndex, offsetBy: text.hasPrefix("https://") ? 8 : 7)...]
        if rest.contains("@") { return "no user and password" }
        guard let slash = rest.firstIndex(of: "/") else { return nil }
        return "no path: the upstream sees the client's, without the route's own where stripPrefix is on: "
            + text[..<slash]
    }
}

extension ConfigurationRule {
    static let routes = [
        ConfigurationRule(
            keys: ["routes"], documentation: "`routes` holds no path twice."
        ) { (configuration) -> [Breach] in
            let routes = configuration.routes
            return routes.enumerated().compactMap { index, route in
                guard let first = routes[..<index].firstIndex(where: { $0.path == route.path }) else { return nil }
                return Breach(
                    message: "routes[\(index)] and routes[\(first)] are both for \(route.path); only one can answer",
                    place: Place(key: "routes", entry: index, leaf: "path"))
            }
        }
    ]
}

extension ConfigurationDoubts {
    /// Routes that never answer anything.
    static func routes(_ configuration: WsdConfiguration) -> [String] {
        configuration.routes.enumerated().compactMap { index, route in
            let name = "routes[\(index)].path"
            if "\(route.path)/".utf8.starts(with: configuration.http.prefix.utf8) {
                return
                    "\(name): \(route.path) lies under http.prefix (\(configuration.http.prefix)), which wsd answers "
                    + "itself; the route never does"
            }
            guard ["/healthz", "/readyz"].contains(route.path) else { return nil }
            return "\(name): wsd answers \(route.path) itself; the route only gets what lies below it"
        }
    }
}
