import ArgumentParser
import ControlClient
import Wire

struct StatusCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show the service on one screen; exit 0 only when all is well.",
        discussion: """
            Example:
              wsctl status
              wsctl status --json | jq .totals.clients

            Exit status: 0 all is well, 1 degraded, starting or stopping, 3 not running.
            """)

    @OptionGroup var common: CommonOptions

    func perform(_ session: Session) async throws -> CommandStatus {
        let answer = try await session.client.bytes(ControlRequest(.get, "/v1/status"))
        let status = try ControlClient.decode(ServiceStatus.self, answer)
        if session.json {
            try session.output.json(answer)
        } else {
            try session.show(StatusScreen.lines(status, session.style))
        }
        return status.health == .ok ? .success : .unwell
    }
}
