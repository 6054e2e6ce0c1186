import ArgumentParser
import ControlClient
import Model
import Wire

struct LogsCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "logs",
        abstract: "Show log lines of all processes, and follow new ones.",
        discussion: """
            The supervisor keeps the latest lines of each process in memory (log.memoryPerChild); files keep more of them \
            (log.files). -f goes on when wsd itself was restarted, and ends when it is gone for 10 s.

            Example:
              wsctl logs -f
              wsctl logs api --err -n 20
              wsctl logs -f api web:2 worker:1
              wsctl logs -f --highlight timeout
              wsctl logs --worker 2 --level warning --since 10m
              wsctl logs -n 0 -f --grep 'Rate limit' --json
            """)

    @Argument(
        help: ArgumentHelp(
            "Only these programs', and what the supervisor says about them; name:2 for one process, workers, worker:2, hub, supervisor.",
            valueName: "target"))
    var targets: [String] = []

    @Flag(name: .shortAndLong, help: "Go on with new lines until Ctrl-C.")
    var follow = false

    @Option(
        name: [.customShort("n"), .long], help: "At most so many of the kept lines. (default: 100, or all with --since)"
    )
    var lines: Int?

    @Option(help: "Only this worker's, and what the supervisor says about it.")
    var worker: Int?

    @Option(help: "Only supervisor, hub or 'worker N'.")
    var source: String?

    @Option(help: "Only what programs wrote to standard output (out) or standard error (err).")
    var stream: LogStream?

    @Flag(help: "The same as --stream out.")
    var out = false

    @Flag(help: "The same as --stream err.")
    var err = false

    @Option(help: "This level and above.")
    var level: LogLevel?

    @Option(help: "From then on: 90s, 10m, 1h30m, 2d ago, 06:00, or 2026-11-21T06:00:00Z.")
    var since: String?

    @Option(help: "Only lines with this text in the message or a field, letter case aside.")
    var grep: String?

    @Option(help: "Mark this text wherever it stands, letter case aside. (Where there are colours.)")
    var highlight: String?

    @OptionGroup var common: CommonOptions

    func validate() throws {
        guard [out, err, stream != nil].count(where: { $0 }) <= 1 else {
            throw ValidationError("Give --out, --err or --stream, not several of them; both are shown without.")
        }
        if let lines, lines < 0 { throw ValidationError("--lines must not be negative.") }
        if let worker, worker < 1 { throw ValidationError("--worker counts from 1.") }
        if worker != nil, source != nil { throw ValidationError("Give --worker or --source, not both.") }
        if !targets.isEmpty, worker != nil || source != nil {
            throw ValidationError("Give targets, --worker or --source, not several of them.")
        }
        do {
            for target in targets { try Self.check(target) }
        } catch {
            throw ValidationError(error.message)
        }
        if let since, PointInTime.parse(since, now: WallClock.now) == nil {
            throw ValidationError("--since takes 90s, 10m, 1h30m, 2d, 06:00 or 2026-11-21T06:00:00Z, not '\(since)'.")
        }
    }

    func perform(_ session: Session) async throws -> CommandStatus {
        if follow { ReaderWatch.start() }
        let from = since.flatMap { PointInTime.parse($0, now: WallClock.now) }
        let stream = out ? .out : err ? .err : stream
        let query = [
            ("target", targets.isEmpty ? nil : targets.joined(separator: ",")), ("worker", worker.map(String.init)),
            ("source", source), ("stream", stream?.rawValue), ("level", level?.rawValue),
            ("since", from.map { Humanized.fixed($0, 3) }),
            ("grep", grep),
        ]
        let reader = LogReader(session: session, query: query, highlight: highlight)
        let lines = (lines ?? (from == nil ? 100 : nil)).map(String.init)
        guard follow else {
            let count = try await reader.read(lines: lines)
            if count == 0, self.lines != 0 { session.remark("No kept line matches.") }
            return .success
        }
        return try await reader.follow(lines: lines)
    }
}

extension LogsCommand {
    /// Which programs there are the service knows.
    static func check(_ word: String) throws(TargetComplaint) {
        guard !word.contains(",") else {
            throw TargetComplaint("Put a space between names, not a comma: \(PlainText.harmless(word))")
        }
        if word != "hub", word != "supervisor" { _ = try CommandTarget(word) }
    }
}

extension LogLevel: ExpressibleByArgument {}
extension LogStream: ExpressibleByArgument {}
