import HistoryStore
import LinuxSystem
import Logging
import Model
import NIOCore
import Realtime
import Wire

/// The database of the hub's histories: opened at the start, looked after meanwhile, closed at the end. Confined to the
/// event loop.
final class HubHistory {
    /// Between two looks at what is to be deleted, where there is nothing and where there is.
    private static let idleInterval = TimeAmount.seconds(1)
    private static let busyInterval = TimeAmount.milliseconds(20)
    /// Longest time the event loop spends on that at once.
    private static let budget = Duration.milliseconds(2)

    let store: SQLiteHistoryStore
    private let loop: any EventLoop
    private let logger: Logger
    private var isClosed = false
    private var isFailing = false
    private var whenDamaged: ((String) -> Void)?

    /// Opens the database where some room keeps history and `history.store` wants it; otherwise `nil`: neither a directory
    /// nor a file is made. Blocks while a predecessor still has it.
    ///
    /// - Throws: a ``HistoryStartError``, when it cannot be opened.
    static func open(
        _ configuration: WsdConfiguration, environment: [String: String], uid: UInt32, loop: any EventLoop,
        logger: Logger
    ) throws(HistoryStartError) -> HubHistory? {
        guard let directory = try directory(configuration, environment, uid) else { return nil }
        do {
            return HubHistory(try SQLiteHistoryStore.open(HistoryStoreOptions(directory: directory)), loop, logger)
        } catch {
            throw HistoryStartError(reason: error.description)
        }
    }

    /// Whether ``open(_:environment:uid:loop:logger:)`` would find its directory usable.
    static func check(
        _ configuration: WsdConfiguration, environment: [String: String], uid: UInt32
    ) throws(HistoryStartError) {
        guard let directory = try directory(configuration, environment, uid) else { return }
        do {
            try SQLiteHistoryStore.check(directory: directory)
        } catch {
            throw HistoryStartError(reason: error.description)
        }
    }

    /// `nil`: no database is needed.
    private static func directory(
        _ configuration: WsdConfiguration, _ environment: [String: String], _ uid: UInt32
    ) throws(HistoryStartError) -> String? {
        guard configuration.history.store == .sqlite, RoomRules(configuration).anyKeepsHistory else { return nil }
        guard let directory = configuration.history.stateDirectory(environment: environment, uid: uid) else {
            throw HistoryStartError(
                reason: "There is no directory for the history: set history.directory, or STATE_DIRECTORY or HOME.")
        }
        return directory
    }

    private init(_ opened: SQLiteHistoryStore.Opened, _ loop: any EventLoop, _ logger: Logger) {
        store = opened.store
        self.loop = loop
        self.logger = logger
        if let aside = opened.movedAside {
            logger.error(
                "The history is lost and begins anew: its file is damaged and was put aside",
                metadata: ["file.path": "\(aside.path)", "error.message": "\(aside.reason)"])
        }
        if opened.hasNewEpochs {
            logger.warning(
                "The machine went down without warning: all histories have new epochs, and clients cannot resume older ones"
            )
        }
    }

    /// Begins to look after the file. `whenDamaged` is told once, in a sentence, when it turned out to be damaged and was put
    /// aside: the next hub begins anew.
    func begin(whenDamaged: @escaping (String) -> Void) {
        self.whenDamaged = whenDamaged
        schedule(in: Self.idleInterval)
    }

    private func schedule(in delay: TimeAmount) {
        loop.assumeIsolated().scheduleTask(in: delay) { [weak self] in self?.maintain() }
    }

    private func maintain() {
        guard !isClosed else { return }
        defer { abandonIfDamaged() }
        do {
            try store.maintain(budget: Self.budget)
            isFailing = false
        } catch {
            if !isFailing {
                logger.warning("The history's file cannot be tidied", metadata: ["error.message": "\(error)"])
            }
            isFailing = true
        }
        schedule(in: store.needsMaintenance && !isFailing ? Self.busyInterval : Self.idleInterval)
    }

    private func abandonIfDamaged() {
        guard !isClosed, let damage = store.corruption else { return }
        isClosed = true
        do throws(HistoryStoreError) {
            let place = try store.abandon()
            whenDamaged?("\(damage.description) It was put aside as \(place); the histories begin anew.")
        } catch {
            whenDamaged?(error.description)
        }
    }

    /// Everything is on the disk afterwards.
    func close() {
        guard !isClosed else { return }
        isClosed = true
        do {
            try store.close()
        } catch {
            logger.error("The history could not be closed", metadata: ["error.message": "\(error)"])
        }
    }

    func addFigures(to counters: inout ChildCounters) {
        let figures = store.takeFigures()
        counters.commits = figures.commits
        counters.commitMicroseconds = Int(clamping: figures.commitTime.nanoseconds / 1000)
        counters.historyFileBytes = figures.fileBytes + figures.logBytes
    }
}

/// Why there is no history, as a sentence.
struct HistoryStartError: Error, Equatable {
    var reason: String
}
