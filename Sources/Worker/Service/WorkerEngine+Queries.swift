import Model
import NIOCore
import Realtime
import WebSocketProtocol
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
            realtime.rooms.forEachTraffic { name, members, traffic in
                guard prefix.map({ name.text.hasPrefix($0) }) ?? true else { return }
                var room = RoomInfo(room: name.text, members: members)
                room.messages = traffic.messages
                room.bytes = traffic.bytes
                rooms.append(room)
            }
            for index in rooms.indices {
                guard let position = realtime.rooms.position(of: RoomName(rooms[index].room)) else { continue }
                rooms[index].epoch = position.epoch.description
                rooms[index].offset = position.offset
            }
            pages(rooms, reply) { .rooms($0) }
        case .kick(let client, let code, let reason):
            reply(.count(kick(client, code, reason)), false)
        case .publish, .backend:
            reply(.refused("Only the hub can do that."), false)
        case .trace(let id, let filter):
            let count = beginTrace(id, filter)
            reply(
                count.map { .count($0) }
                    ?? .refused("Too many traces at once, or no client, room or user to follow."), false)
        case .untrace(let id):
            reply(.count(trace.end(id) ? 1 : 0), false)
        }
    }

    /// The figures of this moment.
    func currentCounters() -> ChildCounters {
        var current = counters
        current.clients = connections.count
        current.liveConnections = live.served
        current.rooms = realtime.rooms.count
        current.held = realtime.heldCount
        current.hubLinks = realtime.isUp ? 1 : 0
        current.acceptPaused = acceptor?.isShortOfDescriptors ?? false
        current.users = realtime.clients.userCount
        current.traces = trace.count
        for (code, count) in errors { current.errorsByCode[code.rawValue] = count }
        for (name, count) in admission.refusals.named { current.refusedByReason[name] = count }
        current.webhooks = application.figures()
        current.routes = http?.routes.figures ?? [:]
        if let tls {
            current.tlsHandshakes = tls.handshakes
            for (reason, count) in tls.failures { current.tlsFailures[reason.rawValue] = count }
            current.tlsNotAfter = tls.pair.notAfter
            current.tlsStale = tls.isStale
        }
        let deflate = deflatePool.counters
        current.compressionIn = Int(clamping: deflate.sent.plainBytes)
        current.compressionOut = Int(clamping: deflate.sent.compressedBytes)
        current.decompressionIn = Int(clamping: deflate.received.compressedBytes)
        current.decompressionOut = Int(clamping: deflate.received.plainBytes)
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

    func matching(_ filter: ClientFilter) -> [ConnectionHandler] {
        var candidates: [ConnectionHandler]
        if let id = filter.id {
            candidates = connections.all.filter { $0.core.session.id.description == id }
        } else if let user = filter.user {
            candidates = realtime.connections(of: UserName(user))
        } else if let room = filter.room {
            candidates = realtime.rooms.members(of: RoomName(room))
        } else {
            candidates = connections.all
        }
        if let user = filter.user { candidates = candidates.filter { $0.core.session.user == UserName(user) } }
        if let room = filter.room {
            candidates = candidates.filter { realtime.rooms.contains($0.serial, in: RoomName(room)) }
        }
        if let address = filter.address { candidates = candidates.filter { $0.info.address == address } }
        return candidates
    }

    private func describe(_ connection: ConnectionHandler) -> ClientInfo {
        let core = connection.core
        let session = core.session
        let info = connection.info
        var client = ClientInfo(
            id: session.id.description, worker: child.slot.number, address: info.address, user: session.user?.text,
            path: info.path, origin: info.origin, userAgent: info.userAgent, dialect: core.purpose.name,
            rooms: realtime.rooms.rooms(of: session.id.serial).map(\.text).sorted(), connectedAt: info.connectedAt,
            messagesIn: session.messagesIn, messagesOut: session.messagesOut, bytesIn: session.bytesIn,
            bytesOut: session.bytesOut, queue: connection.queuedBytes)
        client.sessionAge = max(0, wallTime() - info.connectedAt)
        client.authenticated = session.isAuthenticated
        client.certificate = info.certificate
        client.resumed = core.marks.contains(.resumed)
        client.rateLimited = Int(session.rateLimited)
        client.compressionRatio = core.compressionRatio
        let messages = session.messagesIn + session.messagesOut
        if messages > 0 { client.averageSize = Double(session.bytesIn + session.bytesOut) / Double(messages) }
        return client
    }

    private func kick(_ client: String, _ code: CloseCode, _ reason: String) -> Int {
        // Echo connections are in no registry.
        guard let id = ClientID(client), id.boot == boot,
            let connection = self.client(id.serial) ?? connections.all.first(where: { $0.serial == id.serial })
        else { return 0 }
        return connection.close(code, reason: reason, reconnectAfter: reconnectDelay(code)) ? 1 : 0
    }
}
