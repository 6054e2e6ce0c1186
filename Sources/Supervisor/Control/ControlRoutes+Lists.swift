import HTTPTypes
import Hummingbird
import HummingbirdCore
import Model
import NIOCore
import Wire

extension ControlRoutes {
    @Sendable func clients(_ request: Request, _ context: ControlContext) async throws -> Response {
        let query = try QueryParameters(request.uri, names: ["id", "room", "user", "address"])
        let filter = ClientFilter(
            id: query.text("id"), room: query.text("room"), user: query.text("user"), address: query.text("address"))
        let answers = try await driver.run { try $0.ask(.clients(filter), role: .worker) }
        return ControlJSON.stream { lines in
            for await answer in answers {
                switch answer {
                case .page(.clients(let clients), _):
                    for client in clients { try await lines.write(client) }
                    try await lines.flush()
                case .page(let other, let name):
                    try await lines.write(StreamProblem(problem: Self.problem(with: other, of: name, "clients")))
                case .silent(let name):
                    try await lines.write(StreamProblem(problem: Self.silence(of: name, "clients")))
                case .overflow:
                    try await lines.write(
                        StreamProblem(problem: "Some clients are missing: the list was read too slowly."))
                }
            }
        }
    }

    /// Members are the workers' to count, positions the hub's.
    @Sendable func rooms(_ request: Request, _ context: ControlContext) async throws -> Response {
        let query = try QueryParameters(request.uri, names: ["prefix"])
        let prefix = query.text("prefix")
        let (workers, hub) = try await driver.run {
            (try $0.ask(.rooms(prefix: prefix), role: .worker), try $0.ask(.rooms(prefix: prefix), role: .hub))
        }
        return ControlJSON.stream { lines in
            var list = RoomList()
            for await answer in workers { list.add(answer, of: .worker) }
            for await answer in hub { list.add(answer, of: .hub) }
            for room in list.rooms.sorted(by: { $0.key < $1.key }) { try await lines.write(room.value) }
            for problem in list.problems { try await lines.write(problem) }
        }
    }

    static func silence(of name: String, _ what: String) -> String {
        "\(name.prefix(1).uppercased())\(name.dropFirst()) did not answer within \(ChildQueries.deadline.inSeconds) s: its \(what) are missing."
    }

    static func problem(with reply: ChildReply, of name: String, _ what: String) -> String {
        guard case .refused(let reason) = reply else {
            return "\(name) gave another answer than asked for: its \(what) are missing."
        }
        return "\(name) could not answer (\(reason)): its \(what) are missing."
    }
}

/// Rooms as the workers see them, put together, with what the hub knows of each.
private struct RoomList {
    var rooms: [String: RoomInfo] = [:]
    var problems: [StreamProblem] = []

    /// The workers' answers first.
    mutating func add(_ answer: ChildAnswer, of role: ChildRole) {
        switch answer {
        case .page(.rooms(let page), _):
            for room in page {
                switch role {
                case .worker: addMembers(room)
                case .hub: addPosition(room)
                }
            }
        case .page(let other, let name):
            problems.append(StreamProblem(problem: ControlRoutes.problem(with: other, of: name, "rooms")))
        case .silent(let name):
            problems.append(StreamProblem(problem: ControlRoutes.silence(of: name, "rooms")))
        case .overflow:
            problems.append(StreamProblem(problem: "Some rooms are missing: there were too many at once."))
        }
    }

    private mutating func addMembers(_ room: RoomInfo) {
        guard var sum = rooms[room.room] else {
            rooms[room.room] = room
            return
        }
        sum.members &+= room.members
        // Every worker with members counts each message: the one that has had some for longest counts for the room.
        if let messages = room.messages, messages > sum.messages ?? -1 {
            (sum.messages, sum.bytes) = (messages, room.bytes)
        }
        sum.epoch = room.epoch ?? sum.epoch
        sum.offset = room.offset ?? sum.offset
        rooms[room.room] = sum
    }

    private mutating func addPosition(_ room: RoomInfo) {
        guard var known = rooms[room.room] else { return }
        known.messages = room.messages ?? known.messages
        known.bytes = room.bytes ?? known.bytes
        known.epoch = room.epoch ?? known.epoch
        known.offset = room.offset ?? known.offset
        rooms[room.room] = known
    }
}
