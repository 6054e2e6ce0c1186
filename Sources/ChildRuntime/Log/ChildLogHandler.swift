internal import LinuxSystem
package import Logging
package import Model
internal import NIOCore

/// Turns swift-log events into the lines that the supervisor reads.
package struct ChildLogHandler: LogHandler {
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?

    private let label: String
    private let sink: ChildLogSink
    private var ownLevel: Logger.Level?

    /// - Parameter label: stands in the line as `logger` unless it is one of wsd's own (`wsd…`).
    package init(label: String, sink: ChildLogSink, metadataProvider: Logger.MetadataProvider? = nil) {
        self.label = label
        self.sink = sink
        self.metadataProvider = metadataProvider
    }

    /// The sink's level, unless it was set for this one logger.
    package var logLevel: Logger.Level {
        get { ownLevel ?? Logger.Level(sink.level) }
        set { ownLevel = newValue }
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        var merged = metadata
        if let provided = metadataProvider?.get() { merged.merge(provided) { $1 } }
        if let given = event.metadata { merged.merge(given) { $1 } }
        var fields = merged.map { (name: $0.key, value: "\($0.value)") }.sorted { $0.name < $1.name }
        if let error = event.error { fields.append((name: "error", value: "\(error)")) }
        if !label.hasPrefix("wsd") { fields.append((name: "logger", value: label)) }

        var line = ByteBuffer()
        LogLine(level: LogLevel(event.level), message: "\(event.message)", seconds: Clocks.wallSeconds())
            .write(fields, into: &line)
        sink.write(line)
    }
}

extension Logger.Level {
    package init(_ level: LogLevel) {
        switch level {
        case .trace: self = .trace
        case .debug: self = .debug
        case .info: self = .info
        case .notice: self = .notice
        case .warning: self = .warning
        case .error: self = .error
        case .critical: self = .critical
        }
    }
}

extension LogLevel {
    package init(_ level: Logger.Level) {
        switch level {
        case .trace: self = .trace
        case .debug: self = .debug
        case .info: self = .info
        case .notice: self = .notice
        case .warning: self = .warning
        case .error: self = .error
        case .critical: self = .critical
        }
    }
}
