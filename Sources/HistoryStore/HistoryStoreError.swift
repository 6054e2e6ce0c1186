import GRDB

/// Why the history cannot be stored or read. The description tells a person what to do.
package enum HistoryStoreError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The directory cannot be made, entered or written.
    case directory(String, reason: String)
    /// Another process has the database, and kept it for longer than ``HistoryStoreOptions/lockTimeout``.
    case inUse(String, process: Int32?)
    /// A later wsd wrote the file.
    case newerSchema(String, found: Int, known: Int)
    /// No space, or a quota.
    case full(String)
    /// The file is damaged or none of wsd's.
    case corrupt(String, detail: String)
    /// So many damaged files lie beside it that another one is not put there.
    case tooManyBroken(String)
    /// The room has not been begun: a fault of the caller's.
    case unknownRoom
    case failed(String, detail: String)

    package var description: String {
        switch self {
        case .directory(let path, let reason):
            "The history directory \(path) cannot be used: \(reason). "
                + "Make it writable for this user, or set history.directory."
        case .inUse(let path, let process):
            "The history in \(path) is in use\(process.map { " by process \($0)" } ?? ""). "
                + "Stop the other service, or give each its own history.directory."
        case .newerSchema(let path, let found, let known):
            "\(path) was written by a later wsd (schema \(found), this one knows \(known)). "
                + "Run that one again, or move the file away: its history is lost then."
        case .full(let path):
            "No space left for \(path). Messages to rooms with history are refused until there is."
        case .corrupt(let path, let detail):
            "\(path) is damaged or not wsd's: \(detail)."
        case .tooManyBroken(let path):
            "\(path) is damaged, and \(HistoryDirectory.maxBroken) damaged ones lie beside it. "
                + "See whether the disk is sound, then remove them."
        case .unknownRoom: "The room's history has not been begun."
        case .failed(let path, let detail): "\(path): \(detail)."
        }
    }

    /// The file itself has to go; otherwise waiting, or an operator, may help.
    package var isCorruption: Bool {
        if case .corrupt = self { true } else { false }
    }

    init(_ error: any Error, path: String) {
        switch error {
        case let error as HistoryStoreError:
            self = error
        case let error as DatabaseError:
            let detail = "\(error.message ?? "error") (SQLite \(error.extendedResultCode.rawValue))"
            switch error.resultCode {
            case .SQLITE_FULL: self = .full(path)
            case .SQLITE_CORRUPT, .SQLITE_NOTADB: self = .corrupt(path, detail: detail)
            case .SQLITE_BUSY, .SQLITE_LOCKED: self = .inUse(path, process: nil)
            default: self = .failed(path, detail: detail)
            }
        default:
            self = .failed(path, detail: "\(error)")
        }
    }
}
