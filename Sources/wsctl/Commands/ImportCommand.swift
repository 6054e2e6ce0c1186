import ArgumentParser
import ControlClient
import Ecosystem
import Wire

struct ImportCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Start the programs of a PM2 ecosystem file.",
        discussion: """
            Says of every setting what it is here, and what is left to do. The file is JSON or YAML; one in JavaScript is \
            not run: node makes JSON of it. Programs are remembered as with `wsctl start`; --print makes lines for \
            wsd.yaml instead.

            Example:
              wsctl import ecosystem.json --env production --dry-run
              node -p 'JSON.stringify(require("./ecosystem.config.js"))' | wsctl import -
              wsctl import ecosystem.json --print >>wsd.yaml
            """)

    @Argument(help: ArgumentHelp("The file; - is standard input.", valueName: "file"), completion: .file())
    var file: String

    @Option(help: ArgumentHelp("Take env_NAME over env, as pm2 start --env NAME.", valueName: "name"))
    var env: String?

    @Flag(name: .customLong("dry-run"), help: "Only say what would happen. Asks no service.")
    var dryRun = false

    @Flag(help: "Write the section programs: of wsd.yaml, and start nothing. Asks no service.")
    var print = false

    @OptionGroup var common: CommonOptions

    func validate() throws {
        if print, common.json { throw ValidationError("--print writes YAML; for JSON: --dry-run --json.") }
    }

    func perform(_ session: Session) async throws -> CommandStatus {
        guard let folder = WorkingFolder.current() else {
            throw StartComplaint("The present folder is not there any more.")
        }
        let environment = Environment.variables()
        let result = try EcosystemSource(file, folder: folder)
            .converted(for: env, environment: environment, isPrinted: print)
        if print {
            try session.show(result.yaml)
            return .success
        }
        if session.json {
            try session.output.json(Array(result.json.utf8))
        } else {
            try session.show(ImportScreen.lines(result, session.style))
        }
        guard !dryRun else { return .success }
        let known: Set<String>
        do {
            known = Set(try await session.listOfPrograms().map(\.name))
        } catch ControlClientError.notRunning {
            try await session.startService(socket: common.socket, folder: folder, environment: environment)
            known = Set(try await session.listOfPrograms().map(\.name))
        }
        return try await session.start(result.programs, known: known)
    }
}

extension Session {
    /// Starts one program after the other; one that fails or is known already does not keep the others from it.
    func start(_ programs: [ImportedProgram], known: Set<String>) async throws -> CommandStatus {
        var status = CommandStatus.success
        for program in programs {
            let ended: CommandStatus
            if known.contains(program.name) {
                remark(
                    "wsctl: there is a program \(program.name) already, which stays as it is. To replace it: "
                        + "`wsctl delete \(program.name)`, then import again.")
                ended = .refused
            } else {
                do {
                    ended = try await operate(ControlRequest(.post, "/v1/programs", body: Array(program.json.utf8)))
                } catch let error as ControlClientError {
                    guard case .refused = error else { throw error }
                    ended = try CommandStatus.told(of: error)
                }
            }
            if status == .success { status = ended }
        }
        return status
    }
}
