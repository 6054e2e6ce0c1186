import ArgumentParser
import ControlClient
import Wire

struct DeleteCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete",
        abstract: "Stop programs and forget them.",
        discussion: """
            One that stands in wsd.yaml is taken out there, and then `wsctl reload`.

            Example:
              wsctl delete api
            """,
        aliases: ["del"])

    @Argument(help: ArgumentHelp("Names or numbers of programs, or all.", valueName: "target"))
    var targets: [String]

    @OptionGroup var common: CommonOptions

    func validate() throws { _ = try programs() }

    func perform(_ session: Session) async throws -> CommandStatus {
        try await session.programs("delete", ProgramRequest(targets: try programs()))
    }

    private func programs() throws -> [String] {
        try TargetSelection.programs(targets, instead: "`wsctl scale` changes their number.")
    }
}
