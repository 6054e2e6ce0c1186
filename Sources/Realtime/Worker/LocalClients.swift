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

    private var clients: [UInt64: Client] = [:]
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

    package func forEach(_ body: (UInt64, ClientRegistration) -> Void) {
        for (serial, client) in clients { body(serial, client.registration) }
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
        if let user = known.registration.user { drop(client, from: user) }
        return true
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
