import GRDB
import Glibc
import Synchronization

/// Carries the write-ahead log over into the file, on a connection and a thread of its own, so that commits do not wait
/// for the disk.
///
/// A checkpoint in the background holds up nobody, and lets the log begin anew if no commit came in between. Under steady
/// load one always does: at ``HistoryStoreOptions/restartPages`` who commits waits until all is carried over.
///
/// What is in the log needs its place in the file before the log's own is free again: on a disk with little space both
/// bounds are lower.
final class LogKeeper: Sendable {
    private struct State {
        var isRunning = false
        /// Pages in the log up to which it was carried over.
        var carried = 0
        /// Pages at which it is tried again to begin the log anew.
        var nextRestart = 0
        var checkpoints = 0
        /// Free pages of the disk.
        var free = Int.max
    }

    /// The log takes an eighth of what is free until the next checkpoint, and a third in all.
    private static let checkpointShare = 8
    private static let restartShare = 3
    private static let fewestPages = 16

    private let queue: DatabaseQueue
    private let directory: String
    private let checkpointPages: Int
    private let restartPages: Int
    private let state = Mutex(State())

    init(path: String, options: HistoryStoreOptions) throws {
        var configuration = Configuration()
        configuration.label = "wsd.history.checkpoint"
        configuration.busyMode = .timeout(5)
        queue = try DatabaseQueue(path: path, configuration: configuration)
        directory = options.directory
        checkpointPages = options.checkpointPages
        restartPages = options.restartPages
        let bound = options.maxPages
        try queue.inDatabase { db in
            try db.execute(sql: "PRAGMA synchronous = NORMAL")
            if let bound { try db.execute(sql: "PRAGMA max_page_count = \(bound)") }
        }
        let free = Self.freePages(directory)
        state.withLock { $0.free = free }
    }

    var checkpoints: Int { state.withLock(\.checkpoints) }

    /// After a commit, on its thread. `pages`: in the log now.
    func logGrew(to pages: Int) {
        let begins = state.withLock { state in
            if pages < state.carried { (state.carried, state.nextRestart) = (0, 0) }
            guard !state.isRunning, pages - state.carried >= bound(checkpointPages, Self.checkpointShare, state) else {
                return false
            }
            state.isRunning = true
            return true
        }
        if begins { queue.asyncWriteWithoutTransaction { db in self.checkpoint(db, .passive) } }
        let waits = state.withLock { state in
            guard pages >= max(bound(restartPages, Self.restartShare, state), state.nextRestart) else { return false }
            state.nextRestart = pages + bound(restartPages, Self.restartShare, state)
            return true
        }
        // Behind a checkpoint that is running, if there is one.
        if waits { queue.inDatabase { db in checkpoint(db, .restart) } }
    }

    private func checkpoint(_ db: Database, _ mode: Database.CheckpointMode) {
        // A disk that is full or fails: the log stays as it is, and the next time comes.
        let result = try? db.checkpoint(mode)
        let free = Self.freePages(directory)
        state.withLock { state in
            state.free = free
            if mode == .passive { state.isRunning = false }
            state.checkpoints += result == nil ? 0 : 1
            state.carried = result?.checkpointedFrameCount ?? state.carried + checkpointPages
        }
    }

    private func bound(_ pages: Int, _ share: Int, _ state: State) -> Int {
        min(pages, max(Self.fewestPages, state.free / share))
    }

    private static func freePages(_ directory: String) -> Int {
        var status = statvfs()
        guard statvfs(directory, &status) == 0 else { return .max }
        let (bytes, overflow) = UInt(status.f_bavail).multipliedReportingOverflow(by: UInt(status.f_frsize))
        return overflow ? .max : Int(clamping: bytes / 4096)
    }

    /// Waits for the checkpoint that is running, and ends.
    func close() throws {
        try queue.close()
    }
}
