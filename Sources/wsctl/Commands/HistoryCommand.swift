import ArgumentParser
import ControlClient
import Model
import Wire

struct HistoryCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "history",
        abstract: "Show the messages that a room keeps.",
        discussion: """
            The oldest first. Rooms keep messages where historySize of their rule is not 0.

            Example:
              wsctl history lobby --reverse --limit 10
              wsctl history lobby --from 41 --json | jq .messages
            """)

    @Argument(help: "Name of the room.")
    var room: String

    @Option(help: "At most so many messages, up to 1000; 0 asks for the position alone.")
    var limit = 100

    @Option(help: "Only messages after this offset, or before it with --reverse.")
    var from: UInt64?

    @Flag(help: "The newest first.")
    var reverse = false

    @OptionGroup var common: CommonOptions

    func validate() throws {
        guard (0...HistoryQuery.maxLimit).contains(limit) else {
            throw ValidationError("--limit is from 0 to \(HistoryQuery.maxLimit).")
        }
    }

    func perform(_ session: Session) async throws -> CommandStatus {
        let request = ControlRequest(
            .get, "/v1/api/rooms/\(PercentEncoding.encode(room))/history",
            query: [("limit", "\(limit)"), ("from", from.map { "\($0)" }), ("reverse", reverse ? "true" : nil)])
        let answer: [UInt8]
        do {
            answer = try await session.client.bytes(request)
        } catch let error as ControlClientError {
            throw Self.advised(error)
        }
        if session.json {
            try session.output.json(answer)
            return .success
        }
        let page = try HistoryScreen(answer)
        try session.show(page.lines(session.style) { WallClock.text($0) })
        if let remark = page.remark(limit: limit, from: from, isReversed: reverse) { session.remark(remark) }
        return .success
    }

    /// With what to do about a room that keeps no messages.
    static func advised(_ error: ControlClientError) -> ControlClientError {
        guard case .refused(let status, var refusal) = error, refusal.code == "no_history" else { return error }
        let sentence = refusal.message.hasSuffix(".") ? String(refusal.message.dropLast()) : refusal.message
        refusal.message =
            "\(sentence). To have messages kept from now on, give the room's rule in wsd.yaml a historySize "
            + "(rooms.rules[].historySize, or rooms.defaults.historySize for all rooms) and run `wsctl reload`."
        return .refused(status: status, refusal)
    }
}
