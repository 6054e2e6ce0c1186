import Model
import Yams

/// One entry of `programs` outside of the file: as it travels to the service and as it is remembered.
package enum ProgramEntry {
    /// Reads a JSON object with the keys of an entry of `programs`. Throws all that is wrong at once.
    ///
    /// - Parameter folder: Absolute; where relative paths start, and the working directory where the entry names none. `nil`:
    ///   relative paths are refused.
    package static func parse(
        json: String, defaults folder: String?
    ) throws(ConfigurationErrors) -> ProgramConfiguration {
        guard let node = try? JSONNode.read(json), node.mapping != nil else {
            throw refusal("program", ["it is no JSON object: {\"name\": …, \"command\": …}"])
        }
        return try parse(node, defaults: folder)
    }

    static func parse(_ node: Node, defaults folder: String?) throws(ConfigurationErrors) -> ProgramConfiguration {
        guard let key = ConfigurationSchema.current.key("programs"), let schema = key.entries else {
            throw refusal("program", ["the schema has no programs"])
        }
        let place = node.mapping?["name"]?.string.map(ShownText.plain) ?? "program"
        let origin = Origin(layer: .flags, named: place)
        let context = ValueContext(folder: folder ?? "")
        var reader = NodeReader(SourceText(name: place, text: ""), context: context, place: origin, standsAlone: true)
        guard let assignment = reader.assignment(node, key), case .entries(let entries) = assignment.content,
            let entry = entries.first
        else { throw refusal(place, reader.problems.map(\.message)) }
        var read = WsdConfiguration()
        let written = entry.fields.map { (leaf: $0.leaf, texts: $0.texts.map(\.text)) }
        let faults = schema.assign(&read, [written], context).map(entry.complaint)
        var messages = reader.problems.map(\.message) + faults
        if messages.isEmpty { messages = read.programs.flatMap(ProgramFaults.of).map(\.message) }
        guard messages.isEmpty, let program = read.programs.first else { throw refusal(place, messages) }
        return program
    }

    /// A JSON object of what is not the default, which ``parse(json:defaults:)`` reads back to an equal program.
    package static func text(_ program: ProgramConfiguration) -> String {
        let fresh = ProgramConfiguration()
        let members = ConfigurationSchema.program.filter { $0.isRequired || !$0.access.equal(program, fresh) }.map {
            field in
            let value =
                switch field.access.written(program) {
                case .one(let text), .yaml(let text): JSONNode.quoted(text)
                case .list(let texts): "[\(texts.map(JSONNode.quoted).joined(separator: ","))]"
                }
            return "\(JSONNode.quoted(field.leaf)):\(value)"
        }
        return "{\(members.joined(separator: ","))}"
    }

    /// Every key with its value as it would stand in `wsd.yaml`, in the order of the reference; words where nothing is set that
    /// has no text.
    ///
    /// - Parameter showsSecrets: The values of `environment`, too.
    package static func settings(
        _ program: ProgramConfiguration, showsSecrets: Bool = false
    ) -> [(key: String, value: String, isDefault: Bool)] {
        let fresh = ProgramConfiguration()
        return ConfigurationSchema.program.map { field in
            let isDefault = field.access.equal(program, fresh)
            let written = field.access.written(program)
            let text = (field.hidesValues && !showsSecrets ? written.hidden : written).yaml
            return (field.leaf, isDefault ? field.unset ?? text : text, isDefault)
        }
    }

    private static func refusal(_ place: String, _ messages: [String]) -> ConfigurationErrors {
        ConfigurationErrors(messages.map { ConfigurationProblem(place: place, message: $0) })
    }
}
