import Model

/// A configuration in the making: values set so far, where they came from, and what was wrong.
struct ConfigurationAssembly {
    let schema: ConfigurationSchema
    var configuration = WsdConfiguration()
    var problems: [ConfigurationProblem] = []
    private var origins: [String: Origin] = [:]
    /// Keys that somebody gave a value that is not one.
    private var invalid: Set<String> = []

    init(schema: ConfigurationSchema) {
        self.schema = schema
    }

    func origin(of key: String) -> Origin { origins[key] ?? .defaults }

    mutating func assign(_ assignment: Assignment) {
        let key = assignment.key
        do throws(SchemaKey.InvalidItem) {
            try key.access.assign(&configuration, assignment.texts.map(\.text), assignment.context)
            origins[key.name] = assignment.origin
        } catch {
            let text = assignment.texts.indices.contains(error.index) ? assignment.texts[error.index] : nil
            let value =
                key.secret ? "is not allowed" : "\(key.isList ? "holds" : "is") \(ShownText.quoted(text?.text ?? ""))"
            let hint = error.reason.hint.map { "; \($0)" } ?? ""
            refuse(
                "\(key.name) \(value); it must be \(key.allowed)\(hint)", key.name,
                (text?.origin ?? assignment.origin).problem)
        }
    }

    /// Sets the addresses to listen on, put together from several places.
    mutating func listen(on addresses: [ListenAddress], origin: Origin?) {
        configuration.listen = addresses
        origins["listen"] = origin
    }

    /// Notes a problem with the value of a key; rules about the key are then left out.
    mutating func refuse(_ message: String, _ key: String, _ problem: (String) -> ConfigurationProblem) {
        invalid.insert(key)
        problems.append(problem(message))
    }

    /// Checks what must hold between keys, at the place that was strongest in setting one of them.
    mutating func checkRules() {
        for rule in schema.rules where invalid.isDisjoint(with: rule.keys) {
            guard let message = rule.broken(configuration) else { continue }
            let origins = rule.keys.map(origin(of:))
            let place = origins.dropFirst().reduce(origins.first ?? .defaults) { $1.layer > $0.layer ? $1 : $0 }
            problems.append(place.problem(message))
        }
    }

    /// Problems by line, then those outside the file in the order they were found.
    func sortedProblems() -> [ConfigurationProblem] {
        problems.enumerated().sorted { first, second in
            (first.element.line ?? .max, first.offset) < (second.element.line ?? .max, second.offset)
        }.map(\.element)
    }

    func entries() -> [LoadedEntry] {
        schema.keys.map { key in
            LoadedEntry(
                key: key.name, value: key.shownText(configuration), source: origin(of: key.name).text,
                reloadable: key.reloadable, secret: key.secret)
        }
    }
}
