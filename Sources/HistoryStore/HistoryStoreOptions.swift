/// Where a history lies and how much its log may grow.
package struct HistoryStoreOptions: Sendable {
    /// Made (0700) where it is not there yet.
    package var directory: String
    /// How long a predecessor may take to let go of the database. Less than `workers.readyTimeout`'s default.
    package var lockTimeout = Duration.seconds(5)
    /// Pages (4 KiB) written to the log since the last checkpoint at which the next begins, in the background.
    package var checkpointPages = 1000
    /// Pages in the log at which it is begun anew even under steady load; a commit may then wait for the disk.
    package var restartPages = 8000
    /// This boot of the machine; `nil`: unknown, and then only a clean end is trusted.
    var machineBoot = MachineBoot.current()
    /// Pages the file may grow to: a full disk for tests; `nil`: no bound.
    var maxPages: Int?
    var migrations = HistorySchema.migrations

    package init(directory: String) {
        self.directory = directory
    }
}

/// Figures of a store since it was opened; `fileBytes` and `logBytes` are current.
package struct HistoryFigures: Hashable, Sendable {
    package var commits = 0
    package var failedCommits = 0
    /// Messages recorded.
    package var appends = 0
    /// Over all commits.
    package var commitTime = Duration.zero
    /// The longest since the figures were last taken.
    package var longestCommit = Duration.zero
    /// Size of the database file.
    package var fileBytes = 0
    /// Size of its write-ahead log.
    package var logBytes = 0
    package var checkpoints = 0

    package init() {}
}
