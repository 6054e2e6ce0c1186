internal import ConfigurationFile
import Glibc
import Model
import NIOCore
import NIOPosix
import Supervision

/// The file of the programs that were started at run time. It is written on a thread of its own. Confined to the event loop.
final class ProgramMemory {
    static let fileName = "programs.json"

    /// Before a write that failed is tried again.
    static let retryPause = TimeAmount.seconds(10)

    private let path: String?
    private let retryPause: TimeAmount
    private let eventLoop: any EventLoop
    private let pool = NIOThreadPool(numberOfThreads: 1)
    private var isStarted = false
    /// What is to be kept. Only the last state counts.
    private var wanted = RememberedPrograms()
    /// What the file holds.
    private var kept = RememberedPrograms()
    /// What of the file was not read, and is not written over as long as it is there.
    private var obstacle: String?
    private var isWriting = false
    private var isRetrying = false
    /// Called with a sentence when writing begins to fail.
    private var failed: (String) -> Void = { _ in }
    /// Why the last write failed: a sentence; `nil`: it did not.
    private(set) var trouble: String?

    /// - Parameter path: `nil`: nothing says where.
    init(path: String?, eventLoop: any EventLoop, retryPause: TimeAmount = retryPause) {
        self.path = path
        self.retryPause = retryPause
        self.eventLoop = eventLoop
    }

    deinit {
        pool.shutdownGracefully { _ in }
    }

    /// Where the service keeps it; `nil`: nothing says where.
    static func path(_ configuration: HistoryConfiguration, environment: [String: String], uid: UInt32) -> String? {
        configuration.stateDirectory(environment: environment, uid: uid).map {
            $0.hasSuffix("/") ? $0 + fileName : "\($0)/\(fileName)"
        }
    }

    /// Once, before anything is remembered.
    func recall() -> (programs: [ProgramDefinition], warnings: [String]) {
        guard let path else { return ([], []) }
        let loaded = RememberedPrograms.load(from: path)
        (kept, wanted, obstacle) = (loaded.programs, loaded.programs, loaded.obstacle)
        // Before anything changes, too: what was remembered is not there.
        trouble = loaded.obstacle
        let definitions = loaded.programs.entries.map {
            ProgramDefinition(
                configuration: $0.configuration, origin: .runTime, isWanted: $0.isWanted, number: $0.number)
        }
        return (definitions, loaded.warnings)
    }

    /// - Parameter failed: called with a sentence when it cannot be written; it is tried again until it can.
    func remember(_ programs: [ProgramDefinition], failed: @escaping (String) -> Void) {
        let entries = programs.filter { $0.origin == .runTime }.map {
            RememberedPrograms.Entry(configuration: $0.configuration, isWanted: $0.isWanted, number: $0.number)
        }
        wanted = RememberedPrograms(entries)
        self.failed = failed
        write()
    }

    /// Whether nothing is being written.
    var isIdle: Bool { !isWriting }

    /// What waits to be tried again is tried now.
    func write() {
        guard !isWriting else { return }
        guard wanted != kept else { return trouble = obstacle }
        guard let path else {
            return end(
                wanted, "There is no directory for them: set STATE_DIRECTORY or HOME, or history.directory.")
        }
        isWriting = true
        if !isStarted {
            isStarted = true
            pool.start()
        }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let work = { @Sendable [wanted, obstacle] in (wanted, Self.save(wanted, to: path, obstacle)) }
        pool.runIfActive(eventLoop: eventLoop, work).whenSuccess { written, failure in
            bound.value.isWriting = false
            bound.value.end(written, failure)
        }
    }

    private func end(_ written: RememberedPrograms, _ failure: String?) {
        let isNew = failure != nil && failure != trouble
        trouble = failure
        guard let failure else {
            (kept, obstacle) = (written, nil)
            return write()
        }
        if isNew { failed(failure) }
        guard !isRetrying else { return }
        isRetrying = true
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.scheduleTask(in: retryPause) {
            bound.value.isRetrying = false
            bound.value.write()
        }
    }

    /// The sentence when it failed.
    private static func save(_ programs: RememberedPrograms, to path: String, _ obstacle: String?) -> String? {
        if let obstacle, access(path, F_OK) == 0 || ![ENOENT, ENOTDIR].contains(errno) { return obstacle }
        makeFolders(of: path)
        do throws(RememberedProgramsError) {
            try programs.save(to: path)
            return nil
        } catch {
            return error.description
        }
    }

    /// Closed to others; what is missing then is said by the write.
    private static func makeFolders(of path: String) {
        for (index, byte) in zip(path.indices, path) where byte == "/" && index != path.startIndex {
            mkdir(String(path[..<index]), 0o700)
        }
    }
}
