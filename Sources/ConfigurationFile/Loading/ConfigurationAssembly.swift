import Model

/// A configuration in the making: values set so far, where they came from, and what was wrong.
struct ConfigurationAssembly {
    let schema: ConfigurationSchema
    var configuration = WsdConfiguration()
    var problems: [ConfigurationProblem] = []
    private var origins: [String: Origin] = [:]
    /// Places of what stands in lists of mappings.
    private var listEntries: [String: [Assignment.Entry]] = [:]
    /// Keys that somebody gave a value that is not one.
    private var invalid: Set<String> = []

    init(schema: ConfigurationSchema) {
        self.schema = schema
    }

    func origin(of key: String) -> Origin { origins[key] ?? .defaults }

    mutating func assign(_ assignment: Assignment) {
        switch assignment.content {
        case .texts(let texts): assign(assignment, texts)
        case .entries(let entries): assign(assignment, entries)
        }
    }

    private mutating func assign(_ assignment: Assignment, _ texts: [Assignment.Text]) {
        let key = assignment.key
        do throws(InvalidItem) {
            try key.access.assign(&configuration, texts.map(\.text), assignment.context)
            origins[key.name] = assignment.origin
        } catch {
            let text = texts.indices.contains(error.index) ? texts[error.index] : nil
            let message = Assignment.complaint(
                key.name, text, error, allowed: key.allowed, isList: key.isList, secret: key.secret)
            refuse(message, key.name, (text?.origin ?? assignment.origin).problem)
        }
    }

    private mutating func assign(_ assignment: Assignment, _ entries: [Assignment.Entry]) {
        let key = assignment.key
        guard let schema = key.entries else { return }
        let written = entries.map { $0.fields.map { (leaf: $0.leaf, texts: $0.texts.map(\.text)) } }
        var changed = configuration
        let faults = schema.assign(&changed, written, assignment.context)
        if assignment.isDamaged { invalid.insert(key.name) }
        guard !faults.isEmpty || assignment.isDamaged else {
            configuration = changed
            origins[key.name] = assignment.origin
            listEntries[key.name] = entries
            return
        }
        for fault in faults {
            let entry = entries[fault.entry]
            let written = entry.fields.first { $0.leaf == fault.field.leaf }
            let texts = written?.texts ?? []
            let text = texts.indices.contains(fault.item.index) ? texts[fault.item.index] : nil
            refuse(entry.complaint(fault), key.name, (text?.origin ?? written?.origin ?? entry.origin).problem)
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

    /// Checks what must hold between keys, at the entry that is at fault, else where a key was set by the strongest layer.
    mutating func checkRules() {
        for rule in schema.rules where invalid.isDisjoint(with: rule.keys) {
            for breach in rule.breaches(configuration) {
                let origins = rule.keys.map(origin(of:))
                let strongest = origins.dropFirst().reduce(origins.first ?? .defaults) { $1.layer > $0.layer ? $1 : $0 }
                problems.append((breach.place.flatMap(origin(of:)) ?? strongest).problem(breach.message))
            }
        }
    }

    /// Looks at the files that keys name. Returns warnings.
    mutating func checkFiles() -> [String] {
        var warnings: [String] = []
        for key in schema.keys where !invalid.contains(key.name) {
            guard let file = key.file, let path = file.path(configuration) else { continue }
            switch FileCheck.look(at: path, file.kind) {
            case .fine: break
            case .doubtful(let reason): warnings.append("\(key.name): \(ShownText.plain(path)) \(reason)")
            case .wrong(let reason):
                refuse(
                    "\(key.name) is \(ShownText.quoted(path)), which \(reason)", key.name, origin(of: key.name).problem)
            }
        }
        return warnings
    }

    private func origin(of place: ConfigurationRule.Place) -> Origin? {
        guard let number = place.entry else { return origins[place.key] }
        guard let entries = listEntries[place.key], entries.indices.contains(number) else { return nil }
        return entries[number].fields.first { $0.leaf == place.leaf }?.origin ?? entries[number].origin
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
