import Model
import Realtime
import Testing

struct ClientSessionTests {
    private func session() -> ClientSession {
        ClientSession(id: ClientID(boot: BootID(rawValue: 1), serial: 1), session: SessionID(rawValue: 1), now: .zero)
    }

    private func policy(_ change: (inout WsdConfiguration) -> Void = { _ in }) -> AccessPolicy {
        var configuration = WsdConfiguration()
        change(&configuration)
        return AccessPolicy(configuration)
    }

    private func at(_ milliseconds: Int) -> MonotonicTime { .zero + .milliseconds(milliseconds) }

    private func admit(
        _ policy: inout AccessPolicy, _ session: inout ClientSession, at milliseconds: Int,
        command: ClientCommand = .ping
    ) -> Admission {
        var command = command
        return policy.admit(
            &command, of: &session, now: at(milliseconds), isMember: false)
    }

    @Test func anIdleClientCostsLittle() {
        #expect(MemoryLayout<ClientSession>.stride <= 112)
    }

    @Test func messagesAboveTheRateAreRefusedWithTheWait() {
        var policy = policy()
        var session = session()
        for _ in 0..<20 { #expect(admit(&policy, &session, at: 1000) == .granted) }
        let wait = ClientRefusal(.rateLimited, retryAfter: .milliseconds(100))
        #expect(admit(&policy, &session, at: 1000) == .refused(wait))
        #expect(admit(&policy, &session, at: 1099).isRefused)
        #expect(admit(&policy, &session, at: 1100) == .granted)
        #expect(session.rateLimited == 2)
    }

    @Test func goingOnFarAboveTheRateIsAbuse() {
        var policy = policy { $0.limits.abuseThreshold = 5 }
        var session = session()
        for _ in 0..<20 { _ = admit(&policy, &session, at: 0) }
        for _ in 0..<5 { #expect(admit(&policy, &session, at: 10).isRefused) }
        #expect(admit(&policy, &session, at: 20) == .abusive)
        // A pause of a second, not the tokens that come back meanwhile, ends the row.
        for _ in 0..<30 { _ = admit(&policy, &session, at: 1_500) }
        #expect(admit(&policy, &session, at: 1_500) == .abusive)
        for _ in 0..<20 { #expect(admit(&policy, &session, at: 10_000) == .granted) }
        for _ in 0..<5 { #expect(admit(&policy, &session, at: 10_000).isRefused) }
        #expect(admit(&policy, &session, at: 10_000) == .abusive)
    }

    @Test func theHubsRefusalsCountAsAbuseToo() {
        let policy = policy { $0.limits.abuseThreshold = 2 }
        var session = session()
        let refusal = ClientRefusal(.rateLimited, retryAfter: .seconds(1))
        #expect(policy.refusedByHub(ClientRefusal(.storageFailed), of: &session, now: at(0)).isRefused)
        #expect(policy.refusedByHub(refusal, of: &session, now: at(0)) == .refused(refusal))
        #expect(policy.refusedByHub(refusal, of: &session, now: at(0)).isRefused)
        #expect(policy.refusedByHub(refusal, of: &session, now: at(0)) == .abusive)
    }

    @Test func aRoomMayHaveItsOwnRate() {
        var policy = policy {
            $0.limits.messageRate = nil
            var rule = RoomRule(match: "slow*")
            rule.rate = RateLimit(perSecond: 1, burst: 1)
            $0.rooms.rules = [rule]
        }
        var session = session()
        let slow = ClientCommand.publish(RoomName("slow"), messageID: nil)
        #expect(admit(&policy, &session, at: 0, command: slow) == .granted)
        let wait = ClientRefusal(.rateLimited, retryAfter: .seconds(1))
        #expect(admit(&policy, &session, at: 0, command: slow) == .refused(wait))
        #expect(admit(&policy, &session, at: 0, command: .publish(RoomName("slow2"), messageID: nil)) == .granted)
        #expect(admit(&policy, &session, at: 0, command: .publish(RoomName("fast"), messageID: nil)) == .granted)
        // However many rooms it writes to.
        for index in 0..<200 {
            let other = ClientCommand.publish(RoomName("slow-\(index)"), messageID: nil)
            #expect(admit(&policy, &session, at: 0, command: other) == .granted)
        }
        #expect(admit(&policy, &session, at: 1000, command: slow) == .granted)
    }

    @Test func identityHasATimeToCome() {
        let policy = policy { $0.auth.required = true }
        var session = session()
        policy.opened(&session, now: at(0))
        #expect(session.nextDeadline == at(10_000))
        #expect(session.timeElapsed(now: at(9_999)) == nil)
        #expect(session.timeElapsed(now: at(10_000)) == .identityOverdue)
        #expect(session.nextDeadline == nil)
    }

    @Test func identityEndsAfterAWarningUnlessItIsRefreshed() {
        var policy = policy { $0.auth.required = true }
        var session = session()
        policy.opened(&session, now: at(0))
        var identity = ClientIdentity(user: UserName("ada"))
        identity.expiresAt = 1_100
        #expect(policy.identify(&session, as: identity, wallTime: 1_000, now: at(0)) == nil)
        #expect(session.expiresIn(now: at(1_000)) == .seconds(99))
        #expect(session.nextDeadline == at(90_000))
        #expect(session.timeElapsed(now: at(90_000)) == .expiring(in: .seconds(10)))
        #expect(session.timeElapsed(now: at(90_001)) == nil)
        #expect(session.nextDeadline == at(100_000))
        identity.expiresAt = 5_000
        #expect(policy.identify(&session, as: identity, wallTime: 1_095, now: at(95_000)) == nil)
        #expect(session.timeElapsed(now: at(100_000)) == nil)
        #expect(session.nextDeadline == at(3_940_000))
        #expect(session.timeElapsed(now: at(4_100_000)) == .expired)
        #expect(session.timeElapsed(now: at(4_100_000)) == nil)
        #expect(session.nextDeadline == nil)
    }

    @Test(
        arguments: [
            // exp, wall time, life in seconds (nil: for ever)
            (nil, 1_000, nil), (1_010, 1_000, 10), (990, 1_000, 20), (0, 1_000, 0), (1e18, 0, nil),
            (Double.infinity, 0, nil), (-Double.infinity, 0, 0),
        ] as [(Double?, Double, Double?)])
    func livesOfIdentities(expiresAt: Double?, wallTime: Double, life: Double?) {
        var policy = policy()
        var session = session()
        var identity = ClientIdentity.anonymous
        identity.expiresAt = expiresAt
        #expect(policy.identify(&session, as: identity, wallTime: wallTime, now: at(0)) == nil)
        #expect(session.isAuthenticated)
        #expect(session.expiresIn(now: at(0)) == life.map { .seconds($0) })
    }
}

extension Admission {
    fileprivate var isRefused: Bool {
        if case .refused = self { true } else { false }
    }
}

struct TokenBucketTests {
    @Test func tokensComeBackEvenlyUpToTheBurst() {
        let limit = RateLimit(perSecond: 2, burst: 3)
        var bucket = TokenBucket(now: .zero)
        for _ in 0..<3 { #expect(bucket.take(limit, now: .zero) == nil) }
        #expect(bucket.take(limit, now: .zero) == .milliseconds(500))
        #expect(bucket.take(limit, now: .zero + .milliseconds(500)) == nil)
        #expect(!bucket.isFull(now: .zero + .milliseconds(1_999)))
        #expect(bucket.isFull(now: .zero + .seconds(2)))
        for _ in 0..<3 { #expect(bucket.take(limit, now: .zero + .seconds(60)) == nil) }
        #expect(bucket.take(limit, now: .zero + .seconds(60)) != nil)
    }

    @Test(arguments: [(1e-9, 1_000_000), (1_000_000, 1), (1e12, 1_000_000), (0.001, 1)] as [(Double, Int)])
    func extremeLimitsDoNotOverflow(perSecond: Double, burst: Int) {
        let limit = RateLimit(perSecond: perSecond, burst: burst)
        var bucket = TokenBucket(now: .zero)
        for step in 0..<2_000 { _ = bucket.take(limit, now: .zero + .seconds(step)) }
        var off = TokenBucket(now: .zero)
        for _ in 0..<100 { #expect(off.take(.off, now: .zero) == nil) }
    }
}
