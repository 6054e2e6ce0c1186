import Model
import NIOCore
import Wire

/// Everything a client decides: when to connect, what to ask again, what is new. Pure: time comes in, actions go out.
///
/// A request stays until it is answered: when the connection breaks it is sent again on the next one, a publication with
/// the same message id, so that it happens once. Rooms are joined again with the last position seen.
struct ClientStateMachine {
    enum Action {
        /// Open a transport.
        case connect
        /// One text message.
        case send(String)
        /// Ask for a token, then call ``tokenFetched(_:now:)``.
        case fetchToken
        /// End the transport, without further ado.
        case disconnect
        case emit(WsdEvent)
        case complete(id: UInt64, Result<String, WsdClientError>)
    }

    private enum State {
        /// ``retryAt`` says when to connect.
        case waiting(until: MonotonicTime)
        /// The transport or the greeting is awaited.
        case connecting(since: MonotonicTime)
        case open
        case stopped(String)
    }

    private struct Request {
        /// Members of the command without braces and `requestId`.
        var body: String
        var deadline: MonotonicTime
        /// Set while it waits to be sent again.
        var retryAt: MonotonicTime?
        var isSent = false
        /// A join: its room.
        var room: String?
    }

    private struct Room {
        var position: (epoch: String, offset: UInt64)?
        /// The request that joins it, while there is one.
        var request: UInt64?
        /// Joined at least once.
        var wasJoined = false
    }

    /// Wait before what was refused for a time is asked again, where the server named none.
    static let retryDelay = Duration.milliseconds(100)

    private let configuration: WsdClientConfiguration
    private var generator: SplitMix64Generator
    private var state: State
    private var requests: [UInt64: Request] = [:]
    private var rooms: [String: Room] = [:]
    /// No request runs out or is to be sent again before.
    private var requestsDue: MonotonicTime?
    private var nextID: UInt64 = 1
    private var failures = 0
    private var session: String?
    private var hint: Duration?
    private var lastHeard = MonotonicTime.zero
    private var pingInterval = Duration.seconds(25)
    private var authenticatesByMessage: Bool { configuration.token != nil }
    private(set) var statistics = WsdClientStatistics()

    init(configuration: WsdClientConfiguration, seed: UInt64, now: MonotonicTime) {
        self.configuration = configuration
        generator = SplitMix64Generator(state: seed)
        state = .waiting(until: now)
    }

    var isStopped: Bool {
        if case .stopped = state { true } else { false }
    }

    var isOpen: Bool {
        if case .open = state { true } else { false }
    }
}

// MARK: - Asking

extension ClientStateMachine {
    /// Asks for something; the answer comes as ``Action/complete(id:_:)`` with the number returned.
    mutating func request(_ body: String, now: MonotonicTime, actions: inout [Action]) -> UInt64 {
        ask(body, room: nil, now: now, actions: &actions)
    }

    /// Publishes once, however often it has to be sent. `data`: JSON text.
    mutating func publish(room: String, data: String, now: MonotonicTime, actions: inout [Action]) -> UInt64 {
        let id = MessageID("\(SessionID(rawValue: generator.next()))\(SessionID(rawValue: generator.next()))")
        let body = #""type":"publish","room":\#(Self.quoted(room)),"messageId":"\#(id)","data":\#(data)"#
        return ask(body, room: nil, now: now, actions: &actions)
    }

    /// Joins a room and keeps it joined.
    mutating func join(
        room: String, since: (epoch: String, offset: UInt64)?, now: MonotonicTime, actions: inout [Action]
    ) {
        guard rooms[room] == nil, !isStopped else { return }
        rooms[room] = Room(position: since)
        if isOpen { sendJoin(room, now: now, actions: &actions) }
    }

    mutating func leave(room: String, now: MonotonicTime, actions: inout [Action]) {
        guard let left = rooms.removeValue(forKey: room) else { return }
        if let request = left.request { requests[request] = nil }
        if isOpen { actions.append(.send(#"{"type":"leave","room":\#(Self.quoted(room))}"#)) }
    }

    private mutating func ask(_ body: String, room: String?, now: MonotonicTime, actions: inout [Action]) -> UInt64 {
        let id = nextID
        nextID += 1
        if case .stopped(let reason) = state {
            actions.append(.complete(id: id, .failure(.stopped(reason: reason))))
            return id
        }
        guard requests.count < configuration.maxPending + rooms.count else {
            actions.append(.complete(id: id, .failure(.tooManyPending)))
            return id
        }
        requests[id] = Request(body: body, deadline: now + configuration.requestTimeout, room: room)
        look(at: now + configuration.requestTimeout)
        if isOpen { send(id, actions: &actions) }
        return id
    }

    private mutating func send(_ id: UInt64, actions: inout [Action]) {
        guard let request = requests[id] else { return }
        requests[id]?.isSent = true
        requests[id]?.retryAt = nil
        actions.append(.send(#"{"requestId":\#(id),\#(request.body)}"#))
    }

    private mutating func sendJoin(_ name: String, now: MonotonicTime, actions: inout [Action]) {
        guard let room = rooms[name] else { return }
        if let old = room.request { requests[old] = nil }
        var body = #""type":"join","room":\#(Self.quoted(name))"#
        if let position = room.position {
            body += #","since":{"epoch":\#(Self.quoted(position.epoch)),"offset":\#(position.offset)}"#
        }
        if room.wasJoined, let session { body += #","session":\#(Self.quoted(session))"# }
        let id = ask(body, room: name, now: now, actions: &actions)
        rooms[name]?.request = id
    }

    static func quoted(_ text: String) -> String {
        var buffer = ByteBuffer()
        JSONWriter.writeString(text, into: &buffer)
        return String(buffer: buffer)
    }
}

// MARK: - The transport

extension ClientStateMachine {
    /// The transport could not be opened, or has ended.
    mutating func disconnected(code: UInt16?, reason: String, now: MonotonicTime, actions: inout [Action]) {
        guard !isStopped else { return }
        if let code, !CloseCode(rawValue: code).shouldReconnect {
            return stop(code: code, reason: reason, actions: &actions)
        }
        let delay = hint ?? backoff()
        hint = nil
        state = .waiting(until: now + delay)
        for id in requests.keys {
            requests[id]?.isSent = false
            requests[id]?.retryAt = nil
        }
        // Joins are asked anew, with what has been seen by then.
        for (name, room) in rooms {
            if let id = room.request { requests[id] = nil }
            rooms[name]?.request = nil
        }
        actions.append(.emit(.disconnected(code: code, reason: reason, retryIn: delay)))
    }

    /// Full jitter, so that many clients do not come back together.
    private mutating func backoff() -> Duration {
        var ceiling = configuration.initialDelay
        for _ in 0..<min(failures, 32) where ceiling < configuration.maxDelay {
            ceiling = ceiling * configuration.factor
        }
        failures += 1
        let bound = min(ceiling, configuration.maxDelay).nanoseconds
        return .nanoseconds(Int64.random(in: 0...max(0, bound), using: &generator))
    }

    mutating func stop(code: UInt16?, reason: String, actions: inout [Action]) {
        guard !isStopped else { return }
        state = .stopped(reason)
        for id in requests.keys.sorted() where requests[id]?.room == nil {
            actions.append(.complete(id: id, .failure(.stopped(reason: reason))))
        }
        requests = [:]
        rooms = [:]
        actions.append(.disconnect)
        actions.append(.emit(.stopped(code: code, reason: reason)))
    }

    mutating func tokenFetched(_ token: String, now: MonotonicTime, actions: inout [Action]) {
        guard !isStopped else { return }
        actions.append(.send(#"{"type":"auth","token":\#(Self.quoted(token))}"#))
    }

    /// When ``timeElapsed(now:actions:)`` is next of use; `nil`: never.
    var nextLook: MonotonicTime? {
        let due: MonotonicTime
        switch state {
        case .waiting(let time): due = time
        case .connecting(let since): due = since + configuration.connectTimeout
        case .open: due = lastHeard + pingInterval + configuration.silenceGrace
        case .stopped: return nil
        }
        return min(due, requestsDue ?? due)
    }

    /// May be called at any time; too early does no harm.
    mutating func timeElapsed(now: MonotonicTime, actions: inout [Action]) {
        if let due = requestsDue, due <= now {
            expire(now: now, actions: &actions)
            if isOpen { sendAgain(now: now, actions: &actions) }
            requestsDue = requests.values.lazy.map { min($0.deadline, $0.retryAt ?? $0.deadline) }.min()
        }
        switch state {
        case .waiting(let time) where now >= time:
            state = .connecting(since: now)
            actions.append(.connect)
        case .connecting(let since) where now - since >= configuration.connectTimeout:
            actions.append(.disconnect)
        case .open:
            if now - lastHeard >= pingInterval + configuration.silenceGrace { actions.append(.disconnect) }
        case .waiting, .connecting, .stopped:
            break
        }
    }

    private mutating func sendAgain(now: MonotonicTime, actions: inout [Action]) {
        for id in requests.keys.sorted() {
            guard let time = requests[id]?.retryAt, time <= now else { continue }
            if let room = requests[id]?.room {
                sendJoin(room, now: now, actions: &actions)
            } else {
                send(id, actions: &actions)
            }
        }
    }

    /// Requests are to be looked at by then.
    private mutating func look(at time: MonotonicTime) {
        requestsDue = min(requestsDue ?? time, time)
    }

    private mutating func expire(now: MonotonicTime, actions: inout [Action]) {
        for (id, request) in requests where request.deadline <= now {
            requests[id] = nil
            if let room = request.room {
                if isOpen { sendJoin(room, now: now, actions: &actions) }
            } else {
                actions.append(.complete(id: id, .failure(.timedOut)))
            }
        }
    }
}

// MARK: - From the server

extension ClientStateMachine {
    /// Something came, even if only a ping.
    mutating func heard(now: MonotonicTime) { lastHeard = now }

    mutating func received(_ message: ServerMessage, now: MonotonicTime, actions: inout [Action]) {
        switch message.kind {
        case .connected(let client, let newSession, let user, let interval, _):
            connected(client, newSession, user, interval, now: now, actions: &actions)
        case .message(let message):
            deliver(message, actions: &actions)
        case .reply(let id, let data):
            replied(id, data, actions: &actions)
        case .failure(let id?, let failure):
            failed(id, failure, now: now, actions: &actions)
        case .failure(nil, _):
            break
        case .reconnect(let after):
            hint = after
        case .expiring:
            if configuration.token != nil { actions.append(.fetchToken) }
        case .joined(let join):
            if rooms[join.room] == nil { rooms[join.room] = Room(wasJoined: true) }
            took(join, actions: &actions)
        case .left(let room):
            rooms[room] = nil
            actions.append(.emit(.left(room: room)))
        case .gap(let room, let reason):
            rooms[room]?.position = nil
            actions.append(.emit(.gap(room: room, reason: reason)))
        case .other(let type):
            actions.append(.emit(.other(type: type, json: message.json)))
        }
    }

    private mutating func connected(
        _ client: String, _ newSession: String?, _ user: String?, _ interval: Duration?, now: MonotonicTime,
        actions: inout [Action]
    ) {
        if let interval { pingInterval = interval }
        guard !isOpen else { return }
        if case .stopped = state { return }
        if authenticatesByMessage, user == nil {
            actions.append(.fetchToken)
            return
        }
        state = .open
        failures = 0
        statistics.connects += 1
        actions.append(.emit(.connected(client: client, user: user)))
        for room in rooms.keys.sorted() { sendJoin(room, now: now, actions: &actions) }
        for id in requests.keys.sorted() where requests[id]?.isSent == false { send(id, actions: &actions) }
        // Only now: the joins above named the former one.
        session = newSession
    }

    private mutating func deliver(_ message: WsdMessage, actions: inout [Action]) {
        if message.offset > 0, let epoch = message.epoch, let position = rooms[message.room]?.position,
            position.epoch == epoch
        {
            guard message.offset > position.offset else {
                statistics.repeated += 1
                return
            }
            if message.offset > position.offset + 1 { statistics.skipped += 1 }
        }
        if message.offset > 0, let epoch = message.epoch { rooms[message.room]?.position = (epoch, message.offset) }
        statistics.messages += 1
        actions.append(.emit(.message(message)))
    }

    private mutating func replied(_ id: UInt64, _ data: String, actions: inout [Action]) {
        guard let request = requests.removeValue(forKey: id) else { return }
        guard let room = request.room else {
            actions.append(.complete(id: id, .success(data)))
            return
        }
        rooms[room]?.request = nil
        let join = Array(data.utf8).withUnsafeBytes { bytes in
            JSONObject(bytes).flatMap { ServerMessage.join($0) }
        }
        if let join { took(join, actions: &actions) }
    }

    private mutating func took(_ join: WsdJoin, actions: inout [Action]) {
        guard let room = rooms[join.room] else { return }
        rooms[join.room]?.wasJoined = true
        if join.recovered == true { statistics.recovered += 1 }
        if join.recovered == false { statistics.notRecovered += 1 }
        if let epoch = join.epoch {
            // What was missed still follows a recovered join.
            if join.recovered != true || room.position?.epoch != epoch {
                rooms[join.room]?.position = (epoch, join.offset)
            }
        } else {
            rooms[join.room]?.position = nil
        }
        actions.append(.emit(.joined(join)))
    }

    private mutating func failed(
        _ id: UInt64, _ failure: ServerMessage.Failure, now: MonotonicTime, actions: inout [Action]
    ) {
        guard let request = requests[id] else { return }
        if failure.isTemporary {
            let time = now + (failure.retryAfter ?? Self.retryDelay)
            requests[id]?.retryAt = time
            look(at: time)
            return
        }
        requests[id] = nil
        if let room = request.room {
            rooms[room] = nil
            actions.append(.emit(.joinFailed(room: room, failure.error)))
        } else {
            actions.append(.complete(id: id, .failure(failure.error)))
        }
    }
}
