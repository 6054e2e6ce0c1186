package import Model

/// A worker's connected clients: what the hub's registry knows of each, and who of them is which user.
package struct LocalClients<Member> {
    package struct Client {
        package let member: Member
        package internal(set) var registration: ClientRegistration
    }

    /// Nearly every user has one connection; then there is no array for it.
    private enum Connections {
        case one(UInt64)
        case several([UInt64])
    }

    /// What the hub has been asked and has not decided.
    private struct Undecided {
        var sequence: UInt64
        /// As the hub knows it; `nil`: not at all.
        var former: ClientRegistration?
    }

    private var clients: [UInt64: Client] = [:]
    /// Of them, those who wait for the hub.
    private var undecided: [UInt64: Undecided] = [:]
    private var users: [UserName: Connections] = [:]

    package init() {}

    package var count: Int { clients.count }

    /// Users with a connection here.
    package var userCount: Int { users.count }

    package subscript(client: UInt64) -> Client? { clients[client] }

    package func user(of client: UInt64) -> UserName? { clients[client]?.registration.user }

    package func serials(of user: UserName) -> [UInt64] {
        switch users[user] {
        case .one(let client): [client]
        case .several(let clients): clients
        case nil: []
        }
    }

    package func members(of user: UserName) -> [Member] { serials(of: user).compactMap { clients[$0]?.member } }

    /// As the hub is to know them: without those it has not admitted, with the former identity where it has not accepted
    /// the new one.
    package func forEach(_ body: (UInt64, ClientRegistration) -> Void) {
        for (serial, client) in clients {
            guard let open = undecided[serial] else {
                body(serial, client.registration)
                continue
            }
            if let former = open.former { body(serial, former) }
        }
    }

    package func forEachUser(_ body: (UserName, [UInt64]) -> Void) {
        for user in users.keys { body(user, serials(of: user)) }
    }

    mutating func insert(_ client: UInt64, member: Member, registration: ClientRegistration) {
        _ = remove(client)
        clients[client] = Client(member: member, registration: registration)
        if let user = registration.user { add(client, to: user) }
    }

    /// `false`: not known.
    mutating func update(_ client: UInt64, registration: ClientRegistration) -> Bool {
        guard let known = clients[client]?.registration else { return false }
        clients[client]?.registration = registration
        guard known.user != registration.user else { return true }
        if let user = known.user { drop(client, from: user) }
        if let user = registration.user { add(client, to: user) }
        return true
    }

    /// `false`: not known.
    mutating func remove(_ client: UInt64) -> Bool {
        guard let known = clients.removeValue(forKey: client) else { return false }
        undecided[client] = nil
        if let user = known.registration.user { drop(client, from: user) }
        return true
    }

    /// The hub is asked by the operation of this sequence. `former`: as it knows the client.
    mutating func waits(_ client: UInt64, for sequence: UInt64, former: ClientRegistration?) {
        guard clients[client] != nil else { return }
        undecided[client] = Undecided(sequence: sequence, former: former)
    }

    /// Whether it is this operation that the client waits for.
    func isWaiting(_ client: UInt64, for sequence: UInt64) -> Bool { undecided[client]?.sequence == sequence }

    /// The same question is asked anew.
    mutating func waits(_ client: UInt64, forAnother sequence: UInt64) {
        undecided[client]?.sequence = sequence
    }

    mutating func decided(_ client: UInt64) {
        undecided[client] = nil
    }

    private mutating func add(_ client: UInt64, to user: UserName) {
        switch users.removeValue(forKey: user) {
        case nil: users[user] = .one(client)
        case .one(let other): users[user] = .several([other, client])
        case .several(var clients):
            clients.append(client)
            users[user] = .several(clients)
        }
    }

    private mutating func drop(_ client: UInt64, from user: UserName) {
        guard case .several(var clients) = users.removeValue(forKey: user) else { return }
        clients.removeAll { $0 == client }
        users[user] = clients.count == 1 ? .one(clients[0]) : .several(clients)
    }
}
