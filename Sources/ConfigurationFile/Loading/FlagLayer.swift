import Model

/// What the command line says, apart from `--host` and `--port` (see ``ListenLayer``).
struct FlagLayer {
    private(set) var assignments: [Assignment] = []
    private(set) var problems: [ConfigurationProblem] = []

    init(_ flags: ConfigurationFlags, schema: ConfigurationSchema, context: ValueContext) {
        for (name, text, flag) in flags.values {
            guard let key = schema.key(name) else { continue }
            add(key, text, Origin(layer: .flags, named: flag), context)
        }
        for setting in flags.settings {
            let parts = setting.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            let place = "--set \(ShownText.plain(parts[0]))"
            guard parts.count == 2 else {
                refuse("it needs a value: --set key=value", place)
                continue
            }
            guard let key = schema.key(parts[0]) else {
                let near = schema.nearestKey(to: parts[0]).map { "; did you mean \($0)?" } ?? ""
                refuse("\(ShownText.plain(parts[0])) is not a key of wsd.yaml\(near)", place)
                continue
            }
            if let earlier = assignments.first(where: { $0.key.name == key.name }) {
                refuse("\(key.name) is already set by \(earlier.origin.text)", place)
                continue
            }
            add(key, parts[1], Origin(layer: .flags, named: place), context)
        }
    }

    private mutating func add(_ key: SchemaKey, _ written: String, _ origin: Origin, _ context: ValueContext) {
        let assignment = Assignment(
            key: key, written: written, origin: origin, context: context, problems: &problems)
        if let assignment { assignments.append(assignment) }
    }

    private mutating func refuse(_ message: String, _ place: String) {
        problems.append(ConfigurationProblem(place: place, message: message))
    }
}

extension ConfigurationFlags {
    /// Flags that stand for one key.
    var values: [(key: String, text: String, flag: String)] {
        let given = [
            ("mode", mode, mode == RunMode.prod.rawValue ? "--prod" : "--dev"),
            ("listen", listen.isEmpty ? nil : listen.joined(separator: ","), "--listen"),
            ("workers.count", workers, "--workers"), ("control.socket", socket, "--socket"),
            ("log.level", logLevel, "--log-level"), ("log.format", logFormat, "--log-format"),
        ]
        return given.compactMap { key, text, flag in text.map { (key, $0, flag) } }
    }
}
