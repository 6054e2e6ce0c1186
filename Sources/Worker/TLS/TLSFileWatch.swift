import Model

/// Decides when changed files are read, and when what is wrong with them is said. Pure.
///
/// Certificate and key are two files that a renewal replaces one after the other: what does not fit is looked at again
/// after a short while before anybody is told.
struct TLSFileWatch: Equatable {
    /// Between two looks at the files.
    static let interval = Duration.seconds(10)
    /// Before files that cannot be used are looked at once more.
    static let settling = Duration.seconds(2)

    enum Verdict: Equatable {
        /// Say nothing yet; look again after ``settling``.
        case lookAgain
        /// Say it: it is no moment between two files.
        case refuse
    }

    /// Of the files in use, or of those that were refused.
    private var known: TLSFileStamps
    /// Of files that could not be used when they were first seen.
    private var unsettled: TLSFileStamps?

    init(_ loaded: TLSFileStamps) { known = loaded }

    /// Whether files that look like this are to be read.
    func isNew(_ stamps: TLSFileStamps) -> Bool { stamps != known }

    /// They were read and are used.
    mutating func loaded(_ stamps: TLSFileStamps) {
        known = stamps
        unsettled = nil
    }

    /// They were read and cannot be used.
    mutating func failed(_ stamps: TLSFileStamps) -> Verdict {
        guard unsettled == stamps else {
            unsettled = stamps
            return .lookAgain
        }
        known = stamps
        unsettled = nil
        return .refuse
    }
}
