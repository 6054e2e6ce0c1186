import Model

@testable import ConfigurationFile

/// Loads a text as if it were `wsd.yaml` in `/srv/app`.
func load(
    _ text: String? = nil, environment: [String: String] = [:], flags: ConfigurationFlags = ConfigurationFlags(),
    schema: ConfigurationSchema = .current
) throws(ConfigurationErrors) -> LoadedConfiguration {
    let loader = ConfigurationLoader(
        file: nil, environment: environment, flags: flags, workingFolder: "/srv/app", schema: schema)
    return try loader.load(
        text.map { FileReader.Found(source: SourceText(name: "wsd.yaml", text: $0), path: "/srv/app/wsd.yaml") })
}

/// What is wrong with a text, each as `place: message`.
func problems(
    _ text: String? = nil, environment: [String: String] = [:], flags: ConfigurationFlags = ConfigurationFlags()
) -> [String] {
    do throws(ConfigurationErrors) {
        _ = try load(text, environment: environment, flags: flags)
        return []
    } catch {
        return error.problems.map { "\($0.place): \($0.message)" }
    }
}

extension LoadedConfiguration {
    func source(_ key: String) -> String? { entries.first { $0.key == key }?.source }
    func value(_ key: String) -> String? { entries.first { $0.key == key }?.value }
}

extension ConfigurationFlags {
    init(_ change: (inout ConfigurationFlags) -> Void) {
        self.init()
        change(&self)
    }
}
