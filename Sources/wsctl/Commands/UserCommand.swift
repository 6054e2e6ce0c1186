import ArgumentParser
import ControlClient
import Wire

struct UserCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "user",
        abstract: "Show all connections of a user and the rooms they are in.",
        discussion: """
            Example:
              wsctl user ada

            Exit status: 0 connected, 1 no connection.
            """)

    @Argument(help: "Name of the user: the sub of a token, or what the connect webhook said.")
    var user: String

    @OptionGroup var common: CommonOptions

    func perform(_ session: Session) async throws -> CommandStatus {
        let request = ControlRequest(.get, "/v1/clients", query: [("user", user)])
        var screen = UserScreen(user: user, now: WallClock.now)
        let listing = try await session.list(ClientInfo.self, request) { screen.add($0) }
        guard listing.count > 0 else {
            session.remark("User \(PlainText.harmless(user)) has no connection.")
            return .unwell
        }
        if !session.json { try session.show(screen.lines(session.style)) }
        return listing.status
    }
}
