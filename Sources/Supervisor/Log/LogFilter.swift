import Model
import Supervision
import Wire

/// Whose log lines are meant by a word.
enum LogTarget: Sendable, Equatable {
    /// Those of the process with this name alone.
    case source(String)
    /// A worker's, the hub's, a program's, those of one of its processes; and what the supervisor says about them.
    case worker(Int)
    case workers
    case hub
    case program(String)
    case process(ProgramProcessID)

    /// Whether a source can have lines of it.
    func wants(source: String) -> Bool {
        if source == LogSource.supervisorName, !isSource { return true }
        return switch self {
        case .source(let name): source == name
        case .worker(let number): source == SlotID.worker(number).description
        case .workers: source.hasPrefix("worker ")
        case .hub: source == SlotID.hub.description
        case .program(let name): source.hasPrefix(name + ":")
        case .process(let process): source == process.description
        }
    }

    func matches(_ entry: LogEntry) -> Bool {
        guard wants(source: entry.source) else { return false }
        return switch self {
        case .source: true
        case .worker(let number): entry.worker == number
        case .workers: entry.worker != nil
        case .hub: isOwn(entry) || entry.fields["process.name"] == SlotID.hub.description
        case .program(let name): entry.program == name
        case .process(let process):
            entry.program == process.program
                && (isOwn(entry) || entry.fields["process.name"] == process.description)
        }
    }

    private var isSource: Bool { if case .source = self { true } else { false } }

    private func isOwn(_ entry: LogEntry) -> Bool { entry.source != LogSource.supervisorName }
}

/// Which log lines a reader wants. Empty: all.
struct LogFilter: Sendable, Equatable {
    /// Lines of any of these; empty: of all.
    var targets: [LogTarget] = []
    /// `supervisor`, `hub`, `worker 1`, `api:1`.
    var source: String?
    /// Lines of this worker, and the supervisor's about it.
    var worker: Int?
    /// Lines of this program's processes, and the supervisor's about it.
    var program: String?
    /// Lines of programs that came this way.
    var stream: LogStream?
    /// Lines of this level or above.
    var level: LogLevel
    /// Seconds since 1970; older lines are left out.
    var since: Double?
    /// Text that must occur in the message, in a key or in a value; case is ignored.
    var grep: String? {
        didSet { needle = grep.map { Array($0.lowercased().utf8) } }
    }
    private var needle: [UInt8]?

    init(
        targets: [LogTarget] = [], source: String? = nil, worker: Int? = nil, level: LogLevel = .trace,
        since: Double? = nil, grep: String? = nil
    ) {
        self.targets = targets
        self.source = source
        self.worker = worker
        self.level = level
        self.since = since
        self.grep = grep
        needle = grep.map { Array($0.lowercased().utf8) }
    }

    /// Whether a source can have lines that match.
    func wants(source: String) -> Bool {
        guard targets.isEmpty || targets.contains(where: { $0.wants(source: source) }) else { return false }
        if let program, source != LogSource.supervisorName, !source.hasPrefix(program + ":") { return false }
        if let worker, source != LogSource.supervisorName { return source == SlotID.worker(worker).description }
        return self.source == nil || self.source == source
    }

    func matches(_ entry: LogEntry) -> Bool {
        guard wants(source: entry.source), worker == nil || entry.worker == worker,
            program == nil || entry.program == program, stream == nil || entry.stream == stream, entry.level >= level,
            since.map({ entry.time >= $0 }) ?? true, targets.isEmpty || targets.contains(where: { $0.matches(entry) })
        else { return false }
        guard let needle else { return true }
        if Self.contains(needle, in: entry.message) { return true }
        return entry.fields.contains { Self.contains(needle, in: $0.key) || Self.contains(needle, in: $0.value) }
    }

    private static func contains(_ needle: [UInt8], in text: String) -> Bool {
        guard !needle.isEmpty else { return true }
        let haystack = Array(text.lowercased().utf8)
        guard haystack.count >= needle.count else { return false }
        for start in 0...(haystack.count - needle.count)
        where haystack[start] == needle[0] && haystack[start..<(start + needle.count)].elementsEqual(needle) {
            return true
        }
        return false
    }
}
