import ControlClient
import Model
import Wire

/// Shows log lines, and new ones as they come: over restarts of the service, too.
final class LogReader {
    /// How long a service that ended the stream may take to be back.
    static let patience = Duration.seconds(10)
    /// Between two looks.
    static let interval = Duration.milliseconds(100)
    /// More than a service keeps.
    private static let everything = "1000000"

    private let session: Session
    private let query: [(String, String?)]
    private let highlight: String?
    private let patience: Duration
    /// Of the newest line; 0: there was none.
    private var last = 0

    init(session: Session, query: [(String, String?)], highlight: String?, patience: Duration = patience) {
        (self.session, self.query, self.highlight, self.patience) = (session, query, highlight, patience)
    }

    /// The kept lines. Returns how many there were.
    func read(lines: String?) async throws -> Int { try await show([("lines", lines)]) }

    /// Until the service is gone for good.
    func follow(lines: String?) async throws -> CommandStatus {
        var pid = try await version().pid
        var place = [("follow", "1"), ("lines", lines)]
        while true {
            do {
                _ = try await show(place)
            } catch ControlClientError.cutOff {}
            session.remark("wsctl: the service ended the stream; waiting for it to come back.")
            guard let back = await comeback() else {
                session.remark("wsctl: it did not come back within \(patience.components.seconds) s.")
                return .noAnswer
            }
            // A new one counts its lines anew, and all that it has is new.
            let isSame = back == pid
            session.remark(isSame ? "wsctl: going on." : "wsctl: wsd is back (pid \(back)).")
            place = [("follow", "1"), isSame ? ("after", "\(last)") : ("lines", Self.everything)]
            if !isSame { (pid, last) = (back, 0) }
        }
    }

    private func show(_ place: [(String, String?)]) async throws -> Int {
        var count = 0
        try await session.client.lines(ControlRequest(.get, "/v1/logs", query: place + query)) { line in
            let entry = try ControlClient.decode(LogEntry.self, line)
            count += 1
            last = max(last, entry.sequence)
            guard !session.json else { return try session.output.json(line) }
            let time =
                session.style.coloured
                ? WallClock.textBriefly(entry.time, now: WallClock.now) : WallClock.text(entry.time)
            try session.show([LogLine.text(entry, time: time, highlight: highlight, session.style)])
        }
        return count
    }

    private func version() async throws -> VersionAnswer {
        try await session.client.value(VersionAnswer.self, ControlRequest(.get, "/v1/version"))
    }

    /// The process that serves again; `nil`: none does.
    private func comeback() async -> Int32? {
        let clock = ContinuousClock()
        let start = clock.now
        while clock.now - start < patience {
            try? await Task.sleep(for: Self.interval)
            if let pid = try? await version().pid { return pid }
        }
        return nil
    }
}
