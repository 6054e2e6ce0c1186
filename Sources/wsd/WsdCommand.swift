import ArgumentParser
import ConfigurationFile
import Hub
import Model
import Supervisor
import Worker

/// The supervisor's command line.
struct WsdCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wsd",
        abstract: "Keeps a fleet of WebSocket workers alive behind one port.",
        usage: "wsd [OPTIONS]",
        discussion: """
            EXAMPLES
              wsd                              for development: http://localhost:8080
              wsd --prod --port 80             for all addresses, with JSON logs
              wsd --config /etc/wsd/wsd.yaml   with a configuration file
              wsd --listen unix:/run/app.sock --listen 127.0.0.1:8080
              wsd --workers 4 --log-level debug
              wsd --workers 0                  for programs alone, without WebSockets
              wsd --check-config               says what is wrong, or that all is fine

            Flags are stronger than the environment (WSD_HOST, WSD_PORT, PORT, …), that is
            stronger than wsd.yaml. Look at the running service and change it with wsctl:
            wsctl status, wsctl logs -f, wsctl reload.
            """,
        version: WsdVersion.current)

    @Option(
        name: [.short, .customLong("config")], help: ArgumentHelp("Configuration file.", valueName: "file"),
        completion: .file(extensions: ["yaml", "yml"]))
    var config: String?

    @Option(
        name: .customLong("listen"), parsing: .singleValue,
        help: ArgumentHelp(
            "Address to listen on: 8080, 127.0.0.1:8080, [::1]:8080, unix:/path. May be repeated.", valueName: "address"
        ))
    var listen: [String] = []

    @Option(help: "Host or address to listen on.")
    var host: String?

    @Option(help: "TCP port to listen on; 0: one that is free.")
    var port: String?

    @Option(
        help: ArgumentHelp(
            "Worker processes: a number, auto for one per core, or 0 for programs alone.", valueName: "count"))
    var workers: String?

    @Flag(help: "Development: loopback, readable logs, test page (default).")
    var dev = false

    @Flag(help: "Production: all addresses, JSON logs, no test page.")
    var prod = false

    @Option(help: ArgumentHelp("Path of the control socket.", valueName: "path"), completion: .file())
    var socket: String?

    @Option(
        name: .customLong("log-level"), help: "trace, debug, info, notice, warning, error or critical.",
        completion: .list(["trace", "debug", "info", "notice", "warning", "error", "critical"]))
    var logLevel: String?

    @Option(
        name: .customLong("log-format"), help: "text, json, or auto: text on a terminal or in development.",
        completion: .list(["text", "json", "auto"]))
    var logFormat: String?

    @Option(
        name: .customLong("set"), parsing: .singleValue,
        help: ArgumentHelp(
            "Any key of wsd.yaml, as in --set websocket.pingInterval=10s. May be repeated.", valueName: "key=value"))
    var settings: [String] = []

    @Flag(
        name: .customLong("check-config"),
        help: "Check the configuration and what it names; exit: 0 when all is fine, 78 when not.")
    var checkConfig = false

    @Flag(name: .customLong("print-config"), help: "Print every key with its value and where that came from, and exit.")
    var printConfig = false

    @Flag(name: .customLong("print-example-config"), help: "Print wsd.example.yaml: every key, explained, and exit.")
    var printExampleConfig = false

    @Flag(name: .customLong("print-config-reference"), help: .hidden)
    var printConfigReference = false

    /// The same as JSON, for `scripts/manual`.
    @Flag(name: .customLong("print-config-reference-json"), help: .hidden)
    var printConfigReferenceJSON = false

    func validate() throws {
        if dev, prod { throw ValidationError("Give either --dev or --prod.") }
    }

    func run() throws {
        if printExampleConfig || printConfigReference {
            print(printExampleConfig ? ExampleFile.text() : Reference.text(), terminator: "")
            return
        }
        if printConfigReferenceJSON {
            print(try ReferenceData.text(), terminator: "")
            return
        }
        if checkConfig || printConfig {
            let status = SupervisorMain.check(
                file: config, flags: flags, printing: printConfig,
                childProblems: { HubMain.problems($0) + WorkerMain.problems($0) }, childDoubts: WorkerMain.doubts)
            throw ArgumentParser.ExitCode(status)
        }
        SupervisorMain.run(file: config, flags: flags)
    }

    /// The role of a program that is tried before it takes a running service over.
    ///
    /// - Parameter arguments: those of the running one.
    static func tryTakeover(_ arguments: [String]) -> Never {
        let command = parseOrExit(arguments)
        SupervisorMain.tryTakeover(
            file: command.config, flags: command.flags,
            childProblems: { HubMain.problems($0) + WorkerMain.problems($0) })
    }

    private var flags: ConfigurationFlags {
        var flags = ConfigurationFlags()
        flags.mode = dev ? RunMode.dev.rawValue : prod ? RunMode.prod.rawValue : nil
        flags.listen = listen
        flags.host = host
        flags.port = port
        flags.workers = workers
        flags.socket = socket
        flags.logLevel = logLevel
        flags.logFormat = logFormat
        flags.settings = settings
        return flags
    }
}
