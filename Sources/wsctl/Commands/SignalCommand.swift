import ArgumentParser
import ControlClient
import Wire

struct SignalCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "signal",
        abstract: "Send a signal to the processes of a program.",
        discussion: """
            Only the process that wsd started gets it, not what that has started. One that ends by it is started \
            again as after any other end.

            Example:
              wsctl signal api SIGHUP
              wsctl signal api:2 USR1
            """)

    @Argument(help: ArgumentHelp("Name or number of a program, name:2 for one process, or all.", valueName: "target"))
    var target: String

    @Argument(help: "Name or number: SIGHUP, HUP, 1.")
    var signal: String

    @OptionGroup var common: CommonOptions

    func validate() throws { _ = try programs() }

    func perform(_ session: Session) async throws -> CommandStatus {
        try await session.programs("signal", ProgramRequest(targets: try programs(), signal: signal))
    }

    private func programs() throws -> [String] {
        try TargetSelection.programs([target], instead: "`wsctl workers` lists their pids for kill(1).")
    }
}
