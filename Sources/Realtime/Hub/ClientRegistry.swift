internal import Model

/// Every connection of the service, with the counts that `limits` are about.
struct ClientRegistry {
    /// A connection: its worker's link and its serial there.
    struct Key: Hashable {
        var link: Int
        var client: UInt64
    }

    struct Client {
        var registration: ClientRegistration
        /// Among the connections of its user that count.
        fileprivate var order: UInt64
        fileprivate var isReplaced = false
    }

    /// Which limit a connection is above.
    enum Refusal {
        case user
        case address
        case origin
        case total
    }

    private struct User {
        /// Value: when it came, by number.
        var clients: [UInt64: Key] = [:]
        /// Of them.
        var links: [Int: Int] = [:]
    }

    private var clients: [[UInt64: Client]] = []
    /// The users of those that have one: all that a publication needs to know.
    private var names: [[UInt64: UserName]] = []
    private var users: [UserName: User] = [:]
    private var addresses: [String: Int] = [:]
    private var origins: [String: Int] = [:]
    /// Connections that may come back under their session's name.
    private var sessions: [SessionID: Key] = [:]
    private var lastOrder: UInt64 = 0
    private(set) var count = 0

    var userCount: Int { users.count }

    func client(_ client: UInt64, link: Int) -> Client? {
        link < clients.count ? clients[link][client] : nil
    }

    func user(of client: UInt64, link: Int) -> UserName? {
        link < names.count ? names[link][client] : nil
    }

    /// The connection of a session that may return; the newest where several say so.
    func connection(of session: SessionID) -> Key? { sessions[session] }

    /// The limit a further connection would be above. Not `.user` where the oldest makes way.
    func refusal(of registration: ClientRegistration, limits: LimitsConfiguration) -> Refusal? {
        func isFull(_ limit: Int, _ count: Int) -> Bool { limit > 0 && count >= limit }
        if isFull(limits.connections, count) { return .total }
        if limits.connectionsPerAddress > 0, !registration.addressKey.isEmpty,
            isFull(limits.connectionsPerAddress, addresses[registration.addressKey] ?? 0)
        {
            return .address
        }
        if limits.connectionsPerOrigin > 0, !registration.origin.isEmpty,
            isFull(limits.connectionsPerOrigin, origins[registration.origin] ?? 0)
        {
            return .origin
        }
        return refusalOfUser(registration.user, limits: limits)
    }

    /// The same for a connection that is there already and becomes a user's.
    func refusalOfUser(_ user: UserName?, limits: LimitsConfiguration) -> Refusal? {
        guard let user, limits.perUserPolicy == .refuseNewest, limits.connectionsPerUser > 0 else { return nil }
        return (users[user]?.clients.count ?? 0) >= limits.connectionsPerUser ? .user : nil
    }

    /// Adds a connection; nothing happens when it is there.
    mutating func insert(_ client: UInt64, link: Int, _ registration: ClientRegistration) {
        while clients.count <= link {
            clients.append([:])
            names.append([:])
        }
        guard clients[link][client] == nil else { return }
        lastOrder += 1
        clients[link][client] = Client(registration: registration, order: lastOrder)
        count += 1
        if registration.mayReturn { sessions[registration.session] = Key(link: link, client: client) }
        if !registration.addressKey.isEmpty { addresses[registration.addressKey, default: 0] += 1 }
        if !registration.origin.isEmpty { origins[registration.origin, default: 0] += 1 }
        add(Key(link: link, client: client), to: registration.user, order: lastOrder)
    }

    /// The connection says who it is, or says it again.
    mutating func identify(_ client: UInt64, link: Int, user: UserName?, info: String?) {
        guard let known = self.client(client, link: link) else { return }
        clients[link][client]?.registration.info = info
        guard known.registration.user != user else { return }
        let key = Key(link: link, client: client)
        names[link][client] = nil
        if !known.isReplaced { take(key, from: known.registration.user, order: known.order) }
        clients[link][client]?.registration.user = user
        clients[link][client]?.isReplaced = false
        add(key, to: user, order: known.order)
    }

    mutating func remove(_ client: UInt64, link: Int) -> ClientRegistration? {
        guard link < clients.count, let known = clients[link].removeValue(forKey: client) else { return nil }
        count -= 1
        names[link][client] = nil
        if sessions[known.registration.session] == Key(link: link, client: client) {
            sessions[known.registration.session] = nil
        }
        Self.decrement(&addresses, known.registration.addressKey)
        Self.decrement(&origins, known.registration.origin)
        if !known.isReplaced {
            take(Key(link: link, client: client), from: known.registration.user, order: known.order)
        }
        return known.registration
    }

    mutating func removeLink(_ link: Int) {
        guard link < clients.count else { return }
        for client in Array(clients[link].keys) { _ = remove(client, link: link) }
        clients[link] = [:]
    }

    /// Connections of a user above the limit, oldest first: they make way for newer ones and no longer count as the
    /// user's.
    mutating func replaceOldest(of user: UserName?, limits: LimitsConfiguration) -> [Key] {
        guard let user, limits.perUserPolicy == .replaceOldest, limits.connectionsPerUser > 0,
            let all = users[user]?.clients, all.count > limits.connectionsPerUser
        else { return [] }
        let oldest = all.sorted { $0.key < $1.key }.prefix(all.count - limits.connectionsPerUser)
        for (order, key) in oldest {
            clients[key.link][key.client]?.isReplaced = true
            take(key, from: user, order: order)
        }
        return oldest.map(\.value)
    }

    /// Connections of a user, oldest first.
    func connections(of user: UserName) -> [Key] {
        (users[user]?.clients ?? [:]).sorted { $0.key < $1.key }.map(\.value)
    }

    func connectionCount(of user: UserName) -> Int { users[user]?.clients.count ?? 0 }

    /// Links with a connection of the user, in ascending order.
    func links(of user: UserName, into targets: inout [Int]) {
        guard let links = users[user]?.links else { return }
        targets.append(contentsOf: links.keys)
        targets.sort()
    }

    private mutating func add(_ key: Key, to user: UserName?, order: UInt64) {
        guard let user else { return }
        names[key.link][key.client] = user
        users[user, default: User()].clients[order] = key
        users[user]?.links[key.link, default: 0] += 1
    }

    private mutating func take(_ key: Key, from user: UserName?, order: UInt64) {
        guard let user, users[user]?.clients.removeValue(forKey: order) != nil else { return }
        let left = (users[user]?.links[key.link] ?? 1) - 1
        users[user]?.links[key.link] = left > 0 ? left : nil
        if users[user]?.clients.isEmpty == true { users[user] = nil }
    }

    private static func decrement(_ counts: inout [String: Int], _ key: String) {
        guard !key.isEmpty, let count = counts[key] else { return }
        counts[key] = count > 1 ? count - 1 : nil
    }
}
