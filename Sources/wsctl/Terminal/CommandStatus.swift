import ControlClient
import Wire

/// Exit statuses of `wsctl`; the table in docs/wsctl.md says the same.
enum CommandStatus: Int32 {
    /// It happened; the service is healthy.
    case success = 0
    /// The service answered, and not all is well: unhealthy, an operation failed, the doctor found something.
    case unwell = 1
    /// The service refused the request: no such client, worker or key, a wrong value.
    case refused = 2
    /// wsd is not running.
    case notRunning = 3
    /// This user may not.
    case notAllowed = 4
    /// Another operation runs.
    case busy = 5
    /// No usable answer: none in time, cut off, not understood.
    case noAnswer = 6
    /// Wrong command line (`EX_USAGE` of sysexits.h).
    case usage = 64
    /// wsctl cannot write its output (`EX_IOERR`).
    case outputFailed = 74

    init(_ error: ControlClientError) {
        switch error {
        case .notRunning: self = .notRunning
        case .notAllowed: self = .notAllowed
        case .refused(let status, let error):
            switch (status, error.code) {
            case (_, "conflict"): self = .refused
            case (409, _), (_, "busy"): self = .busy
            case (401, _), (403, _), (_, "forbidden"): self = .notAllowed
            case (500..., _), (_, "unavailable"): self = .noAnswer
            default: self = .refused
            }
        case .noAnswer, .cutOff, .garbled, .system: self = .noAnswer
        }
    }
}
