import Model
import Realtime
import Testing

struct AccessPolicyTests {
    /// Rooms: `open`, `users`, `granted`, `nobody`, `own-{user}`, `members` (publishing takes membership).
    private func policy(closed: Bool = false, change: (inout WsdConfiguration) -> Void = { _ in }) -> AccessPolicy {
        var configuration = WsdConfiguration()
        configuration.auth.required = closed
        configuration.limits.messageRate = nil
        for who in Who.allCases {
            var rule = RoomRule(match: "\(who.rawValue)*")
            (rule.join, rule.publish, rule.presence, rule.history) = (who, who, who, who)
            configuration.rooms.rules.append(rule)
        }
        var own = RoomRule(match: "own-{user}")
        (own.join, own.publish) = (.anyone, .users)
        var members = RoomRule(match: "members")
        (members.join, members.publish, members.publishNeedsMembership) = (.anyone, .anyone, true)
        configuration.rooms.rules += [own, members]
        change(&configuration)
        return AccessPolicy(configuration)
    }

    private func session(
        _ policy: inout AccessPolicy, user: String? = nil, grants: [(String, Set<RoomRight>)] = [],
        isAnonymous: Bool = false
    ) -> ClientSession {
        var session = ClientSession(
            id: ClientID(boot: BootID(rawValue: 1), serial: 1), session: SessionID(rawValue: 1), now: .zero)
        guard user != nil || !grants.isEmpty || isAnonymous else { return session }
        var identity = ClientIdentity(user: user.map { UserName($0) })
        identity.grants = grants.map { RoomGrant(rooms: $0.0, allow: $0.1) }
        #expect(policy.identify(&session, as: identity, wallTime: 0, now: .zero) == nil)
        return session
    }

    private func refusal(
        _ policy: inout AccessPolicy, _ session: inout ClientSession, _ command: ClientCommand,
        isMember: Bool = false
    ) -> ClientErrorCode? {
        var command = command
        return policy.authorize(&command, for: &session, isMember: isMember)?.code
    }

    private func join(_ room: String) -> ClientCommand { .join(RoomName(room), JoinOptions()) }

    @Test(arguments: [
        // room, anonymous, user, granted
        ("anyone", true, true, true), ("users", false, true, true), ("granted", false, false, true),
        ("nobody", false, false, false), ("elsewhere", true, true, true),
    ])
    func theRuleSaysWho(room: String, anonymous: Bool, user: Bool, granted: Bool) {
        var policy = policy()
        var nobody = session(&policy)
        var someone = session(&policy, user: "ada")
        var favoured = session(&policy, grants: [("*", Set(RoomRight.allCases))])
        let name = RoomName(room)
        let commands: [ClientCommand] = [
            join(room), .publish(name, messageID: nil), .presence(name, countOnly: true),
            .history(name, HistoryQuery()),
        ]
        for command in commands {
            #expect((refusal(&policy, &nobody, command) == nil) == anonymous)
            #expect((refusal(&policy, &someone, command) == nil) == user)
            #expect((refusal(&policy, &favoured, command) == nil) == granted)
        }
        #expect(refusal(&policy, &nobody, .leave(name)) == nil)
    }

    @Test func aRoomWithTheUsersNameIsThatUsers() {
        var policy = policy()
        var ada = session(&policy, user: "ada")
        var bob = session(&policy, user: "bob")
        var nobody = session(&policy)
        var guest = session(&policy, user: "eve", grants: [("own-*", [.join])])
        #expect(refusal(&policy, &ada, join("own-ada")) == nil)
        #expect(refusal(&policy, &bob, join("own-ada")) == .forbidden)
        #expect(refusal(&policy, &nobody, join("own-ada")) == .forbidden)
        #expect(refusal(&policy, &guest, join("own-ada")) == nil)
        #expect(refusal(&policy, &guest, .publish(RoomName("own-ada"), messageID: nil)) == .forbidden)
    }

    @Test func grantsAddUp() {
        var policy = policy(closed: true)
        var ada = session(
            &policy, user: "ada",
            grants: [("team-*", [.join]), ("team-red", [.publish]), ("mail-{user}", [.join, .history])])
        #expect(refusal(&policy, &ada, join("team-red")) == nil)
        #expect(refusal(&policy, &ada, .publish(RoomName("team-red"), messageID: nil)) == nil)
        #expect(refusal(&policy, &ada, .publish(RoomName("team-blue"), messageID: nil)) == .forbidden)
        #expect(refusal(&policy, &ada, join("mail-ada")) == nil)
        #expect(refusal(&policy, &ada, join("mail-bob")) == .forbidden)
        #expect(refusal(&policy, &ada, .history(RoomName("mail-ada"), HistoryQuery())) == nil)
        #expect(refusal(&policy, &ada, join("other")) == .forbidden)
        // More rooms than are remembered, and the first again.
        for index in 0..<10 { #expect(refusal(&policy, &ada, join("team-\(index)")) == nil) }
        #expect(refusal(&policy, &ada, join("team-red")) == nil)
    }

    @Test func nothingGoesBeforeARequiredIdentity() {
        var policy = policy(closed: true)
        var nobody = session(&policy)
        for command: ClientCommand in [
            join("anyone"), .leave(RoomName("a")), .broadcast, .call(type: "x", timeout: nil),
            .typing(RoomName("a"), true),
        ] {
            #expect(refusal(&policy, &nobody, command, isMember: true) == .unauthenticated)
        }
        #expect(refusal(&policy, &nobody, .ping) == nil)
        #expect(refusal(&policy, &nobody, .authenticate(token: "x")) == nil)
        // An identity without a name, from the connect webhook, is one.
        var anonymous = session(&policy, isAnonymous: true)
        #expect(refusal(&policy, &anonymous, join("anyone")) == nil)
        #expect(refusal(&policy, &anonymous, join("users")) == .forbidden)
    }

    @Test func broadcastAndDirectAreForEverybodyOrThoseGrantedEverything() {
        let direct = ClientCommand.direct(UserName("bob"), messageID: nil)
        var open = policy()
        var nobody = session(&open)
        var ada = session(&open, user: "ada")
        #expect(refusal(&open, &nobody, .broadcast) == nil)
        #expect(refusal(&open, &nobody, direct) == .forbidden)
        #expect(refusal(&open, &ada, direct) == nil)
        var closed = policy(closed: true)
        var some = session(&closed, user: "ada", grants: [("*", [.publish])])
        #expect(refusal(&closed, &some, .broadcast) == .forbidden)
        var granted = policy(closed: true) {
            $0.rooms.broadcast = .granted
            $0.rooms.direct = .granted
        }
        var partly = session(&granted, user: "ada", grants: [("a*", [.publish]), ("*", [.join])])
        some = session(&granted, user: "ada", grants: [("*", [.publish])])
        #expect(refusal(&granted, &partly, .broadcast) == .forbidden)
        #expect(refusal(&granted, &some, .broadcast) == nil)
        #expect(refusal(&granted, &some, direct) == nil)
    }

    @Test func membershipIsAskedForWhereItCounts() {
        var policy = policy()
        var nobody = session(&policy)
        let room = RoomName("members")
        for command: ClientCommand in [.publish(room, messageID: nil), .typing(room, true), .read(room, offset: 3)] {
            #expect(refusal(&policy, &nobody, command) == .forbidden)
            #expect(refusal(&policy, &nobody, command, isMember: true) == nil)
        }
    }

    @Test func presenceThatIsNotAllowedIsLeftOutOfAJoin() {
        var policy = policy { $0.rooms.defaults.presence = .users }
        var nobody = session(&policy)
        var options = JoinOptions()
        options.presence = true
        var command = ClientCommand.join(RoomName("x"), options)
        #expect(policy.authorize(&command, for: &nobody, isMember: false) == nil)
        #expect(command == .join(RoomName("x"), JoinOptions()))
        var ada = session(&policy, user: "ada")
        command = .join(RoomName("x"), options)
        #expect(policy.authorize(&command, for: &ada, isMember: false) == nil)
        #expect(command == .join(RoomName("x"), options))
    }

    @Test func aReloadCounts() {
        var policy = policy()
        var ada = session(&policy, user: "ada")
        #expect(refusal(&policy, &ada, join("x")) == nil)
        var configuration = WsdConfiguration()
        configuration.rooms.defaults.join = .granted
        policy.configure(configuration)
        #expect(refusal(&policy, &ada, join("x")) == .forbidden)
    }

    @Test func anIdentityStaysTheSameUsers() {
        var policy = policy()
        var ada = session(&policy, user: "ada")
        let refused = policy.identify(&ada, as: ClientIdentity(user: UserName("bob")), wallTime: 0, now: .zero)
        #expect(refused?.code == .forbidden)
        #expect(policy.identify(&ada, as: .anonymous, wallTime: 0, now: .zero)?.code == .forbidden)
        #expect(policy.identify(&ada, as: ClientIdentity(user: UserName("ada")), wallTime: 0, now: .zero) == nil)
        var anonymous = session(&policy, isAnonymous: true)
        #expect(policy.identify(&anonymous, as: ClientIdentity(user: UserName("bob")), wallTime: 0, now: .zero) == nil)
        #expect(anonymous.user == UserName("bob"))
    }
}

struct RoomRulesTests {
    @Test func theFirstFittingRuleCountsOverTheDefaults() {
        var configuration = WsdConfiguration()
        configuration.rooms.defaults.historySize = 7
        var chat = RoomRule(match: "chat-*")
        chat.historySize = 0
        var all = RoomRule(match: "*-{user}")
        all.autoRead = true
        configuration.rooms.rules = [chat, all]
        let rules = RoomRules(configuration)
        #expect(rules.index(for: RoomName("chat-ada")) == 1)
        #expect(rules.index(for: RoomName("mail-ada")) == 2)
        #expect(rules.index(for: RoomName("lobby")) == 0)
        #expect(rules.rule(for: RoomName("chat-1")).keepsHistory == false)
        #expect(rules.rule(for: RoomName("mail-ada")).historySize == 7)
        #expect(rules.rule(for: RoomName("mail-ada")).autoRead)
        #expect(rules.pattern(for: RoomName("mail-ada"))?.hasUser == true)
        #expect(rules.pattern(for: RoomName("lobby")) == nil)
        #expect(rules.anyKeepsHistory)
        #expect(rules.count == 3)
        #expect(!rules.isUniform)
    }

    @Test func aServiceWithRequiredIdentityIsClosed() {
        var configuration = WsdConfiguration()
        #expect(RoomRules(configuration).defaults.join == .anyone)
        #expect(RoomRules(configuration).direct == .users)
        configuration.auth.required = true
        let rules = RoomRules(configuration)
        #expect(rules.defaults.join == .granted)
        #expect(rules.defaults.history == .granted)
        #expect(rules.broadcast == .nobody)
        #expect(rules.direct == .nobody)
    }
}
