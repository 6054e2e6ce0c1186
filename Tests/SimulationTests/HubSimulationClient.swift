import Model
import Realtime

/// What one simulated connection was told, and what is known of its wishes.
final class SimulatedClient {
    /// How far it has come in a room with history.
    enum Place: Equatable {
        case at(RoomPosition)
        /// It was told of a gap: the next message says where the room is.
        case afterGap
    }

    let id: ClientID
    /// `nil`: speaks the simple dialect.
    let agent: SimulatedAgent?
    /// Data of the publications received, in order, with their room (`nil`: a broadcast).
    var messages: [(room: RoomName?, data: String)] = []
    /// Presence events received: `+` or `-`, client, room.
    var presence: [String] = []
    /// Rooms joined and confirmed, and since which step.
    var confirmed: [RoomName: Int] = [:]
    /// The request of the latest join of each room.
    var latestJoin: [RoomName: String] = [:]
    /// Answers that are awaited; the value is the step of the request.
    var awaited: [String: Int] = [:]
    var isGone = false
    /// Of rooms with history where its membership is confirmed, or that it is on its way into.
    var places: [RoomName: Place] = [:]
    private(set) var faults: [String] = []

    init(id: ClientID, agent: SimulatedAgent? = nil) {
        self.id = id
        self.agent = agent
    }

    /// A message of a room with history, whether or not it is for this client (its own is not, in the simple dialect).
    func moved(_ room: RoomName, to position: RoomPosition) {
        guard let place = places[room] else { return }
        if case .at(let last) = place, last.epoch != position.epoch || last.offset + 1 != position.offset {
            faults.append("\(id) in \(room): \(position.offset) after \(last.offset)")
        }
        places[room] = .at(position)
    }

    /// It is a member from now on, and `missed` has been given to it.
    func joined(_ result: JoinResult, storage: SimulatedStorage, historySize: Int) {
        guard let position = result.position else { return faults.append("\(id): \(result.room) has no position") }
        switch result.recovery {
        case .recovered:
            if places[result.room] != .at(position) {
                faults.append(
                    "\(id) in \(result.room): recovered to \(position), is at \(String(describing: places[result.room]))"
                )
            }
        case .notAsked: break
        case .failed(let failure):
            checkGap(result.room, storage, historySize: historySize, "\(failure)")
        }
        places[result.room] = .at(position)
    }

    /// Messages are lost for it: they have to be so old that they are not kept, or there never were any.
    func checkGap(_ room: RoomName, _ storage: SimulatedStorage, historySize: Int, _ reason: String) {
        guard case .at(let last) = places[room] else { return }
        let head = storage.position(of: room)
        if last.offset == 0, head?.epoch != last.epoch { return }
        if head?.epoch == last.epoch, let head, head.offset > last.offset + UInt64(historySize) { return }
        faults.append("\(id) in \(room): lost what follows \(last.offset) (\(reason)), head \(head?.offset ?? 0)")
    }
}

/// A program that speaks `wsd.v1.json`: it connects again when its connection is gone, and goes on where it was.
final class SimulatedAgent {
    let user: UserName
    private(set) var client: SimulatedClient?
    /// Of the former connection.
    private(set) var session: SessionID?
    private var currentSession: SessionID?
    /// How far it had come in the rooms when its connections ended, or when it left them.
    private(set) var seen: [RoomName: RoomPosition] = [:]
    var connections = 0

    init(user: UserName) { self.user = user }

    func connected(_ client: SimulatedClient, session: SessionID) {
        self.client = client
        self.session = currentSession
        currentSession = session
        connections += 1
    }

    func disconnected() {
        for room in client?.places.keys.map({ $0 }) ?? [] { remember(room) }
        client = nil
    }

    /// Where it would go on in a room.
    func since(_ room: RoomName) -> RoomPosition? {
        switch client?.places[room] {
        case .at(let position): position
        case .afterGap: nil
        case nil: seen[room]
        }
    }

    func left(_ room: RoomName) {
        remember(room)
        client?.places[room] = nil
    }

    private func remember(_ room: RoomName) {
        if case .at(let position) = client?.places[room] { seen[room] = position } else { seen[room] = nil }
    }
}
