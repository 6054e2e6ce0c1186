import Model
import NIOCore
import Testing
import Webhooks

@testable import Worker

@Suite struct AdmissionStateMachineTests {
    typealias Machine = AdmissionStateMachine
    typealias Action = AdmissionStateMachine.Action

    static let start = MonotonicTime(nanoseconds: 1_000_000_000)

    func rules(_ change: (inout Machine.Rules) -> Void = { _ in }) -> Machine.Rules {
        var rules = Machine.Rules(
            requiresAuthentication: false, checksTokens: true, asksWebhook: false, waitsForHub: false,
            whenHubAway: .admit, hubTimeout: .seconds(1), authenticationTimeout: .seconds(10), leeway: .seconds(30))
        change(&rules)
        return rules
    }

    func machine(_ change: (inout Machine.Rules) -> Void = { _ in }) -> Machine {
        Machine(rules: rules(change), now: Self.start)
    }

    /// Both clocks, so many seconds after the start; the wall clock stood at 1000 then.
    func at(_ seconds: Double) -> Machine.Moment {
        Machine.Moment(now: Self.start + .seconds(seconds), wallTime: 1000 + seconds)
    }

    func identity(_ user: String?, until expiresAt: Double? = nil, info: String? = nil) -> ClientIdentity {
        var identity = ClientIdentity(user: user.map { UserName($0) })
        identity.expiresAt = expiresAt
        identity.info = info
        return identity
    }

    func answer(_ user: String?) -> WebhookOutcome {
        var answer = WebhookAnswer()
        answer.user = user.map { UserName($0) }
        return .answered(answer)
    }

    static func connect(_ user: String? = nil, info: String? = nil, waits: Bool = false) -> Action {
        .register(user: user.map { UserName($0) }, info: info, identifies: false, wantsReply: waits)
    }

    static func identify(_ user: String?, info: String? = nil, waits: Bool = false) -> Action {
        .register(user: user.map { UserName($0) }, info: info, identifies: true, wantsReply: waits)
    }

    /// Code and reason of the rejection that actions end with.
    func rejection(_ actions: [Action]) -> String {
        guard case .reject(let code, _, let why)? = actions.last else { return "none" }
        return "\(code.rawValue) \(why.rawValue)"
    }

    // MARK: First

    @Test func whereNothingIsConfiguredEverybodyIsAdmittedAtOnce() {
        var machine = machine { $0.checksTokens = false }
        #expect(
            machine.begin(token: "ignored", at: at(0)) == [Self.connect(), .admit(.anonymous, isAuthenticated: false)])
        #expect(machine.isSettled && machine.nextDeadline == nil)
    }

    @Test func aTokenIsCheckedFirst() {
        var machine = machine()
        #expect(machine.begin(token: "t", at: at(0)) == [.check(token: "t")])
        #expect(!machine.isSettled)
        let ada = identity("ada")
        #expect(
            machine.tokenChecked(.good(ada), at: at(0.1)) == [Self.connect("ada"), .admit(ada, isAuthenticated: true)])
        #expect(machine.isSettled)
    }

    @Test func aBadTokenEndsTheConnection() {
        for (result, expected) in [(TokenResult.bad, "4001 token"), (.expired, "4002 token_expired")] {
            var machine = machine()
            _ = machine.begin(token: "t", at: at(0))
            let actions = machine.tokenChecked(result, at: at(0))
            #expect(actions.count == 1 && rejection(actions) == expected)
            #expect(machine.hasEnded)
            #expect(machine.tokenChecked(.good(.anonymous), at: at(1)).isEmpty)
            #expect(machine.authenticate(token: "t", at: at(1)).isEmpty)
            #expect(machine.timeElapsed(at(1000)).isEmpty)
        }
    }

    @Test func theWebhookIsAskedAboutWhomTheTokenNames() {
        var machine = machine { $0.asksWebhook = true }
        _ = machine.begin(token: "t", at: at(0))
        #expect(
            machine.tokenChecked(.good(identity("ada")), at: at(0))
                == [.askWebhook(user: UserName("ada"), token: nil)])
        var said = WebhookAnswer()
        said.info = "{}"
        said.rooms = [RoomName("a")]
        said.data = ByteBuffer(string: "7")
        var ada = identity("ada", info: "{}")
        ada.rooms = [RoomName("a")]
        ada.data = "7"
        #expect(
            machine.webhookAnswered(.answered(said), at: at(0))
                == [Self.connect("ada", info: "{}"), .admit(ada, isAuthenticated: true)])
    }

    @Test func withoutKeysTheTokenIsTheWebhooks() {
        var machine = machine {
            $0.asksWebhook = true
            $0.checksTokens = false
        }
        #expect(machine.begin(token: "t", at: at(0)) == [.askWebhook(user: nil, token: "t")])
        #expect(
            machine.webhookAnswered(answer("ada"), at: at(0))
                == [Self.connect("ada"), .admit(identity("ada"), isAuthenticated: true)])
    }

    @Test func theWebhookMayRefuse() {
        for (code, expected) in [
            (nil, CloseCode.refusedByApplication), (CloseCode(rawValue: 4100), CloseCode(rawValue: 4100)),
        ] {
            var machine = machine { $0.asksWebhook = true }
            _ = machine.begin(token: nil, at: at(0))
            #expect(
                machine.webhookAnswered(.refused(message: "no", code: code), at: at(0))
                    == [.reject(expected, reason: "no", .webhook)])
        }
    }

    @Test func whatHoldsWithoutTheWebhooksAnswerIsConfigured() {
        var machine = machine { $0.asksWebhook = true }
        _ = machine.begin(token: nil, at: at(0))
        var copy = machine
        #expect(
            machine.webhookAnswered(.failed(.allow), at: at(0))
                == [Self.connect(), .admit(.anonymous, isAuthenticated: false)])
        #expect(rejection(copy.webhookAnswered(.failed(.refuse), at: at(0))) == "4008 webhook_failed")
    }

    // MARK: The hub

    @Test func theHubDecidesWhereItsLimitsAreSet() {
        var machine = machine { $0.waitsForHub = true }
        #expect(machine.begin(token: nil, at: at(0)) == [Self.connect(waits: true)])
        #expect(machine.nextDeadline == Self.start + .seconds(1))
        var copy = machine
        #expect(machine.hubReplied(.admitted, at: at(0.5)) == [.admit(.anonymous, isAuthenticated: false)])
        #expect(machine.hubReplied(.admitted, at: at(0.6)).isEmpty)
        #expect(
            copy.hubReplied(.rejected(.tooManyConnections, reason: "too many"), at: at(0.5))
                == [.reject(.tooManyConnections, reason: "too many", .connectionLimit)])
    }

    @Test func whatHappensWithoutTheHubIsConfigured() {
        for policy in HubAwayPolicy.allCases {
            var machine = machine {
                $0.waitsForHub = true
                $0.whenHubAway = policy
            }
            _ = machine.begin(token: nil, at: at(0))
            #expect(machine.timeElapsed(at(0.9)).isEmpty)
            let actions = machine.timeElapsed(at(1))
            switch policy {
            case .admit:
                #expect(actions == [.admit(.anonymous, isAuthenticated: false)])
                // The hub is back, and had the last place given away.
                #expect(
                    machine.hubReplied(.rejected(.tooManyForUser, reason: "r"), at: at(5))
                        == [.reject(.tooManyForUser, reason: "r", .userLimit)])
            case .refuse:
                #expect(rejection(actions) == "4006 hub_away")
            }
        }
    }

    @Test func aHubThatCannotBeToldIsAway() {
        var machine = machine {
            $0.waitsForHub = true
            $0.whenHubAway = .refuse
        }
        _ = machine.begin(token: nil, at: at(0))
        var copy = machine
        #expect(machine.hubIsAway(at: at(0)).count == 1 && machine.hasEnded)
        #expect(copy.hubReplied(.refused(ClientRefusal(.unavailable)), at: at(0)).count == 1 && copy.hasEnded)
        var unasked = self.machine()
        _ = unasked.begin(token: nil, at: at(0))
        #expect(unasked.hubIsAway(at: at(0)).isEmpty && !unasked.hasEnded)
    }

    // MARK: Authentication

    @Test func whoHasToAuthenticateHasSomeTimeForIt() {
        var machine = machine { $0.requiresAuthentication = true }
        #expect(
            machine.begin(token: nil, at: at(0)) == [Self.connect(), .admit(.anonymous, isAuthenticated: false)])
        #expect(machine.timeElapsed(at(9.9)).isEmpty)
        #expect(rejection(machine.timeElapsed(at(10))) == "4001 auth_timeout")
    }

    @Test func anAuthNamesTheConnection() {
        var machine = machine { $0.requiresAuthentication = true }
        _ = machine.begin(token: nil, at: at(0))
        #expect(machine.authenticate(token: "t", at: at(1)) == [.check(token: "t")])
        #expect(
            machine.authenticate(token: "u", at: at(1)) == [.refuseAuthentication(ClientRefusal(.unavailable))])
        let ada = identity("ada")
        #expect(
            machine.tokenChecked(.good(ada), at: at(2))
                == [Self.identify("ada"), .authenticated(ada, isRefresh: false)])
        #expect(machine.isSettled && machine.timeElapsed(at(60)).isEmpty)
    }

    @Test func aBadAuthIsAnsweredAndEndsTheConnection() {
        for (result, expected) in [(TokenResult.bad, "4001 token"), (.expired, "4002 token_expired")] {
            var machine = machine()
            _ = machine.begin(token: nil, at: at(0))
            _ = machine.authenticate(token: "t", at: at(0))
            let actions = machine.tokenChecked(result, at: at(0))
            #expect(actions.count == 2 && actions[0] == .refuseAuthentication(ClientRefusal(.invalidToken)))
            #expect(rejection(actions) == expected)
        }
    }

    @Test func whereNoTokenCanBeCheckedNoneIsGood() {
        var machine = machine { $0.checksTokens = false }
        _ = machine.begin(token: nil, at: at(0))
        let actions = machine.authenticate(token: "t", at: at(0))
        #expect(actions.first == .refuseAuthentication(ClientRefusal(.invalidToken)) && machine.hasEnded)
    }

    @Test func aRefreshIsOfTheSameUser() {
        var machine = machine()
        _ = machine.begin(token: "t", at: at(0))
        _ = machine.tokenChecked(.good(identity("ada", until: 1100)), at: at(0))
        _ = machine.authenticate(token: "u", at: at(50))
        #expect(
            machine.tokenChecked(.good(identity("eve", until: 9000)), at: at(50))
                == [.refuseAuthentication(ClientRefusal(.forbidden))])
        #expect(!machine.hasEnded)
        let longer = identity("ada", until: 2000)
        _ = machine.authenticate(token: "v", at: at(60))
        // Nothing changed that the hub knows.
        #expect(machine.tokenChecked(.good(longer), at: at(60)) == [.authenticated(longer, isRefresh: true)])
        #expect(machine.timeElapsed(at(131)).isEmpty)
        _ = machine.authenticate(token: "w", at: at(200))
        let renamed = identity("ada", info: "1")
        #expect(
            machine.tokenChecked(.good(renamed), at: at(200))
                == [Self.identify("ada", info: "1"), .authenticated(renamed, isRefresh: true)])
        #expect(machine.isSettled)
    }

    @Test func theHubCountsUsersToo() {
        var machine = machine { $0.waitsForHub = true }
        _ = machine.begin(token: nil, at: at(0))
        _ = machine.hubReplied(.admitted, at: at(0))
        _ = machine.authenticate(token: "t", at: at(1))
        #expect(machine.tokenChecked(.good(identity("ada")), at: at(1)) == [Self.identify("ada", waits: true)])
        var copy = machine
        #expect(machine.hubReplied(.admitted, at: at(1)) == [.authenticated(identity("ada"), isRefresh: false)])
        #expect(
            copy.hubReplied(.rejected(.tooManyForUser, reason: "full"), at: at(1))
                == [
                    .refuseAuthentication(ClientRefusal(.refused, message: "full")),
                    .reject(.tooManyForUser, reason: "full", .userLimit),
                ])
    }

    @Test func anAuthMayBeTriedAgainWhenTheWebhookFails() {
        var machine = machine {
            $0.asksWebhook = true
            $0.requiresAuthentication = true
        }
        _ = machine.begin(token: nil, at: at(0))
        _ = machine.webhookAnswered(answer(nil), at: at(0))
        _ = machine.authenticate(token: "t", at: at(1))
        _ = machine.tokenChecked(.good(identity("ada")), at: at(1))
        #expect(
            machine.webhookAnswered(.failed(.refuse), at: at(2))
                == [.refuseAuthentication(ClientRefusal(.backendFailed))])
        #expect(machine.authenticate(token: "t", at: at(3)) == [.check(token: "t")])
        // The time for it goes on.
        #expect(machine.timeElapsed(at(10)).count == 2 && machine.hasEnded)
    }

    // MARK: Ends

    @Test func anEndIsToldBeforehandAndThenCloses() {
        var machine = machine()
        _ = machine.begin(token: "t", at: at(0))
        _ = machine.tokenChecked(.good(identity("ada", until: 2000)), at: at(0))
        #expect(machine.nextDeadline == Self.start + .seconds(940))
        #expect(machine.timeElapsed(at(939)).isEmpty)
        #expect(machine.timeElapsed(at(940)) == [.warnOfEnd(in: .seconds(60))])
        #expect(machine.timeElapsed(at(950)).isEmpty)
        #expect(machine.timeElapsed(at(1029)).isEmpty)
        #expect(rejection(machine.timeElapsed(at(1030))) == "4002 token_expired")
    }

    @Test func aShortLifeIsWarnedOfAtItsLastTenth() {
        var machine = machine()
        _ = machine.begin(token: "t", at: at(0))
        _ = machine.tokenChecked(.good(identity("ada", until: 1100)), at: at(0))
        #expect(machine.nextDeadline == Self.start + .seconds(90))
    }

    @Test(arguments: [-1e300, 0, 970, 999, 1000, 253_402_300_799, 1e300])
    func noEndIsTooStrange(_ expiresAt: Double) {
        var machine = machine()
        _ = machine.begin(token: "t", at: at(0))
        _ = machine.tokenChecked(.good(identity("ada", until: expiresAt)), at: at(0))
        _ = machine.timeElapsed(at(1))
        _ = machine.timeElapsed(at(31))
        #expect(machine.hasEnded == (expiresAt <= 1000))
    }

    /// Whatever comes in whichever order: one decision, nothing after the end, and no trap.
    @Test func anyOrderOfEventsLeadsToOneDecision() {
        for seed in 0..<2000 {
            var random = SeededGenerator(seed: UInt64(seed))
            var machine = machine {
                $0.requiresAuthentication = .random(using: &random)
                $0.checksTokens = .random(using: &random)
                $0.asksWebhook = .random(using: &random)
                $0.waitsForHub = .random(using: &random)
                $0.whenHubAway = .random(using: &random) ? .admit : .refuse
            }
            var time = 0.0
            var actions = machine.begin(token: .random(using: &random) ? "t" : nil, at: at(0))
            for _ in 0..<30 {
                time += Double.random(in: 0...5, using: &random)
                let user = Bool.random(using: &random) ? "ada" : "eve"
                switch Int.random(in: 0..<8, using: &random) {
                case 0: actions += machine.authenticate(token: "t", at: at(time))
                case 1: actions += machine.tokenChecked(.good(identity(user, until: 1000 + time * 2)), at: at(time))
                case 2: actions += machine.tokenChecked(.bad, at: at(time))
                case 3: actions += machine.webhookAnswered(answer(user), at: at(time))
                case 4: actions += machine.webhookAnswered(.failed(.allow), at: at(time))
                case 5: actions += machine.hubReplied(.admitted, at: at(time))
                case 6: actions += machine.hubIsAway(at: at(time))
                default: actions += machine.timeElapsed(at(time))
                }
            }
            let admissions = actions.count { if case .admit = $0 { true } else { false } }
            let rejections = actions.indices.filter { if case .reject = actions[$0] { true } else { false } }
            #expect(admissions <= 1 && rejections.count <= 1, "seed \(seed)")
            #expect(rejections.first.map { $0 == actions.count - 1 } ?? true, "seed \(seed)")
            #expect(machine.hasEnded == !rejections.isEmpty, "seed \(seed)")
            let names = actions.count { if case .authenticated = $0 { true } else { false } }
            #expect(names == 0 || admissions == 1, "seed \(seed)")
        }
    }
}

/// splitmix64.
private struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = (state ^ state >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}
