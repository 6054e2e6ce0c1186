import ArgumentParser
import ControlClient
import Wire

struct TraceCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "trace",
        abstract: "Show live what happens to a client, a room or a user.",
        discussion: """
            Connections, joins, messages, errors and webhooks, one line each, until Ctrl-C; also over reloads and restarts.
            The trace of a client alone ends with the client. What is said is shown only with --payloads. Of several, all
            must fit.

            Example:
              wsctl trace 3f0q7w1m2k9d-1c
              wsctl trace --room lobby
              wsctl trace --user ada --payloads --json
            """)

    @Argument(help: "Id of a client, as wsctl clients shows it.")
    var client: String?

    @Option(help: "What happens in this room.")
    var room: String?

    @Option(help: "What happens to the connections of this user.")
    var user: String?

    @Flag(help: "Show messages, too, up to 2 KiB of each.")
    var payloads = false

    @OptionGroup var common: CommonOptions

    func validate() throws {
        guard client != nil || room != nil || user != nil else {
            throw ValidationError("Name a client, a room with --room, or a user with --user.")
        }
    }

    func perform(_ session: Session) async throws -> CommandStatus {
        ReaderWatch.start()
        let request = ControlRequest(
            .get, "/v1/trace",
            query: [("client", client), ("room", room), ("user", user), ("payloads", payloads ? "1" : nil)])
        var isOver = false
        let note = "wsctl: wsd was replaced by its successor; what happened meanwhile is missing here."
        try await session.followed(note: note) { session, again in
            do {
                isOver = try await show(request, session)
            } catch ControlClientError.refused(404, _) where again {
                // It went meanwhile.
                isOver = true
            }
            return isOver
        }
        if isOver { return .success }
        session.remark("wsctl: the service ended the stream.")
        return .noAnswer
    }

    /// Returns whether the client is gone that is followed alone.
    private func show(_ request: ControlRequest, _ session: Session) async throws -> Bool {
        var isOver = false
        try await session.client.lines(request) { bytes in
            let line = try ControlClient.decode(TraceLine.self, bytes)
            isOver = line.isLast
            guard !session.json else { return try session.output.json(bytes) }
            let text = TraceScreen.line(line, session.style) { time in
                session.style.coloured ? WallClock.textBriefly(time, now: WallClock.now) : WallClock.text(time)
            }
            try session.show([text])
        }
        return isOver
    }
}
