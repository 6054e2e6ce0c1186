import ArgumentParser
import ControlClient
import Wire

struct RoomsCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "rooms",
        abstract: "List rooms with members, the fullest first.",
        discussion: """
            Example:
              wsctl rooms
              wsctl rooms chat:
            """)

    @Argument(help: "Only rooms whose name begins so.")
    var prefix: String?

    @OptionGroup var common: CommonOptions

    func perform(_ session: Session) async throws -> CommandStatus {
        let request = ControlRequest(.get, "/v1/rooms", query: [("prefix", prefix)])
        var screen = RoomScreen()
        let listing = try await session.list(RoomInfo.self, request) { screen.add($0) }
        guard !session.json else { return listing.status }
        if listing.count == 0 {
            session.remark(prefix == nil ? "No room has a member." : "No room with a member begins so.")
        } else {
            try session.show(screen.lines(session.style))
        }
        return listing.status
    }
}
