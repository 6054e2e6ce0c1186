package struct LogConfiguration: Equatable, Sendable, Codable {
    package var level = LogLevel.info
    /// What the supervisor writes to its standard error.
    package var format = LogFormat.auto
    /// One file of all lines; `nil`: none.
    package var file: String?
    /// Files of each program and of the service itself, in `folder`.
    package var files = LogFiles.auto
    /// `nil` (written `auto`): the usual place, see ``filesFolder(environment:stateDirectory:)``.
    package var folder: String?
    /// A file above this size is rotated; 64 KiB…1 TiB.
    package var fileMaxSize = 10 * 1024 * 1024
    /// One whose first line is older is rotated, too; 1 min…10 years; 0: never.
    package var fileMaxAge = Duration.seconds(7 * 86_400)
    /// Rotated files kept; 0…1000.
    package var fileKeep = 5
    /// Rotated files are compressed (gzip).
    package var fileCompress = true
    /// Bytes of all files in `folder`; 4 MiB…1 TiB.
    package var filesTotal = 256 * 1024 * 1024
    /// Bytes of recent lines kept in memory for each child; 16 KiB…64 MiB.
    package var memoryPerChild = 1024 * 1024
    /// The same over all children; at least `memoryPerChild`, at most 64 GiB.
    package var memoryTotal = 16 * 1024 * 1024

    package init() {}

    /// Where files are kept: as configured, where systemd says (`LogsDirectory=`, systemd.exec(5)), or in the state directory;
    /// `nil`: nothing says where.
    package func filesFolder(environment: [String: String], stateDirectory: String?) -> String? {
        if let folder { return folder }
        if let first = environment["LOGS_DIRECTORY"]?.split(separator: ":").first, first.hasPrefix("/") {
            return String(first)
        }
        return stateDirectory.map { $0.hasSuffix("/") ? $0 + "logs" : $0 + "/logs" }
    }
}

package enum LogFiles: String, Sendable, Codable, CaseIterable {
    /// Unless somebody else keeps the lines: systemd's journal, a container's runtime, `log.file`.
    case auto
    case always
    case never
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
