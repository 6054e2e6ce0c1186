import ControlClient
import Model
import Wire

/// Shows events, and new ones as they come.
final class EventReader {
    private let query: [(String, String?)]
    /// Of the newest event that was shown, or was there before; 0: there was none.
    private var last = 0

    init(query: [(String, String?)]) {
        self.query = query
    }

    /// The kept ones.
    func read(_ session: Session, _ place: [(String, String?)]) async throws -> Listing {
        let request = ControlRequest(.get, "/v1/events", query: place + query)
        return try await session.list(
            ServiceEvent.self, request, written: { [self] in last = max(last, $0.sequence) }
        ) { event in
            let time =
                session.style.coloured
                ? WallClock.textBriefly(event.time, now: WallClock.now) : WallClock.text(event.time)
            try session.show([EventLine.text(event, time: time, session.style)])
        }
    }

    /// Until the service ends.
    func follow(
        _ session: Session, _ place: [(String, String?)], _ patience: Comeback.Patience = Comeback.Patience()
    ) async throws {
        try await session.followed(patience) { [self] session, again in
            if !again { last = try await newest(session) }
            let place = again ? [("after", "\(last)")] : place
            _ = try await read(session, [("follow", "1")] + place)
            return false
        }
    }

    /// Number of the newest event of all.
    private func newest(_ session: Session) async throws -> Int {
        var newest = 0
        try await session.client.lines(ControlRequest(.get, "/v1/events", query: [("count", "1")])) { line in
            newest = try ControlClient.decode(ServiceEvent.self, line).sequence
        }
        return newest
    }
}
