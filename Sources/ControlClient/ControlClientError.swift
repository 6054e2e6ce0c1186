import Wire

/// Why a call of the control API brought no answer, or not the one asked for.
package enum ControlClientError: Error, Equatable {
    /// No socket that was tried has anybody behind it.
    case notRunning([SocketAttempt])
    /// A socket is there, and this user may not use it.
    case notAllowed(SocketAttempt, user: String)
    /// The service said no.
    case refused(status: Int, ControlError)
    /// Connected, and no answer within so many seconds.
    case noAnswer(path: String, seconds: Int)
    /// The answer ended in the middle.
    case cutOff
    /// The answer is not what the control API sends. What it was instead.
    case garbled(String)
    /// Something of the operating system failed.
    case system(String)
}

/// One socket that was tried, and what became of it.
package struct SocketAttempt: Equatable, Sendable {
    package enum Outcome: Equatable, Sendable {
        /// There is no file.
        case absent
        /// The file is there, its listener is gone (`ECONNREFUSED`).
        case stale
        /// The file is there, and the caller may not use it. Who may, where that can be seen.
        case forbidden(SocketOwner?)
    }

    package var path: String
    package var outcome: Outcome

    package init(path: String, outcome: Outcome) {
        self.path = path
        self.outcome = outcome
    }
}

package struct SocketOwner: Equatable, Sendable {
    package var user: String
    package var group: String
    /// Permission bits.
    package var mode: UInt32

    package init(user: String, group: String, mode: UInt32) {
        self.user = user
        self.group = group
        self.mode = mode
    }
}

extension ControlClientError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .notRunning(let attempts): Self.notRunning(attempts)
        case .notAllowed(let attempt, let user): Self.notAllowed(attempt, user: user)
        case .refused(_, let error): error.message
        case .noAnswer(let path, let seconds):
            """
            wsd has taken the connection on \(path) and given no answer for \(seconds) seconds: it is stopped or stuck. \
            Look with `wsctl doctor`.
            """
        case .cutOff: "The answer was cut off: wsd ended or broke the connection meanwhile. Look with `wsctl status`."
        case .garbled(let what):
            """
            The answer is not one of wsd's control API: \(what). Either another program has this socket, or wsctl and wsd \
            are of different versions: compare them with `wsctl version`.
            """
        case .system(let what): what
        }
    }

    private static func notRunning(_ attempts: [SocketAttempt]) -> String {
        let start = "Start it with `wsd`, or `systemctl start wsd` where it is installed as a service."
        let stale = attempts.filter { $0.outcome == .stale }
        if let first = stale.first {
            return """
                wsd is not running: \(first.path) was left behind by one that ended without clearing up; nobody listens on \
                it. \(start) It replaces the file by itself.
                """
        }
        let places = attempts.map(\.path).joined(separator: ", nor at ")
        return """
            wsd is not running (no control socket at \(places)). \(start) If it runs with a socket elsewhere, name that \
            with --socket or WSD_SOCKET.
            """
    }

    private static func notAllowed(_ attempt: SocketAttempt, user: String) -> String {
        guard case .forbidden(let owner?) = attempt.outcome else {
            return """
                You (\(user)) may not reach \(attempt.path): a directory on the way is closed to you. Use the user that wsd \
                runs as, or root (sudo).
                """
        }
        let who = "\(attempt.path) belongs to user \(owner.user) and group \(owner.group)"
        guard owner.mode & 0o020 != 0, owner.group != "root" else {
            return """
                You (\(user)) may not use this wsd: \(who). Use that user or root (sudo), or set control.group in wsd.yaml \
                to a group of yours and restart wsd.
                """
        }
        return """
            You (\(user)) may not use this wsd: \(who). Use that user or root (sudo), or have yourself added to the group \
            (sudo usermod -aG \(owner.group) \(user)) and log in again.
            """
    }
}
