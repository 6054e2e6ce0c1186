import ArgumentParser
import ControlClient
import Wire

struct StopCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop",
        abstract: "Stop programs; without a target close all clients and end the service.",
        discussion: """
            A stopped program stays known, and stopped, until `wsctl start`; programs of the configuration start \
            again with the service.

            Without a target, programs end first; clients are closed with 1001 over shutdown.drainSpread. Under \
            systemd the service is started again afterwards; to stop it for good: systemctl stop wsd

            Example:
              wsctl stop api
              wsctl stop all
              wsctl stop
            """)

    @Argument(
        help: ArgumentHelp("Names or numbers of programs, or all of them; nothing: the service.", valueName: "target"))
    var targets: [String] = []

    @OptionGroup var common: CommonOptions

    func validate() throws { _ = try programs() }

    func perform(_ session: Session) async throws -> CommandStatus {
        if !targets.isEmpty { return try await session.programs("stop", ProgramRequest(targets: try programs())) }
        let status = try await session.client.value(ServiceStatus.self, ControlRequest(.get, "/v1/status"))
        if status.underSystemd {
            session.remark(
                "note: a service manager started this wsd and will start it again. To stop it for good: systemctl stop wsd"
            )
        }
        return try await session.operate(ControlRequest(.post, "/v1/stop"), endsService: true)
    }

    private func programs() throws -> [String] {
        try TargetSelection.programs(
            targets, instead: "`wsctl scale 0` ends them all, `wsctl stop` the service.")
    }
}
