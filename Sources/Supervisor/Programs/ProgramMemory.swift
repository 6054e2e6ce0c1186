internal import ConfigurationFile
import Glibc
import Model
import NIOCore
import NIOPosix
import Supervision

/// The file of the programs that were started at run time. It is written on a thread of its own. Confined to the event loop.
final class ProgramMemory {
    static let fileName = "programs.json"

    private let path: String?
    private let eventLoop: any EventLoop
    private let pool = NIOThreadPool(numberOfThreads: 1)
    private var isStarted = false
    /// What the file holds, or is going to.
    private var kept = RememberedPrograms()
    /// Written once the one before is done: only the last state counts.
    private var next: (RememberedPrograms, (String) -> Void)?
    private var isWriting = false

    /// - Parameter path: `nil`: nothing says where.
    init(path: String?, eventLoop: any EventLoop) {
        self.path = path
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
        let (programs, warnings) = RememberedPrograms.load(from: path)
        kept = programs
        let definitions = programs.entries.map {
            ProgramDefinition(
                configuration: $0.configuration, origin: .runTime, isWanted: $0.isWanted, number: $0.number)
        }
        return (definitions, warnings)
    }

    func remember(_ programs: [ProgramDefinition], failed: @escaping (String) -> Void) {
        let entries = programs.filter { $0.origin == .runTime }.map {
            RememberedPrograms.Entry(configuration: $0.configuration, isWanted: $0.isWanted, number: $0.number)
        }
        let new = RememberedPrograms(entries)
        guard new != kept else { return }
        kept = new
        next = (new, failed)
        if !isWriting { write() }
    }

    /// Whether everything is on disk.
    var isIdle: Bool { !isWriting }

    private func write() {
        guard let (programs, failed) = next else { return }
        next = nil
        guard let path else {
            return failed("there is no directory for them: set STATE_DIRECTORY or HOME, or history.directory")
        }
        isWriting = true
        if !isStarted {
            isStarted = true
            pool.start()
        }
        let bound = NIOLoopBound((memory: self, failed: failed), eventLoop: eventLoop)
        pool.runIfActive(eventLoop: eventLoop) { Self.save(programs, to: path) }.whenSuccess { failure in
            let (memory, failed) = bound.value
            memory.isWriting = false
            if let failure { failed(failure) }
            memory.write()
        }
    }

    /// The sentence when it failed.
    private static func save(_ programs: RememberedPrograms, to path: String) -> String? {
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
