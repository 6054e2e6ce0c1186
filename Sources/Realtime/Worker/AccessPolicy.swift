package import Model

/// Who may do what on a worker: `auth.required`, the room rules, the grants of an identity, and the rate limits of a
/// connection.
///
/// A room's rule says for each right who has it: everybody, everybody who is someone, nobody but those to whom it is
/// granted, or nobody at all. A rule whose pattern has `{user}` is that user's alone. A grant of the identity that fits
/// the room always suffices, save for `nobody`. Resuming (`join` with `since`) is part of joining. What a client makes
/// of a room's events (typing, read) takes membership.
package struct AccessPolicy: Sendable {
    /// Rooms whose rule is remembered, for configurations with rules; when it is full it is begun anew.
    package static let maxRemembered = 4096
    /// Different sets of grants whose patterns are remembered; when it is full it is begun anew.
    package static let maxGrantSets = 256

    package private(set) var rules: RoomRules
    private var auth: AuthConfiguration
    private var messageRate: RateLimit?
    private var abuseThreshold: Int
    /// What a client without identity may do under each rule.
    private var anonymous: [RoomRights] = []
    /// Grows with each configuration.
    private var generation = 0
    private var remembered: [RoomName: RoomRules.Index] = [:]
    private var grantSets: [[RoomGrant]: CompiledGrants] = [:]

    package init(_ configuration: WsdConfiguration) {
        rules = RoomRules(configuration)
        auth = configuration.auth
        messageRate = configuration.limits.messageRate
        abuseThreshold = configuration.limits.abuseThreshold
        configure(configuration)
    }

    /// After a reload of the configuration.
    package mutating func configure(_ configuration: WsdConfiguration) {
        rules = RoomRules(configuration)
        auth = configuration.auth
        messageRate = configuration.limits.messageRate
        abuseThreshold = configuration.limits.abuseThreshold
        generation += 1
        remembered = [:]
        anonymous = (0..<rules.count).map { index in
            rights(under: index, fitsUser: rules.pattern(at: index)?.hasUser != true, isSomeone: false, granted: [])
        }
    }

    // MARK: Identity

    /// A connection was opened: if it has to say who it is, its time for that begins.
    package func opened(_ session: inout ClientSession, now: MonotonicTime) {
        if auth.required, !session.isAuthenticated { session.awaitIdentity(until: now + auth.timeout) }
    }

    /// The client is someone (a token or the connect webhook says so), or has refreshed its identity. `wallTime`: seconds
    /// since 1970. `nil`: so it is; otherwise why not: an identity cannot become another user's.
    package mutating func identify(
        _ session: inout ClientSession, as identity: ClientIdentity, wallTime: Double, now: MonotonicTime
    ) -> ClientRefusal? {
        if let user = session.user, user != identity.user {
            return ClientRefusal(.forbidden, message: "The token is another user's")
        }
        if grantSets[identity.grants] == nil {
            if grantSets.count >= Self.maxGrantSets { grantSets = [:] }
            grantSets[identity.grants] = CompiledGrants(identity.grants)
        }
        let grants = grantSets[identity.grants] ?? CompiledGrants(identity.grants)
        session.identified(
            ClientAccess(user: identity.user, grants: grants), life: life(identity.expiresAt, wallTime: wallTime),
            now: now)
        return nil
    }

    /// An identity that was accepted within the leeway lives to the leeway's end.
    private func life(_ expiresAt: Double?, wallTime: Double) -> Duration? {
        guard let expiresAt else { return nil }
        let rest = expiresAt - wallTime
        let life = rest > 0 ? rest : max(0, rest + auth.leeway.inSeconds)
        // A century is for ever; a clock that is out of its mind must not overflow.
        return life.isFinite && life < 3.15e9 ? .nanoseconds(Int64(life * 1e9)) : nil
    }

    // MARK: Commands

    /// Decides on a client's command and counts it. Asked-for presence that the client may not see is taken out of a
    /// join. `isMember`: of the command's room, also a pending one.
    package mutating func admit(
        _ command: inout ClientCommand, of session: inout ClientSession, now: MonotonicTime,
        isMember: @autoclosure () -> Bool
    ) -> Admission {
        let counted = admitMessage(of: &session, now: now)
        guard counted == .granted else { return counted }
        if let refusal = authorize(&command, for: &session, isMember: isMember()) { return .refused(refusal) }
        guard case .publish(let room, _) = command, let rate = rule(for: room).rate else { return .granted }
        return session.take(rate, of: room, abuseThreshold: abuseThreshold, now: now)
    }

    /// Counts a message that is no command (it cannot be read).
    package func admitMessage(of session: inout ClientSession, now: MonotonicTime) -> Admission {
        session.take(messageRate, abuseThreshold: abuseThreshold, now: now)
    }

    /// The hub refused a message of the client for its user's or its address's rate.
    package func refusedByHub(_ refusal: ClientRefusal, of session: inout ClientSession, now: MonotonicTime)
        -> Admission
    {
        guard refusal.code == .rateLimited else { return .refused(refusal) }
        return session.overLimit(refusal.retryAfter, abuseThreshold: abuseThreshold, now: now)
    }

    /// Whether a client has a right in a room.
    package mutating func allows(_ right: RoomRight, in room: RoomName, for session: inout ClientSession) -> Bool {
        decision(on: room, for: &session).rights.contains(RoomRights(right))
    }

    /// Why a command is not for this client; `nil`: it is. As ``admit(_:of:now:isMember:)`` without counting.
    package mutating func authorize(
        _ command: inout ClientCommand, for session: inout ClientSession, isMember: @autoclosure () -> Bool
    ) -> ClientRefusal? {
        switch command {
        case .authenticate, .ping: return nil
        default: break
        }
        if auth.required, !session.isAuthenticated { return ClientRefusal(.unauthenticated) }
        switch command {
        case .authenticate, .ping, .leave, .call:
            return nil
        case .join(let room, var options):
            let rights = decision(on: room, for: &session).rights
            guard rights.contains(.join) else { return ClientRefusal(.forbidden) }
            if options.presence, !rights.contains(.presence) {
                options.presence = false
                command = .join(room, options)
            }
            return nil
        case .publish(let room, _):
            let decision = decision(on: room, for: &session)
            guard decision.rights.contains(.publish) else { return ClientRefusal(.forbidden) }
            guard !rules[decision.rule].publishNeedsMembership || isMember() else { return Self.notMember }
            return nil
        case .history(let room, _):
            return allows(.history, in: room, for: &session) ? nil : ClientRefusal(.forbidden)
        case .presence(let room, _):
            return allows(.presence, in: room, for: &session) ? nil : ClientRefusal(.forbidden)
        case .typing, .read:
            return isMember() ? nil : Self.notMember
        case .broadcast:
            return isAllowed(rules.broadcast, session) ? nil : ClientRefusal(.forbidden)
        case .direct:
            return isAllowed(rules.direct, session) ? nil : ClientRefusal(.forbidden)
        }
    }

    private static let notMember = ClientRefusal(.forbidden, message: "Not a member of the room")

    /// For what is no room's: granted is what is granted everywhere (`*`).
    private func isAllowed(_ who: Who, _ session: ClientSession) -> Bool {
        switch who {
        case .anyone: true
        case .users where session.user != nil: true
        case .users, .granted: session.isGrantedEverything
        case .nobody: false
        }
    }

    /// What holds in a room.
    package mutating func rule(for room: RoomName) -> ResolvedRoomRule { rules[ruleIndex(room)] }

    private mutating func ruleIndex(_ room: RoomName) -> RoomRules.Index {
        if rules.isUniform { return 0 }
        if let known = remembered[room] { return known }
        let index = rules.index(for: room)
        if remembered.count >= Self.maxRemembered { remembered = [:] }
        remembered[room] = index
        return index
    }

    private mutating func decision(on room: RoomName, for session: inout ClientSession) -> ClientAccess.Decision {
        let index = ruleIndex(room)
        let known = session.decision(on: room, generation: generation) { user, grants in
            let fitsUser = rules.pattern(at: index).map { !$0.hasUser || $0.matches(room, user: user) } ?? true
            let rights = rights(
                under: index, fitsUser: fitsUser, isSomeone: user != nil, granted: grants.rights(in: room, user: user))
            return ClientAccess.Decision(room: room, rule: index, rights: rights)
        }
        return known ?? ClientAccess.Decision(room: room, rule: index, rights: anonymous[index])
    }

    private func rights(
        under index: RoomRules.Index, fitsUser: Bool, isSomeone: Bool, granted: RoomRights
    ) -> RoomRights {
        let rule = rules[index]
        var rights: RoomRights = []
        for right in RoomRight.allCases {
            let who =
                switch right {
                case .join: rule.join
                case .publish: rule.publish
                case .presence: rule.presence
                case .history: rule.history
                }
            let isAllowed =
                switch who {
                case .anyone: fitsUser || granted.contains(RoomRights(right))
                case .users: fitsUser && isSomeone || granted.contains(RoomRights(right))
                case .granted: granted.contains(RoomRights(right))
                case .nobody: false
                }
            if isAllowed { rights.insert(RoomRights(right)) }
        }
        return rights
    }
}
