/// What the environment says, apart from addresses (see ``ListenLayer``). An empty variable counts as not set.
struct EnvironmentLayer {
    private(set) var assignments: [Assignment] = []
    private(set) var problems: [ConfigurationProblem] = []
    private(set) var warnings: [String] = []

    /// Variables besides those of keys.
    static let others = ["WSD_CONFIG", "WSD_HOST", "WSD_PORT"] + ofPrograms

    /// What a wsd that another one runs as a program was told about itself.
    private static let ofPrograms = ["WSD_PROGRAM", "WSD_NUMBER", "WSD_INSTANCE", "WSD_SUPERVISOR"]

    /// Without the control socket of the wsd that runs this one as a program: that one's is taken, and this one's is another.
    static func own(_ environment: [String: String]) -> [String: String] {
        guard let supervisor = environment["WSD_SUPERVISOR"], environment["WSD_SOCKET"] == supervisor else {
            return environment
        }
        return environment.filter { $0.key != "WSD_SOCKET" }
    }

    init(_ environment: [String: String], schema: ConfigurationSchema, context: ValueContext) {
        for key in schema.keys {
            guard let written = environment[key.variable], !written.isEmpty else { continue }
            let origin = Origin(layer: .environment, named: "environment \(key.variable)")
            let assignment = Assignment(
                key: key, written: written, origin: origin, context: context, problems: &problems)
            if let assignment { assignments.append(assignment) }
        }
        // Foreign WSD_… variables are nobody's mistake (Kubernetes makes some for a service of that name); near misses are.
        let known = schema.keys.map(\.variable) + Self.others
        for name in environment.keys.sorted() where name.hasPrefix("WSD_") && !known.contains(name) {
            guard let near = Suggestion.nearest(to: name, among: known) else { continue }
            warnings.append("\(ShownText.plain(name)) is not a variable of wsd; did you mean \(near)?")
        }
    }
}
