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
              wsctl logs -f --highlight timeout
              wsctl logs --worker 2 --level warning --since 10m
              wsctl logs -n 0 -f --grep 'Rate limit' --json
            """)

    @Argument(
        help: ArgumentHelp(
            "Only a program's, and what the supervisor says about it; name:2 for one process, worker:2, hub, supervisor.",
            valueName: "target"))
    var target: String?

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
        if let target {
            guard worker == nil, source == nil else {
                throw ValidationError("Give a target, --worker or --source, not several of them.")
            }
            do {
                _ = try LogOrigin(target)
            } catch {
                throw ValidationError(error.message)
            }
        }
        if let since, PointInTime.parse(since, now: WallClock.now) == nil {
            throw ValidationError("--since takes 90s, 10m, 1h30m, 2d, 06:00 or 2026-11-21T06:00:00Z, not '\(since)'.")
        }
    }

    func perform(_ session: Session) async throws -> CommandStatus {
        if follow { ReaderWatch.start() }
        let from = since.flatMap { PointInTime.parse($0, now: WallClock.now) }
        let origin = try await origin(session)
        let stream = out ? .out : err ? .err : stream
        let query = [
            ("worker", origin.worker.map(String.init)), ("source", origin.source), ("program", origin.program),
            ("stream", stream?.rawValue), ("level", level?.rawValue), ("since", from.map { Humanized.fixed($0, 3) }),
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
    /// Where the lines are to come from; a program's number has become its name.
    private func origin(_ session: Session) async throws -> LogOrigin {
        guard let target else { return LogOrigin(worker: worker, source: source) }
        var origin = try LogOrigin(target)
        let word = origin.program ?? origin.source.flatMap { $0.split(separator: ":").first.map(String.init) }
        guard let word, CommandTarget.isNumber(word) else { return origin }
        let programs = try await session.listOfPrograms()
        guard let name = programs.first(where: { "\($0.number)" == word })?.name else {
            throw StartComplaint("There is no program number \(word). `wsctl list` shows those there are.")
        }
        if origin.program != nil { origin.program = name } else { origin.source = name + target.dropFirst(word.count) }
        return origin
    }
}

/// Where log lines come from. Empty: everywhere.
struct LogOrigin: Equatable {
    var worker: Int?
    var source: String?
    var program: String?

    init(worker: Int? = nil, source: String? = nil) {
        (self.worker, self.source) = (worker, source)
    }

    /// A target of the command line.
    init(_ word: String) throws(TargetComplaint) {
        guard word != "hub", word != "supervisor" else {
            source = word
            return
        }
        switch try CommandTarget(word) {
        case .all: break
        case .workers: throw TargetComplaint("Which worker? Name one as worker:2.")
        case .worker(let number): worker = number
        case .program(let name): if name.contains(":") { source = name } else { program = name }
        }
    }
}

extension LogLevel: ExpressibleByArgument {}
extension LogStream: ExpressibleByArgument {}
