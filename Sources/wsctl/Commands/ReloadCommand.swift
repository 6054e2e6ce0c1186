import ArgumentParser
import ControlClient

struct ReloadCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "reload",
        abstract: "Read the configuration again and replace the workers one after the other.",
        discussion: """
            Nobody is refused meanwhile; clients of replaced workers are closed with 1012 over reload.drainSpread and come
            back. A wrong configuration, or a new worker that fails, leaves the running ones as they are.

            Example:
              wsctl reload
            """)

    @OptionGroup var common: CommonOptions

    func perform(_ session: Session) async throws -> CommandStatus {
        try await session.operate(ControlRequest(.post, "/v1/reload"))
    }
}
