import ArgumentParser
import ControlClient
import Wire

struct StatsCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats",
        abstract: "Show figures, once or every second.",
        discussion: """
            Example:
              wsctl stats
              wsctl stats --watch
            """)

    @Flag(name: .shortAndLong, help: "One line a second until Ctrl-C.")
    var watch = false

    @OptionGroup var common: CommonOptions

    func perform(_ session: Session) async throws -> CommandStatus {
        guard watch else {
            let answer = try await session.client.bytes(ControlRequest(.get, "/v1/stats"))
            if session.json {
                try session.output.json(answer)
            } else {
                let stats = try ControlClient.decode(StatsSample.self, answer)
                try session.show(StatsScreen.lines(stats, session.style))
            }
            return .success
        }
        ReaderWatch.start()
        var ticker = StatsTicker()
        return try await session.list(StatsSample.self, ControlRequest(.get, "/v1/stats", query: [("watch", "1")])) {
            stats in
            try session.show(ticker.lines(stats, session.style))
        }.status
    }
}
