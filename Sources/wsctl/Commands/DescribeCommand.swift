import ArgumentParser
import ControlClient
import Wire

struct DescribeCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "describe",
        abstract: "Show everything about a program: its processes and settings.",
        discussion: """
            Settings that were not made stand behind the others, faint on a terminal.

            Example:
              wsctl describe api
            """,
        aliases: ["show"])

    @Argument(help: ArgumentHelp("Name or number of a program.", valueName: "target"))
    var target: String

    @OptionGroup var common: CommonOptions

    func validate() throws {
        _ = try TargetSelection.programs([target], instead: "`wsctl workers` shows them.")
    }

    func perform(_ session: Session) async throws -> CommandStatus {
        let (description, answer) = try await session.description(of: target)
        if session.json {
            try session.output.json(answer)
        } else {
            try session.show(ProgramScreen.description(description, session.style))
        }
        return .success
    }
}

struct EnvCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "env",
        abstract: "Show the environment that a program's processes are started with.",
        discussion: """
            Secrets and all: only for those who may change things.

            Example:
              wsctl env api
            """)

    @Argument(help: ArgumentHelp("Name or number of a program.", valueName: "target"))
    var target: String

    @OptionGroup var common: CommonOptions

    func validate() throws {
        _ = try TargetSelection.programs([target], instead: "their environment is that of wsd.")
    }

    func perform(_ session: Session) async throws -> CommandStatus {
        let (description, _) = try await session.description(of: target)
        guard let environment = description.environment else {
            session.remark("wsctl: You may only look at this wsd; environments are for those who may change things.")
            return .notAllowed
        }
        if session.json {
            try session.output.json(ControlClient.encode(environment))
        } else {
            let pairs = environment.sorted { $0.key < $1.key }
            try session.show(pairs.map { PlainText.harmless("\($0.key)=\($0.value)") })
        }
        return .success
    }
}
