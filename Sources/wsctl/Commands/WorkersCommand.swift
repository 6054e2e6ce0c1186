import ArgumentParser
import ControlClient
import Wire

struct WorkersCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "workers",
        abstract: "List the processes of the service.",
        discussion: """
            IN/S and OUT/S are messages a second from and to clients; CPU% is the share of one core.

            Example:
              wsctl workers
            """)

    @OptionGroup var common: CommonOptions

    func perform(_ session: Session) async throws -> CommandStatus {
        let answer = try await session.client.bytes(ControlRequest(.get, "/v1/workers"))
        if session.json {
            try session.output.json(answer)
            return .success
        }
        let processes = try ControlClient.decode([ProcessStatus].self, answer)
        let notes = ProcessTable.notes(processes) + [VersionNote.former(processes)].compactMap { $0 }
        try session.show(ProcessTable.lines(processes, session.style) + (notes.isEmpty ? [] : [""] + notes))
        return .success
    }
}
