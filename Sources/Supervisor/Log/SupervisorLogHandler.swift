import Logging
import Model
import Synchronization

/// The supervisor's own log, handed to the same store as the children's lines.
struct SupervisorLogHandler: LogHandler {
    let output: SupervisorLogOutput
    var metadata: Logger.Metadata = [:]

    /// Ignored: the level is that of the configuration, and changes with it.
    var logLevel: Logger.Level {
        get { output.level }
        set {}
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var fields: [String: String] = [:]
        for (key, value) in metadata { fields[key] = value.description }
        for (key, value) in event.metadata ?? [:] { fields[key] = value.description }
        output.take(LogLevel(event.level), event.message.description, fields)
    }
}

/// What all copies of the supervisor's logger share.
final class SupervisorLogOutput: Sendable {
    private let severity: Atomic<Int>
    private let sink: @Sendable (LogLevel, String, [String: String]) -> Void

    /// - Parameter sink: called from any thread.
    init(level: LogLevel, sink: @escaping @Sendable (LogLevel, String, [String: String]) -> Void) {
        severity = Atomic(Self.rank(level))
        self.sink = sink
    }

    var level: Logger.Level { Logger.Level(LogLevel.allCases[severity.load(ordering: .relaxed)]) }

    func setLevel(_ level: LogLevel) {
        severity.store(Self.rank(level), ordering: .relaxed)
    }

    func take(_ level: LogLevel, _ message: String, _ fields: [String: String]) { sink(level, message, fields) }

    private static func rank(_ level: LogLevel) -> Int { LogLevel.allCases.firstIndex(of: level) ?? 0 }
}

extension LogLevel {
    init(_ level: Logger.Level) {
        self = Self(rawValue: level.rawValue) ?? .info
    }
}

extension Logger.Level {
    init(_ level: LogLevel) {
        self = Self(rawValue: level.rawValue) ?? .info
    }
}
