import ArgumentParser
import ControlClient

struct ReloadCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "reload",
        abstract: "Read the configuration again and replace the workers; or replace a program's processes.",
        discussion: """
            Workers are replaced one after the other. Nobody is refused meanwhile; clients of replaced workers are \
            closed with 1012 over reload.drainSpread and come back. A wrong configuration, or a new worker that \
            fails, leaves the running ones as they are.

            With a target the configuration is not read. Processes of programs are replaced one after the other; \
            where the program has listen, the successor is ready before the old one is asked to end.

            Example:
              wsctl reload
              wsctl reload api
            """)

    @Argument(
        help: ArgumentHelp(
            "Names or numbers of programs, workers, worker:2, or all; nothing: the configuration.", valueName: "target")
    )
    var targets: [String] = []

    @OptionGroup var common: CommonOptions

    func validate() throws { _ = try selection() }

    func perform(_ session: Session) async throws -> CommandStatus {
        targets.isEmpty
            ? try await session.operate(ControlRequest(.post, "/v1/reload"))
            : try await session.replace("reload", try selection())
    }

    private func selection() throws -> TargetSelection {
        do {
            return try TargetSelection(targets)
        } catch {
            throw ValidationError(error.message)
        }
    }
}
