import Glibc
import Model

/// Which lines are kept in files of their own, and where.
struct LogFilesPlan: Equatable {
    /// `nil`: nothing says where.
    var folder: String?
    /// The service's own lines are kept from the start, not only once there are programs.
    var ownFromStart: Bool
    /// An operator wants them: when they cannot be written, that is a problem.
    var isWanted: Bool

    /// `nil`: there are none.
    init?(_ log: LogConfiguration, service: LogService) {
        switch log.files {
        case .never: return nil
        case .auto:
            guard !service.usesJournal, !service.isFirstProcess, log.file == nil else { return nil }
            ownFromStart = service.mode == .prod || service.managesOnly
            isWanted = false
        case .always:
            ownFromStart = true
            isWanted = true
        }
        folder = log.filesFolder(environment: service.environment, stateDirectory: service.stateDirectory)
    }
}

/// What of a service decides on its log files.
struct LogService {
    var mode: RunMode
    /// There are no workers.
    var managesOnly: Bool
    var usesJournal: Bool
    /// Process 1 of a container, whose runtime takes standard error.
    var isFirstProcess: Bool
    var environment: [String: String]
    var stateDirectory: String?

    init(_ configuration: WsdConfiguration, environment: [String: String], usesJournal: Bool) {
        mode = configuration.mode
        managesOnly = configuration.workers.areOff
        self.usesJournal = usesJournal
        isFirstProcess = getpid() == 1
        self.environment = environment
        stateDirectory = configuration.history.stateDirectory(environment: environment, uid: geteuid())
    }
}
