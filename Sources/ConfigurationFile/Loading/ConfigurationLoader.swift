import Glibc
import Model

/// Merges defaults, `wsd.yaml`, environment and flags (each stronger than the one before) into one checked configuration.
///
/// ``load()`` may be called again: a reload reads the same file anew.
package struct ConfigurationLoader: Sendable {
    /// What `--config` names; `nil`: `WSD_CONFIG`, then the first that exists of `./wsd.yaml`, `$XDG_CONFIG_HOME/wsd/wsd.yaml`
    /// (`~/.config/…`) and `/etc/wsd/wsd.yaml`, then none.
    package var file: String?
    package var environment: [String: String]
    package var flags: ConfigurationFlags
    /// Absolute; where relative paths start. Empty: it has been removed, and relative paths are refused.
    package var workingFolder: String

    private let schema: ConfigurationSchema

    /// - Parameter workingFolder: `nil`: the one of the process, at this moment.
    package init(
        file: String? = nil, environment: [String: String] = [:], flags: ConfigurationFlags = ConfigurationFlags(),
        workingFolder: String? = nil
    ) {
        self.init(
            file: file, environment: environment, flags: flags, workingFolder: workingFolder ?? Self.currentFolder(),
            schema: .current)
    }

    init(
        file: String?, environment: [String: String], flags: ConfigurationFlags, workingFolder: String,
        schema: ConfigurationSchema
    ) {
        self.file = file
        self.environment = EnvironmentLayer.own(environment)
        self.flags = flags
        self.workingFolder = workingFolder
        self.schema = schema
    }

    /// Reads everything anew. Throws all that is wrong at once.
    package func load() throws(ConfigurationErrors) -> LoadedConfiguration {
        let found: FileReader.Found?
        do throws(ConfigurationProblem) {
            let variable = environment["WSD_CONFIG"].flatMap { $0.isEmpty ? nil : $0 }
            found = try FileReader.read(
                explicit: file ?? variable,
                candidates: FileReader.candidates(environment: environment, folder: workingFolder),
                folder: workingFolder)
        } catch {
            throw ConfigurationErrors([error])
        }
        return try load(found)
    }

    /// Merges what was found with the rest.
    func load(_ found: FileReader.Found?) throws(ConfigurationErrors) -> LoadedConfiguration {
        var assembly = ConfigurationAssembly(schema: schema)
        let context = ValueContext(folder: workingFolder, credentials: environment["CREDENTIALS_DIRECTORY"])
        let fileLayer = found.map { found in
            var own = context
            own.folder = Self.folder(of: found.path)
            return FileLayer(found.source, schema: schema, context: own)
        }
        let environmentLayer = EnvironmentLayer(environment, schema: schema, context: context)
        let flagLayer = FlagLayer(flags, schema: schema, context: context)
        assembly.problems += (fileLayer?.problems ?? []) + environmentLayer.problems + flagLayer.problems

        let assignments = (fileLayer?.assignments ?? []) + environmentLayer.assignments + flagLayer.assignments
        for assignment in assignments where assignment.key.name != "listen" {
            assembly.assign(assignment)
        }
        let listen = ListenLayer(
            mode: assembly.configuration.mode, assignments: assignments.filter { $0.key.name == "listen" },
            environment: environment, flags: flags, into: &assembly)
        let fileWarnings = assembly.checkFiles()
        assembly.checkRules()

        guard assembly.problems.isEmpty else { throw ConfigurationErrors(assembly.sortedProblems()) }
        return LoadedConfiguration(
            configuration: assembly.configuration, entries: assembly.entries(), file: found?.path,
            warnings: environmentLayer.warnings + listen.warnings + fileWarnings
                + ConfigurationDoubts.about(assembly.configuration))
    }

    /// Keys whose values differ, by whether a reload can apply them.
    package static func differences(
        _ old: WsdConfiguration, _ new: WsdConfiguration
    ) -> (reloadable: [String], notReloadable: [String]) {
        let changed = ConfigurationSchema.current.keys.filter { !$0.access.equal(old, new) }
        let applies = { (key: SchemaKey) in reloads(key, old, new) }
        return (changed.filter(applies).map(\.name), changed.filter { !applies($0) }.map(\.name))
    }

    /// Whether a reload can apply a key. It can change the number of workers, but not from none, or to none: hub and sockets are
    /// made, or left out, at the start.
    private static func reloads(_ key: SchemaKey, _ old: WsdConfiguration, _ new: WsdConfiguration) -> Bool {
        key.reloadable && (key.name != "workers.count" || old.workers.areOff == new.workers.areOff)
    }

    /// What runs after a reload: `new`, with values and sources of `old` for every key that a reload cannot change.
    package static func reloaded(_ old: LoadedConfiguration, to new: LoadedConfiguration) -> LoadedConfiguration {
        var merged = new
        merged.configuration = reloaded(old.configuration, to: new.configuration)
        // Both are in the order of the schema.
        let countStays = old.configuration.workers.areOff != new.configuration.workers.areOff
        merged.entries = zip(old.entries, new.entries).map {
            $1.reloadable && !(countStays && $1.key == "workers.count") ? $1 : $0
        }
        return merged
    }

    /// The same without the sources.
    package static func reloaded(_ old: WsdConfiguration, to new: WsdConfiguration) -> WsdConfiguration {
        var merged = new
        for key in ConfigurationSchema.current.keys where !reloads(key, old, new) {
            key.access.copy(old, &merged)
        }
        return merged
    }

    private static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return "/" }
        return String(path[..<slash])
    }

    private static func currentFolder() -> String {
        guard let path = getcwd(nil, 0) else { return "" }
        defer { free(path) }
        return String(cString: path)
    }
}
