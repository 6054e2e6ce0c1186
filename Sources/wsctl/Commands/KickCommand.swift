import ArgumentParser
import ControlClient
import Wire

struct KickCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "kick",
        abstract: "Close one client (1008).",
        discussion: """
            Example:
              wsctl kick 3f0q7w1m2k9d-1c --reason 'Please mind your language'
            """)

    @Argument(help: "Id of the client, as wsctl clients shows it.")
    var client: String

    @Option(help: "What the client is told, up to 123 bytes.")
    var reason: String?

    @OptionGroup var common: CommonOptions

    func validate() throws {
        if client.isEmpty { throw ValidationError("Name the client: `wsctl clients` lists them.") }
        // RFC 6455 section 5.5: a close frame carries 125 bytes, two of them the code.
        if let reason, reason.utf8.count > 123 { throw ValidationError("--reason may have up to 123 bytes.") }
    }

    func perform(_ session: Session) async throws -> CommandStatus {
        let body = ControlClient.encode(KickBody(client: client, reason: reason))
        let answer = try await session.client.bytes(ControlRequest(.post, "/v1/kick", body: body))
        if session.json {
            try session.output.json(answer)
        } else {
            try session.show(["Closed client \(PlainText.harmless(client))."])
        }
        return .success
    }
}
