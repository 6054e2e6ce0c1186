import ArgumentParser
import ControlClient
import Model
import Wire

struct EventsCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "events",
        abstract: "Show what happened to processes, programs and the service, and follow it.",
        discussion: """
            The supervisor keeps the latest events in memory (1 MiB). docs/events.md lists all types; onEvent in wsd.yaml runs a \
            program or calls an address when something happens.

            Example:
              wsctl events -f
              wsctl events --type process.exited --since 1h
              wsctl events -f --program api --type 'process.*' --json
            """)

    @Flag(name: .shortAndLong, help: "Go on with new events until Ctrl-C.")
    var follow = false

    @Option(
        name: [.customShort("n"), .long],
        help: "At most so many of the kept events. (default: 100, or all with --since or --after)")
    var count: Int?

    @Option(help: "Only a program's, by its name.")
    var program: String?

    @Option(
        help: ArgumentHelp(
            "Only these types, with a comma between them: process.exited, 'worker.*', '*.failed'.", valueName: "types"))
    var type: String?

    @Option(help: "From then on: 90s, 10m, 1h30m, 2d ago, 06:00, or 2026-11-21T06:00:00Z.")
    var since: String?

    @Option(help: "Only those with a higher number (sequence in the JSON).")
    var after: Int?

    @OptionGroup var common: CommonOptions

    func validate() throws {
        if let count, count < 0 { throw ValidationError("--count must not be negative.") }
        if let after, after < 0 { throw ValidationError("--after must not be negative.") }
        for word in (type ?? "").split(separator: ",") where EventPattern(String(word)) == nil {
            throw ValidationError(
                "'\(PlainText.harmless(String(word)))' fits no type of event. Types are \(Self.types); '*' stands for anything."
            )
        }
        if let since, PointInTime.parse(since, now: WallClock.now) == nil {
            throw ValidationError("--since takes 90s, 10m, 1h30m, 2d, 06:00 or 2026-11-21T06:00:00Z, not '\(since)'.")
        }
    }

    private static let types = EventKind.all.map(\.name).joined(separator: ", ")

    func perform(_ session: Session) async throws -> CommandStatus {
        if follow { ReaderWatch.start() }
        let from = since.flatMap { PointInTime.parse($0, now: WallClock.now) }
        let query = [("type", type), ("program", program), ("since", from.map { Humanized.fixed($0, 3) })]
        let place = [("count", count.map(String.init)), ("after", after.map(String.init))]
        let reader = EventReader(query: query)
        guard follow else {
            let listing = try await reader.read(session, place)
            if listing.count == 0, count != 0 { session.remark("No kept event matches.") }
            return listing.status
        }
        try await reader.follow(session, place)
        session.remark("wsctl: the service ended the stream.")
        return .noAnswer
    }
}
