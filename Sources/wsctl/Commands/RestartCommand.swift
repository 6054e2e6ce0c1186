import ArgumentParser
import ControlClient

struct RestartCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "restart",
        abstract: "Replace all workers, or one, without reading the configuration again.",
        discussion: """
            A worker that was given up (failed) is revived. Clients are closed with 1012 and come back.

            Example:
              wsctl restart
              wsctl restart 2 --now
            """)

    @Argument(help: "Number of the worker; all if left out.")
    var worker: Int?

    @Flag(help: "At once, not one after the other: clients are cut off until the new workers are ready.")
    var now = false

    @OptionGroup var common: CommonOptions

    func validate() throws {
        if let worker, worker < 1 { throw ValidationError("Workers count from 1.") }
    }

    func perform(_ session: Session) async throws -> CommandStatus {
        try await session.operate(
            ControlRequest(
                .post, "/v1/restart", query: [("worker", worker.map(String.init)), ("now", now ? "1" : nil)]))
    }
}
