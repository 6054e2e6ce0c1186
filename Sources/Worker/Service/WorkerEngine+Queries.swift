import Model
import NIOCore
import Realtime
import Wire

extension WorkerEngine {
    /// Entries in one page of an answer.
    static let pageSize = 500

    /// Answers one query of the supervisor; `reply` is called for each page.
    func answer(_ query: ChildQuery, reply: (_ page: ChildReply, _ more: Bool) -> Void) {
        switch query {
        case .clients(let filter):
            pages(matching(filter).map(describe), reply) { .clients($0) }
        case .rooms(let prefix):
            var rooms: [RoomInfo] = []
            realtime.forEachRoom { name, members in
                guard prefix.map({ name.text.hasPrefix($0) }) ?? true else { return }
                rooms.append(RoomInfo(room: name.text, members: members.count))
            }
            pages(rooms, reply) { .rooms($0) }
        case .kick(let client, let code, let reason):
            reply(.count(kick(client, code, reason)), false)
        case .publish:
            reply(.refused("Only the hub publishes."), false)
        }
    }

    /// The figures of this moment.
    func currentCounters() -> ChildCounters {
        var current = counters
        current.clients = connections.count
        current.rooms = realtime.rooms.count
        current.held = realtime.heldCount
        current.hubLinks = realtime.isUp ? 1 : 0
        return current
    }

    /// Why this worker should get no new clients; `nil`: it should.
    var notReadyReason: String? {
        if isDraining || isLameDuck { return "The worker is being stopped." }
        return realtime.isUp ? nil : "The hub is away."
    }

    private func pages<Entry>(
        _ entries: [Entry], _ reply: (ChildReply, Bool) -> Void, _ page: ([Entry]) -> ChildReply
    ) {
        var rest = entries[...]
        repeat {
            let part = Array(rest.prefix(Self.pageSize))
            rest = rest.dropFirst(part.count)
            reply(page(part), !rest.isEmpty)
        } while !rest.isEmpty
    }

    private func matching(_ filter: ClientFilter) -> [ConnectionHandler] {
        // No client has a name yet: authentication comes with a later dialect.
        guard filter.user == nil else { return [] }
        var candidates = connections.all
        if let room = filter.room { candidates = realtime.rooms.members(of: RoomName(room)) }
        if let id = filter.id { candidates = candidates.filter { $0.core.session.id.description == id } }
        if let address = filter.address { candidates = candidates.filter { $0.info.address == address } }
        return candidates
    }

    private func describe(_ connection: ConnectionHandler) -> ClientInfo {
        let session = connection.core.session
        let info = connection.info
        return ClientInfo(
            id: session.id.description, worker: child.slot.number, address: info.address, user: nil, path: info.path,
            origin: info.origin, userAgent: info.userAgent,
            dialect: connection.core.purpose == .simple ? SimpleDialect.name : "echo",
            rooms: realtime.rooms.rooms(of: session.id.serial).map(\.text).sorted(), connectedAt: info.connectedAt,
            messagesIn: session.messagesIn, messagesOut: session.messagesOut, bytesIn: session.bytesIn,
            bytesOut: session.bytesOut, queue: connection.queuedBytes)
    }

    private func kick(_ client: String, _ code: CloseCode, _ reason: String) -> Int {
        guard let id = ClientID(client), id.boot == boot, let connection = self.client(id.serial),
            connection.core.isOpen
        else { return 0 }
        connection.close(code, reason: reason)
        return 1
    }
}
