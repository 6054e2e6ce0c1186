import ArgumentParser
import ControlClient
import Wire

struct ResetCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "reset",
        abstract: "Set the restarts of programs to 0, and try failed ones again.",
        discussion: """
            Example:
              wsctl reset api
              wsctl reset all
            """)

    @Argument(help: ArgumentHelp("Names or numbers of programs, or all.", valueName: "target"))
    var targets: [String]

    @OptionGroup var common: CommonOptions

    func validate() throws { _ = try programs() }

    func perform(_ session: Session) async throws -> CommandStatus {
        try await session.programs("reset", ProgramRequest(targets: try programs()))
    }

    private func programs() throws -> [String] {
        try TargetSelection.programs(targets, instead: "`wsctl restart worker:2` revives one.")
    }
}
