import ArgumentParser
import ControlClient

struct RestartCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "restart",
        abstract: "Restart programs or workers; without a target replace all workers.",
        discussion: """
            Programs are stopped and started; `wsctl reload` does it without a gap. Workers are replaced without \
            reading the configuration again: clients are closed with 1012 and come back. One that was given up \
            (failed) is revived.

            Example:
              wsctl restart api
              wsctl restart api:2
              wsctl restart worker:2 --now
              wsctl restart
            """)

    @Argument(
        help: ArgumentHelp(
            "Names or numbers of programs, name:2 for one process, workers, worker:2, or all; nothing: all workers.",
            valueName: "target"))
    var targets: [String] = []

    @Flag(help: "Workers at once, not one after the other: clients are cut off until the new ones are ready.")
    var now = false

    @OptionGroup var common: CommonOptions

    func validate() throws {
        let selection = try selection()
        if now, !selection.namesWorkers, !selection.includesAll {
            throw ValidationError("--now is for workers; programs are restarted at once anyway.")
        }
    }

    func perform(_ session: Session) async throws -> CommandStatus {
        try await session.replace("restart", try selection(), now: now)
    }

    private func selection() throws -> TargetSelection {
        do {
            return try TargetSelection(targets.isEmpty ? ["workers"] : targets)
        } catch {
            throw ValidationError(error.message)
        }
    }
}
