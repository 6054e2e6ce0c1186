import ArgumentParser
import ControlClient
import Wire

struct StatsCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats",
        abstract: "Show figures, once or again and again.",
        discussion: """
            Figures are of the whole service since its start, those of ended processes included.

            Example:
              wsctl stats
              wsctl stats -f --every 5
              wsctl stats --json | jq .totals.latency
            """)

    @Flag(
        name: [.customShort("f"), .customShort("w"), .customLong("follow"), .customLong("watch")],
        help: "One line each interval until Ctrl-C.")
    var follow = false

    @Option(help: ArgumentHelp("The interval, 1 to 60.", valueName: "seconds"))
    var every = 1

    @OptionGroup var common: CommonOptions

    func validate() throws {
        guard (1...60).contains(every) else { throw ValidationError("--every is from 1 to 60 seconds.") }
    }

    func perform(_ session: Session) async throws -> CommandStatus {
        guard follow else {
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
        let request = ControlRequest(.get, "/v1/stats", query: [("follow", "\(every)s")])
        var status = CommandStatus.success
        try await session.followed { session, _ in
            status = try await session.list(StatsSample.self, request) { stats in
                try session.show(ticker.lines(stats, session.style))
            }.status
            return false
        }
        return status
    }
}
