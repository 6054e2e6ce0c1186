import ArgumentParser
import ControlClient
import Glibc
import Wire

/// Flags of every command.
struct CommonOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Path of the control socket (or WSD_SOCKET); otherwise your own wsd's, then the system's.",
            valueName: "path"), completion: .file())
    var socket: String?

    @Flag(help: "Print JSON for programs: what the service answered.")
    var json = false
}

/// What a command works with.
struct Session {
    let client: ControlClient
    let output: Output
    let style: Style
    let json: Bool
}

/// A subcommand that speaks to the service.
protocol ControlCommand: AsyncParsableCommand {
    var common: CommonOptions { get }

    func perform(_ session: Session) async throws -> CommandStatus
}

extension ControlCommand {
    mutating func run() async throws {
        signal(SIGPIPE, SIG_IGN)
        let environment = Environment.variables()
        let socket = ControlSocket.chosen(flag: common.socket, environment: environment, userID: geteuid())
        let session = Session(
            client: ControlClient(socket: socket), output: .standard, style: .ofStandardOutput(environment),
            json: common.json)
        let status: CommandStatus
        do {
            status = try await perform(session)
        } catch {
            status = try CommandStatus.told(of: error)
        }
        throw ArgumentParser.ExitCode(status.rawValue)
    }
}

extension Session {
    /// Writes lines for a person.
    func show(_ lines: [String]) throws { try output.lines(lines) }

    /// Writes a remark where it does not disturb what programs read.
    func remark(_ text: String) { try? Output.error.line(text) }

    /// Hands each value of an NDJSON list to `add`; with `--json` writes its lines as they are instead. What the service says
    /// of missing parts goes to standard error.
    ///
    /// - Parameter written: gets each value that was written or added, with `--json`, too; `nil`: nobody asks.
    func list<Value: Decodable>(
        _ type: Value.Type, _ request: ControlRequest, written: ((Value) -> Void)? = nil,
        _ add: (Value) throws -> Void
    ) async throws -> Listing {
        var listing = Listing()
        try await client.lines(request) { line in
            if line.starts(with: Listing.problemMark) {
                let problem = try ControlClient.decode(StreamProblem.self, line)
                remark("wsctl: \(PlainText.harmless(problem.problem))")
                listing.problems += 1
                return
            }
            listing.count += 1
            let value = json && written == nil ? nil : try ControlClient.decode(type, line)
            if json { try output.json(line) } else if let value { try add(value) }
            if let value { written?(value) }
        }
        return listing
    }
}

/// What came of a list.
struct Listing {
    /// How a line begins that holds a ``StreamProblem`` and no value.
    static let problemMark = Array(#"{"problem":"#.utf8)

    var count = 0
    var problems = 0

    var status: CommandStatus { problems == 0 ? .success : .unwell }
}
