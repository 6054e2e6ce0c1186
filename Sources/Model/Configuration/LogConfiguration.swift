package struct LogConfiguration: Equatable, Sendable, Codable {
    package var level = LogLevel.info
    /// What the supervisor writes to its standard error.
    package var format = LogFormat.auto
    /// Log file; `nil`: none.
    package var file: String?
    /// A file above this size is rotated; 64 KiB…1 TiB.
    package var fileMaxSize = 16 * 1024 * 1024
    /// Rotated files kept; 0…1000.
    package var fileKeep = 5
    /// Bytes of recent lines kept in memory for each child; 16 KiB…64 MiB.
    package var memoryPerChild = 1024 * 1024
    /// The same over all children; at least `memoryPerChild`, at most 64 GiB.
    package var memoryTotal = 16 * 1024 * 1024

    package init() {}
}

package enum LogFormat: String, Sendable, Codable, CaseIterable {
    /// `text` on a terminal or in dev, `json` otherwise.
    case auto
    case text
    case json
}

package enum LogLevel: String, Sendable, Codable, CaseIterable, Comparable {
    case trace, debug, info, notice, warning, error, critical

    package static func < (lhs: Self, rhs: Self) -> Bool {
        lhs.severity < rhs.severity
    }

    private var severity: Int {
        switch self {
        case .trace: 0
        case .debug: 1
        case .info: 2
        case .notice: 3
        case .warning: 4
        case .error: 5
        case .critical: 6
        }
    }
}
