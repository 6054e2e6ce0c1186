import ArgumentParser
import ControlClient
import Wire

struct ConfigCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "config",
        abstract: "Show the effective configuration and where each value came from.",
        discussion: """
            RELOAD says whether wsctl reload can change a key. A long value is cut; name its key to see all of it.

            Example:
              wsctl config
              wsctl config workers
              wsctl config rooms.rules
            """)

    @Argument(help: "Only this key, or the keys of this section.")
    var key: String?

    @OptionGroup var common: CommonOptions

    func perform(_ session: Session) async throws -> CommandStatus {
        let entries = try await session.client.value([ConfigurationEntry].self, ControlRequest(.get, "/v1/config"))
        let selected = ConfigurationScreen.selected(entries, key: key)
        guard !selected.isEmpty || key == nil else {
            let message = "There is no key or section '\(key ?? "")'; `wsctl config` lists all."
            throw ControlClientError.refused(status: 404, ControlError(code: "not_found", message: message))
        }
        if session.json {
            try session.output.json(ControlClient.encode(selected))
        } else {
            try session.show(ConfigurationScreen.lines(selected, session.style))
        }
        return .success
    }
}
