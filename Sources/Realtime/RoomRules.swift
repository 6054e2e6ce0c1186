package import Model

/// What holds in one room, nothing left open.
package struct ResolvedRoomRule: Hashable, Sendable {
    package var join: Who
    package var publish: Who
    package var presence: Who
    package var history: Who
    package var publishNeedsMembership: Bool
    /// 0: the room keeps no history.
    package var historySize: Int
    package var historyTTL: Duration
    /// `nil`: none of the room's own.
    package var rate: RateLimit?
    package var autoRead: Bool
    package var webhooks: Bool

    package var keepsHistory: Bool { historySize > 0 }
}

/// The rules of the configuration, by the room's name: the first whose pattern fits, over `rooms.defaults`.
package struct RoomRules: Sendable {
    /// The number of a rule: 0 are the defaults, then the rules in their order.
    package typealias Index = Int

    private let rules: [(pattern: RoomPattern, rule: ResolvedRoomRule)]
    package let defaults: ResolvedRoomRule
    package let broadcast: Who
    package let direct: Who

    package init(_ configuration: WsdConfiguration) {
        let isClosed = configuration.auth.required
        let rooms = configuration.rooms
        let open = isClosed ? Who.granted : .anyone
        let base = ResolvedRoomRule(
            join: open, publish: open, presence: open, history: open, publishNeedsMembership: false, historySize: 0,
            historyTTL: .seconds(3600), rate: nil, autoRead: false, webhooks: true)
        let defaults = base.overridden(by: rooms.defaults)
        self.defaults = defaults
        rules = rooms.rules.map { (RoomPattern($0.match), defaults.overridden(by: $0)) }
        broadcast = rooms.broadcast ?? (isClosed ? .nobody : .anyone)
        direct = rooms.direct ?? (isClosed ? .nobody : .users)
    }

    /// Whether every room has the same rule.
    package var isUniform: Bool { rules.isEmpty }

    /// Whether any room keeps history.
    package var anyKeepsHistory: Bool { defaults.keepsHistory || rules.contains { $0.rule.keepsHistory } }

    /// How many rules there are, the defaults included.
    package var count: Int { rules.count + 1 }

    /// Linear in the number of rules: keep the result where a room is used again and again.
    package func index(for room: RoomName) -> Index {
        // A rule's {user} is about who asks, not about which rule holds: any user's room falls under it.
        rules.firstIndex { $0.pattern.matchesAnyUser(room) }.map { $0 + 1 } ?? 0
    }

    package subscript(index: Index) -> ResolvedRoomRule { index == 0 ? defaults : rules[index - 1].rule }

    /// The pattern of a rule; `nil`: the defaults have none.
    package func pattern(at index: Index) -> RoomPattern? { index == 0 ? nil : rules[index - 1].pattern }

    package func rule(for room: RoomName) -> ResolvedRoomRule { self[index(for: room)] }

    /// The pattern of the rule that holds for a room; `nil`: the defaults hold.
    package func pattern(for room: RoomName) -> RoomPattern? { pattern(at: index(for: room)) }
}

extension ResolvedRoomRule {
    fileprivate func overridden(by rule: RoomRule) -> ResolvedRoomRule {
        ResolvedRoomRule(
            join: rule.join ?? join, publish: rule.publish ?? publish, presence: rule.presence ?? presence,
            history: rule.history ?? history,
            publishNeedsMembership: rule.publishNeedsMembership ?? publishNeedsMembership,
            historySize: rule.historySize ?? historySize, historyTTL: rule.historyTTL ?? historyTTL,
            rate: rule.rate ?? rate, autoRead: rule.autoRead ?? autoRead, webhooks: rule.webhooks ?? webhooks)
    }
}
