import ArgumentParser
import ControlClient
import Wire

struct PublishCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "publish",
        abstract: "Send a message to all members of a room.",
        discussion: """
            A room with history keeps it, and the answer says where: offset and epoch.

            Example:
              wsctl publish lobby '{"text":"Maintenance at noon"}'
              generate-report | wsctl publish reports - --id "$(date +%F)"
            """)

    @Argument(help: "Name of the room.")
    var room: String

    @Argument(help: "JSON, delivered as it is; - reads it from standard input.")
    var json: String

    @Option(help: "In the name of this user; otherwise in nobody's.")
    var user: String?

    @Option(help: "Id of the message: a second one with the same is not delivered again.")
    var id: String?

    @OptionGroup var common: CommonOptions

    func perform(_ session: Session) async throws -> CommandStatus {
        let data = json == "-" ? try StandardInput.text() : json
        if let complaint = JSONCheck.complaint(about: data) {
            throw ControlClientError.refused(status: 400, ControlError(code: "bad_request", message: complaint))
        }
        let body = BackendBody.object([("room", room), ("user", user), ("messageId", id)], data: data)
        let answer = try await session.client.bytes(ControlRequest(.post, "/v1/api/publish", body: body))
        if session.json {
            try session.output.json(answer)
        } else {
            let publication = try ControlClient.decode(PublicationAnswer.self, answer)
            try session.show([publication.sentence])
        }
        return .success
    }
}
