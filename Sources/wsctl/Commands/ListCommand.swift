import ArgumentParser
import ControlClient
import Wire

struct ListCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the programs, and what is wrong with them.",
        discussion: """
            Numbers may be typed instead of names; number 0 are the workers together. READY is how many processes \
            are ready and how many there are to be; UPTIME is that of the youngest. CPU% (of one core) and MEMORY \
            have what the processes started themselves in them.

            Example:
              wsctl list
              wsctl list --json | jq -r '.[] | select(.state == "failed") | .name'
            """,
        aliases: ["ls", "ps"])

    @OptionGroup var common: CommonOptions

    func perform(_ session: Session) async throws -> CommandStatus {
        let answer = try await session.client.bytes(ControlRequest(.get, "/v1/programs"))
        if session.json {
            try session.output.json(answer)
            return .success
        }
        let programs = try ControlClient.decode([ProgramStatus].self, answer)
        let status = try await session.client.value(ServiceStatus.self, ControlRequest(.get, "/v1/status"))
        try session.show(ProgramScreen.list(programs, workers: status, session.style))
        return .success
    }
}
