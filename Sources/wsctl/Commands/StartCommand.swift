import ArgumentParser
import ControlClient
import Glibc
import Model
import Wire

struct StartCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "start",
        abstract: "Start programs: new ones, or stopped ones again.",
        usage: "wsctl start [<options>] [<target> ...] [-- <command> ...]",
        discussion: """
            A new program is a command behind --, or a file; node, python3, bash, ruby, perl and php run files with their \
            extensions. It is remembered, and started again with the service, until `wsctl delete`. It gets the \
            environment of wsd and your PATH. Where wsd does not run, it is started in the background.

            Example:
              wsctl start app.js -i max
              wsctl start --name api --env PORT=3000 --ready tcp://3000 -- node server.js --verbose
              wsctl start --watch --max-memory 200M -- python3 -m http.server 8000
              wsctl start api worker-2
              wsctl start all
            """)

    @Argument(help: ArgumentHelp("Names or numbers of programs, or files to run.", valueName: "target"))
    var targets: [String] = []

    /// What stands behind `--`, a word each; see ``Invocation/normalized(_:)``.
    @Option(name: .customLong("command"), parsing: .unconditionalSingleValue, help: .hidden)
    var command: [String] = []

    @OptionGroup var entry: EntryOptions
    @OptionGroup var common: CommonOptions

    func validate() throws {
        guard targets.isEmpty, command.isEmpty else { return }
        throw ValidationError(
            "Say what is to be started: wsctl start app.js, wsctl start -- COMMAND, or wsctl start NAME.")
    }

    func perform(_ session: Session) async throws -> CommandStatus {
        guard let folder = WorkingFolder.current() else {
            throw StartComplaint("The present folder is not there any more.")
        }
        let environment = Environment.variables()
        var known = try await known(session)
        if known == nil, targets == ["all"], command.isEmpty {
            try await session.startService(socket: common.socket, folder: folder, environment: environment)
            known = try await self.known(session)
        }
        let plan = try StartPlan.make(
            words: targets, command: command, hasSettings: entry.isAnyGiven, isNamed: entry.name != nil, known: known,
            folder: folder, kind: WorkingFolder.kind)
        switch plan {
        case .known(let names):
            return try await session.programs("start", ProgramRequest(targets: names.contains("all") ? ["all"] : names))
        case .new(let commands):
            var entries: [ProgramEntry] = []
            for command in commands {
                entries.append(try entry.entry(command, folder: folder, environment: environment))
            }
            if known == nil {
                try await session.startService(socket: common.socket, folder: folder, environment: environment)
            }
            return try await start(entries, session)
        }
    }

    /// One after the other; one that is refused does not keep the others from it.
    private func start(_ entries: [ProgramEntry], _ session: Session) async throws -> CommandStatus {
        var status = CommandStatus.success
        for entry in entries {
            let ended: CommandStatus
            do {
                ended = try await session.operate(entry.request)
            } catch let error as ControlClientError {
                ended = try CommandStatus.told(of: error)
            }
            if ended == .unwell, let name = entry.name {
                let name = PlainText.harmless(name)
                session.remark("It stays in the list. Why: wsctl logs \(name). Take it out again: wsctl delete \(name)")
            }
            if status == .success { status = ended }
        }
        return status
    }

    /// Names and numbers; `nil`: wsd is not running.
    private func known(_ session: Session) async throws -> Set<String>? {
        do {
            return Set(try await session.listOfPrograms().flatMap { [$0.name, "\($0.number)"] })
        } catch ControlClientError.notRunning {
            return nil
        } catch ControlClientError.notAllowed(let attempt, _)
            where attempt.path == RuntimePaths.systemControlSocket && session.client.socket.candidates.count > 1
        {
            // The system's is closed to this user, who has none so far.
            return nil
        }
    }
}

/// The folder in which wsctl was called.
enum WorkingFolder {
    /// `nil`: it is gone.
    static func current() -> String? {
        guard let path = getcwd(nil, 0) else { return nil }
        defer { free(path) }
        let text = String(cString: path)
        // getcwd(3): "(unreachable)" where it lies outside of the root.
        return text.hasPrefix("/") ? text : nil
    }

    static func kind(_ path: String) -> ScriptFile.Kind {
        var status = stat()
        guard stat(path, &status) == 0 else { return .absent }
        if status.st_mode & S_IFMT == S_IFDIR { return .folder }
        return .file(isExecutable: access(path, X_OK) == 0)
    }
}
