import ArgumentParser
import ControlClient
import Wire

struct ScaleCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "scale",
        abstract: "Change the number of workers.",
        discussion: """
            Until the service is started again; set workers.count in wsd.yaml to keep it.

            Example:
              wsctl scale 4
            """)

    @Argument(help: "How many workers there are to be, 0 to 1024.")
    var workers: Int

    @OptionGroup var common: CommonOptions

    func validate() throws {
        guard (0...1024).contains(workers) else { throw ValidationError("The number of workers is 0 to 1024.") }
    }

    func perform(_ session: Session) async throws -> CommandStatus {
        try await session.operate(
            ControlRequest(.post, "/v1/scale", body: ControlClient.encode(ScaleBody(workers: workers))))
    }
}
