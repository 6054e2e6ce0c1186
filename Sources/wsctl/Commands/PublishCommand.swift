import ArgumentParser
import ControlClient
import Wire

struct PublishCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "publish",
        abstract: "Send a message to all members of a room.",
        discussion: """
            Example:
              wsctl publish lobby '{"text":"Maintenance at noon"}'
              generate-report | wsctl publish reports -
            """)

    @Argument(help: "Name of the room.")
    var room: String

    @Argument(help: "JSON, delivered as it is; - reads it from standard input.")
    var json: String

    @OptionGroup var common: CommonOptions

    func perform(_ session: Session) async throws -> CommandStatus {
        let data = json == "-" ? try StandardInput.text() : json
        if let complaint = JSONCheck.complaint(about: data) {
            throw ControlClientError.refused(status: 400, ControlError(code: "bad_request", message: complaint))
        }
        let body = ControlClient.encode(PublishBody(room: room, data: data))
        let answer = try await session.client.bytes(ControlRequest(.post, "/v1/publish", body: body))
        if session.json {
            try session.output.json(answer)
        } else {
            try session.show(["Published to \(PlainText.harmless(room))."])
        }
        return .success
    }
}
