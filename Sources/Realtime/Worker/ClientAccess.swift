package import Model

/// A set of ``RoomRight``.
package struct RoomRights: OptionSet, Hashable, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    package init(_ right: RoomRight) {
        switch right {
        case .join: self = .join
        case .publish: self = .publish
        case .presence: self = .presence
        case .history: self = .history
        }
    }

    package static let join = Self(rawValue: 1)
    package static let publish = Self(rawValue: 2)
    package static let presence = Self(rawValue: 4)
    package static let history = Self(rawValue: 8)
}

/// Grants with their patterns read.
struct CompiledGrants: Sendable {
    private let grants: [(pattern: RoomPattern, rights: RoomRights)]

    init(_ grants: [RoomGrant]) {
        self.grants = grants.map { grant in
            (RoomPattern(grant.rooms), grant.allow.reduce(into: []) { $0.insert(RoomRights($1)) })
        }
    }

    func rights(in room: RoomName, user: UserName?) -> RoomRights {
        grants.reduce(into: []) { rights, grant in
            // A pattern is matched only where it would add something.
            guard !rights.isSuperset(of: grant.rights), grant.pattern.matches(room, user: user) else { return }
            rights.formUnion(grant.rights)
        }
    }

    /// Whether it is granted to publish wherever one likes.
    var coversEverything: Bool { grants.contains { $0.pattern.text == "*" && $0.rights.contains(.publish) } }
}

/// What an identity may do, and what was found out of it lately.
struct ClientAccess: Sendable {
    /// Rooms whose rights are remembered.
    static let maxRecent = 4

    struct Decision: Sendable {
        var room: RoomName
        var rule: RoomRules.Index
        var rights: RoomRights
    }

    let user: UserName?
    let grants: CompiledGrants
    /// The latest first. Valid for one ``AccessPolicy/generation``.
    private var recent: [Decision] = []
    private var generation = 0

    init(user: UserName?, grants: CompiledGrants) {
        self.user = user
        self.grants = grants
    }

    mutating func decision(
        on room: RoomName, generation: Int, decide: (UserName?, CompiledGrants) -> Decision
    ) -> Decision {
        if self.generation != generation {
            recent = []
            self.generation = generation
        }
        if let first = recent.first, first.room == room { return first }
        if let index = recent.firstIndex(where: { $0.room == room }) {
            recent.swapAt(0, index)
            return recent[0]
        }
        let decision = decide(user, grants)
        if recent.count >= Self.maxRecent { recent.removeLast() }
        recent.insert(decision, at: 0)
        return decision
    }
}
