import ArgumentParser
import ControlClient
import Wire

struct ClientsCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "clients",
        abstract: "List connected clients.",
        discussion: """
            Filters must all match. IN and OUT are bytes, QUEUE the bytes that wait to be sent.

            Example:
              wsctl clients --room lobby
              wsctl clients --address 203.0.113.7 --json
            """)

    @Option(help: "The client with this id.")
    var id: String?

    @Option(help: "Members of this room.")
    var room: String?

    @Option(help: "Connections of this user.")
    var user: String?

    @Option(help: "Connections from this address.")
    var address: String?

    @OptionGroup var common: CommonOptions

    func perform(_ session: Session) async throws -> CommandStatus {
        let request = ControlRequest(
            .get, "/v1/clients", query: [("id", id), ("room", room), ("user", user), ("address", address)])
        var screen = ClientScreen()
        let now = WallClock.now
        let listing = try await session.list(ClientInfo.self, request) { screen.add($0, now: now) }
        guard !session.json else { return listing.status }
        if listing.count == 0 {
            session.remark(request.query.isEmpty ? "No client is connected." : "No connected client matches.")
        } else {
            try session.show(screen.lines(session.style))
        }
        return listing.status
    }
}
