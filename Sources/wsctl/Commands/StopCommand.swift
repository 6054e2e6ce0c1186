import ArgumentParser
import ControlClient
import Wire

struct StopCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop",
        abstract: "Close all clients and end the service.",
        discussion: """
            Clients are closed with 1001 over shutdown.drainSpread. Under systemd the service is started again afterwards;
            to stop it for good: systemctl stop wsd

            Example:
              wsctl stop
            """)

    @OptionGroup var common: CommonOptions

    func perform(_ session: Session) async throws -> CommandStatus {
        let status = try await session.client.value(ServiceStatus.self, ControlRequest(.get, "/v1/status"))
        if status.underSystemd {
            session.remark(
                "note: a service manager started this wsd and will start it again. To stop it for good: systemctl stop wsd"
            )
        }
        return try await session.operate(ControlRequest(.post, "/v1/stop"), endsService: true)
    }
}
