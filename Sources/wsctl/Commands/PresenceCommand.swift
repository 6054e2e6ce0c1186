import ArgumentParser
import ControlClient
import Wire

struct PresenceCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "presence",
        abstract: "Show who is in a room.",
        discussion: """
            Example:
              wsctl presence lobby
              wsctl presence lobby --json | jq .members
            """)

    @Argument(help: "Name of the room.")
    var room: String

    @OptionGroup var common: CommonOptions

    func perform(_ session: Session) async throws -> CommandStatus {
        let answer = try await session.client.bytes(
            ControlRequest(.get, "/v1/api/rooms/\(PercentEncoding.encode(room))/presence"))
        if session.json {
            try session.output.json(answer)
            return .success
        }
        let presence = try PresenceScreen(answer)
        try session.show(presence.lines(session.style))
        if let remark = presence.remark { session.remark(remark) }
        return .success
    }
}
