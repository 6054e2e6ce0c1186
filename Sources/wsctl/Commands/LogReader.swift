import ControlClient
import Model
import Wire

/// Shows log lines, and new ones as they come: over restarts of the service, too.
final class LogReader {
    /// More than a service keeps.
    private static let everything = "1000000"
    /// How long a service that ended the stream may take to be back.
    private static let patience: Comeback.Patience = {
        var patience = Comeback.Patience()
        patience.awaitsRestart = true
        return patience
    }()

    private let session: Session
    private let query: [(String, String?)]
    private let highlight: String?
    /// Of the newest line that was shown, or was there before; 0: there was none.
    private var last = 0

    init(session: Session, query: [(String, String?)], highlight: String?) {
        (self.session, self.query, self.highlight) = (session, query, highlight)
    }

    /// The kept lines. Returns how many there were.
    func read(lines: String?) async throws -> Int { try await show(session, [("lines", lines)]) }

    /// Until the service is gone for good.
    func follow(lines: String?, _ patience: Comeback.Patience = patience) async throws -> CommandStatus {
        let session = try await session.settled()
        var comeback = try await Comeback(session.client, patience)
        last = try await newest(session)
        var place: [(String, String?)] = [("follow", "1"), ("lines", lines)]
        while true {
            do {
                _ = try await show(session, place)
            } catch ControlClientError.cutOff, ControlClientError.notRunning {}
            let outcome = await comeback.wait {
                session.remark("wsctl: the service ended the stream; waiting for it to come back.")
            }
            switch outcome {
            case .takenOver: session.note(Session.takeoverNote)
            case .same: session.note("wsctl: going on.")
            case .restarted: session.remark("wsctl: wsd is back (pid \(comeback.known.pid)).")
            case .gone:
                session.remark("wsctl: it did not come back within \(patience.all.components.seconds) s.")
                return .noAnswer
            }
            // A new process counts its lines anew, and all that it has is new.
            if outcome == .restarted { last = 0 }
            place = [("follow", "1"), outcome == .restarted ? ("lines", Self.everything) : ("after", "\(last)")]
        }
    }

    private func show(_ session: Session, _ place: [(String, String?)]) async throws -> Int {
        var count = 0
        try await session.client.lines(ControlRequest(.get, "/v1/logs", query: place + query)) { line in
            let entry = try ControlClient.decode(LogEntry.self, line)
            guard !session.json else {
                try session.output.json(line)
                return shown(entry, &count)
            }
            let time =
                session.style.coloured
                ? WallClock.textBriefly(entry.time, now: WallClock.now) : WallClock.text(entry.time)
            try session.show([LogLine.text(entry, time: time, highlight: highlight, session.style)])
            shown(entry, &count)
        }
        return count
    }

    private func shown(_ entry: LogEntry, _ count: inout Int) {
        last = max(last, entry.sequence)
        count += 1
    }

    /// Number of the newest line of all.
    private func newest(_ session: Session) async throws -> Int {
        var newest = 0
        try await session.client.lines(ControlRequest(.get, "/v1/logs", query: [("lines", "1")])) { line in
            newest = try ControlClient.decode(LogEntry.self, line).sequence
        }
        return newest
    }
}
