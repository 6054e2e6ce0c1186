/// The backend's HTTP API under `<prefix>api/v1`.
package struct APIConfiguration: Equatable, Sendable, Codable {
    /// None: the API is on the control socket alone.
    package var keys: [APIKey] = []
    /// Largest request body; 1 KiB…64 MiB.
    package var maxBody = 1024 * 1024

    package init() {}
}

package struct APIKey: Equatable, Sendable, Codable {
    /// What stands in logs.
    package var name = ""
    /// SHA-256 of the key, 64 hexadecimal digits (`wsctl key new` makes both).
    package var sha256 = ""
    /// What it is good for.
    package var allow: [APIRight] = [.publish, .manage, .observe]

    package init() {}
}

package enum APIRight: String, Sendable, Codable, CaseIterable {
    /// Publish, broadcast, send to users.
    case publish
    /// Disconnect, subscribe, unsubscribe, remove history.
    case manage
    /// Presence, history, rooms, counts, info; `/ws/logs` and `/ws/stats`.
    case observe
}
