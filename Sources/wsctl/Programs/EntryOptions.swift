import ArgumentParser

/// Settings of a new program on the command line.
struct EntryOptions: ParsableArguments {
    @Option(help: "Its name; otherwise that of the script or program.")
    var name: String?

    @Option(
        name: [.customShort("i"), .long],
        help: ArgumentHelp("Processes: a number, or max for one per core.", valueName: "count"))
    var instances: String?

    @Option(
        help: ArgumentHelp("Working directory; otherwise the present one.", valueName: "folder"), completion: .directory
    )
    var cwd: String?

    @Option(
        parsing: .singleValue,
        help: ArgumentHelp(
            "A variable of its environment; NAME alone takes your value. May be repeated.", valueName: "name=value"))
    var env: [String] = []

    @Option(
        name: .customLong("env-file"), parsing: .singleValue,
        help: ArgumentHelp(
            "A file with a NAME=value in each line, read at each start. May be repeated.", valueName: "file"),
        completion: .file())
    var envFiles: [String] = []

    @Flag(help: "Restart when something in its folder changes; --watch=PATH for that path alone.")
    var watch = false

    @Option(
        name: .customLong("watch-path"), parsing: .singleValue,
        help: ArgumentHelp("The same as --watch=PATH. May be repeated.", valueName: "path"), completion: .file())
    var watchPaths: [String] = []

    @Option(
        parsing: .singleValue,
        help: ArgumentHelp("Changes there do not count: node_modules, '*.log'. May be repeated.", valueName: "pattern"))
    var ignore: [String] = []

    @Option(help: ArgumentHelp("Restart at these times, as in crontab(5): '0 4 * * *'.", valueName: "times"))
    var cron: String?

    @Option(help: "User to run as; wsd has to run as root.")
    var user: String?

    @Option(
        help: ArgumentHelp("After an unasked end: always, on-failure or never. (default: always)", valueName: "when"),
        completion: .list(["always", "on-failure", "never"]))
    var restart: String?

    @Option(
        name: .customLong("max-memory"),
        help: ArgumentHelp("Replace a process that takes more, descendants included: 200M.", valueName: "size"))
    var maxMemory: String?

    @Option(
        help: ArgumentHelp(
            "When it counts as started: notify, 2s, tcp://3000, http://127.0.0.1:3000/health, 'log:TEXT'.",
            valueName: "how"))
    var ready: String?

    @Option(
        parsing: .singleValue,
        help: ArgumentHelp(
            "An address that wsd opens and hands to it (LISTEN_FDS): reloads refuse nobody. May be repeated.",
            valueName: "address"))
    var listen: [String] = []

    @Option(
        name: .customLong("stop-signal"), help: ArgumentHelp("Asks it to end. (default: SIGTERM)", valueName: "signal"))
    var stopSignal: String?

    @Option(
        name: .customLong("stop-timeout"),
        help: ArgumentHelp("From that signal to SIGKILL. (default: 10s)", valueName: "time"))
    var stopTimeout: String?

    @Option(
        name: .customLong("set"), parsing: .singleValue,
        help: ArgumentHelp(
            "Any key of programs in wsd.yaml, as in --set stableAfter=30s. Repeated for lists.", valueName: "key=value")
    )
    var settings: [String] = []

    /// Any of them was given.
    var isAnyGiven: Bool {
        [name, instances, cwd, cron, user, restart, maxMemory, ready, stopSignal, stopTimeout].contains { $0 != nil }
            || watch || [env, envFiles, watchPaths, ignore, listen, settings].contains { !$0.isEmpty }
    }
}

extension EntryOptions {
    /// The program with these settings.
    ///
    /// - Parameters:
    ///   - folder: the caller's; relative paths start there.
    ///   - environment: the caller's.
    func entry(
        _ command: StartPlan.Command, folder: String, environment: [String: String]
    ) throws(StartComplaint) -> ProgramEntry {
        let home = StartPlan.absolute(cwd ?? ".", from: folder)
        var entry = ProgramEntry()
        entry["command"] = command.isOneText ? .text(command.words.joined()) : .list(command.words)
        let words = command.isOneText ? command.words.joined().split(separator: " ").map(String.init) : command.words
        guard let name = name ?? ProgramNaming.name(of: words, folder: home) else {
            throw StartComplaint("No name comes of this command by itself: give it one with --name.")
        }
        entry.set("name", name)
        entry.set("folder", home)
        entry.set("instances", instances)
        let variables = try variables(environment)
        if !variables.isEmpty { entry["environment"] = .mapping(variables) }
        entry.set("environmentFiles", envFiles.map { Self.environmentFile($0, from: folder) })
        var watched = watchPaths.map { StartPlan.absolute($0, from: folder) }
        if watch { watched.insert(home, at: 0) }
        entry.set("watch", watched)
        entry.set("watchIgnore", ignore)
        entry.set("cron", cron)
        entry.set("user", user)
        entry.set("restart", restart)
        entry.set("maxMemory", maxMemory)
        entry.set("ready", ready)
        entry.set("listen", listen.map { Self.address($0, from: folder) })
        entry.set("stopSignal", stopSignal)
        entry.set("stopTimeout", stopTimeout)
        try addSettings(to: &entry)
        return entry
    }

    /// Those asked for, and the `PATH` by which the caller found the program.
    private func variables(_ environment: [String: String]) throws(StartComplaint) -> [String: String] {
        var variables: [String: String] = [:]
        variables["PATH"] = environment["PATH"].flatMap { $0.isEmpty ? nil : $0 }
        for text in env {
            guard let equals = text.firstIndex(of: "=") else {
                guard let value = environment[text] else {
                    throw StartComplaint(
                        """
                        --env \(PlainText.harmless(text)): your environment has no such variable; --env NAME=value sets one.
                        """)
                }
                variables[text] = value
                continue
            }
            variables[String(text[..<equals])] = String(text[text.index(after: equals)...])
        }
        return variables
    }

    private func addSettings(to entry: inout ProgramEntry) throws(StartComplaint) {
        for setting in settings {
            guard let equals = setting.firstIndex(of: "="), equals > setting.startIndex else {
                throw StartComplaint("--set takes key=value, not '\(PlainText.harmless(setting))'.", status: .usage)
            }
            let key = String(setting[..<equals])
            let value = String(setting[setting.index(after: equals)...])
            switch entry[key] {
            case nil: entry.set(key, value)
            case .text(let other): entry[key] = .list([other, value])
            case .list(let others): entry[key] = .list(others + [value])
            case .mapping: throw StartComplaint("Set variables with --env NAME=value.", status: .usage)
            }
        }
    }

    /// One that may be missing begins with `-`.
    private static func environmentFile(_ path: String, from folder: String) -> String {
        path.hasPrefix("-")
            ? "-" + StartPlan.absolute(String(path.dropFirst()), from: folder)
            : StartPlan.absolute(path, from: folder)
    }

    /// A socket's path from the caller's folder.
    private static func address(_ text: String, from folder: String) -> String {
        guard text.hasPrefix("unix:") else { return text }
        return "unix:" + StartPlan.absolute(String(text.dropFirst(5)), from: folder)
    }
}
