import Model
import NIOCore
import Webhooks

/// Whether one connection may be, and as whom: what happened goes in, actions come out. Knows no clock, task or
/// connection.
///
/// Somebody's way in is an *attempt*: check the token (if there is one), ask the connect webhook (if there is one), ask the
/// hub's registry. The first attempt begins with the connection; an `auth` begins another.
struct AdmissionStateMachine {
    /// What the configuration says, alike for all connections of a worker.
    struct Rules {
        var requiresAuthentication: Bool
        /// Keys are configured. Without, tokens are the webhook's to judge.
        var checksTokens: Bool
        var asksWebhook: Bool
        /// Limits that only the hub can count are configured: its decision is waited for.
        var waitsForHub: Bool
        var whenHubAway: HubAwayPolicy
        var hubTimeout: Duration
        var authenticationTimeout: Duration
        /// An identity ends this much after its own end.
        var leeway: Duration
    }

    /// To be carried out in their order.
    enum Action: Equatable {
        /// Check this token, then ``AdmissionStateMachine/tokenChecked(_:at:)``.
        case check(token: String)
        /// Ask the connect webhook, then ``AdmissionStateMachine/webhookAnswered(_:at:)``. `token`: one nobody has checked.
        case askWebhook(user: UserName?, token: String?)
        /// Tell the hub's registry; its reply: ``AdmissionStateMachine/hubReplied(_:at:)``. If it cannot be told:
        /// ``AdmissionStateMachine/hubIsAway(at:)``. `identifies`: the connection is registered and is now somebody.
        case register(user: UserName?, info: String?, identifies: Bool, wantsReply: Bool)
        case admit(ClientIdentity, isAuthenticated: Bool)
        case authenticated(ClientIdentity, isRefresh: Bool)
        case refuseAuthentication(ClientRefusal)
        case warnOfEnd(in: Duration)
        /// Nothing more will be asked for.
        case reject(CloseCode, reason: String, RefusalReason)
    }

    /// Two readings of the same moment.
    struct Moment {
        var now: MonotonicTime
        /// Seconds since 1970.
        var wallTime: Double
    }

    private enum Step {
        case token
        case webhook
        case hub
    }

    private struct Attempt {
        var step: Step
        var identity: ClientIdentity
        /// By its token, or because the webhook named a user.
        var isAuthenticated = false
    }

    /// What is left to be known of somebody who was admitted.
    private struct Admitted {
        var user: UserName?
        var info: String?
        var isAuthenticated: Bool
        var warningDue: MonotonicTime?
        var end: MonotonicTime?
        /// Seconds since 1970.
        var expiresAt: Double?
    }

    /// A warning comes this long before the end, or a tenth of the time that is left then if that is less.
    static let warning = Duration.seconds(60)
    /// Ends beyond this are no ends: the process will not live that long.
    private static let horizon = Duration.seconds(10 * 365 * 86_400)

    private let rules: Rules
    private var attempt: Attempt?
    private var admitted: Admitted?
    private var hubDeadline: MonotonicTime?
    /// Until authenticated.
    private var authenticationDeadline: MonotonicTime?
    private(set) var hasEnded = false

    /// - Parameter now: when the handshake was accepted.
    init(rules: Rules, now: MonotonicTime) {
        self.rules = rules
        if rules.requiresAuthentication { authenticationDeadline = now + rules.authenticationTimeout }
    }

    /// One that was settled: somebody who was admitted. `identity` `nil`: not authenticated.
    init(rules: Rules, admitted identity: ClientIdentity?) {
        self.rules = rules
        admitted = Admitted(user: identity?.user, info: identity?.info, isAuthenticated: identity != nil)
    }

    /// Nothing will happen any more unless the client or the hub begins it.
    var isSettled: Bool { hasEnded || (attempt == nil && nextDeadline == nil) }

    /// When ``timeElapsed(_:)`` is next of use.
    var nextDeadline: MonotonicTime? {
        guard !hasEnded else { return nil }
        return [hubDeadline, authenticationDeadline, admitted?.warningDue, admitted?.end].compactMap(\.self).min()
    }
}

// MARK: - Inputs

extension AdmissionStateMachine {
    /// First of all, once. `token`: what the handshake carried.
    mutating func begin(token: String?, at moment: Moment) -> [Action] {
        attempt = Attempt(step: .token, identity: .anonymous)
        if let token, rules.checksTokens { return [.check(token: token)] }
        return askWebhook(token: token, at: moment)
    }

    /// The client sent `auth`.
    mutating func authenticate(token: String, at moment: Moment) -> [Action] {
        guard !hasEnded else { return [] }
        guard attempt == nil else { return [.refuseAuthentication(ClientRefusal(.unavailable))] }
        guard rules.checksTokens || rules.asksWebhook else {
            return refuse(.unauthenticated, "no token can be checked here", .token)
        }
        attempt = Attempt(step: .token, identity: .anonymous)
        if rules.checksTokens { return [.check(token: token)] }
        return askWebhook(token: token, at: moment)
    }

    mutating func tokenChecked(_ result: TokenResult, at moment: Moment) -> [Action] {
        guard !hasEnded, var current = attempt, current.step == .token else { return [] }
        switch result {
        case .good(let identity):
            current.identity = identity
            current.isAuthenticated = true
            attempt = current
            return askWebhook(token: nil, at: moment)
        case .expired:
            return refuse(.tokenExpired, "the token has expired", .tokenExpired)
        case .bad:
            return refuse(.unauthenticated, "the token is not accepted", .token)
        }
    }

    mutating func webhookAnswered(_ outcome: WebhookOutcome, at moment: Moment) -> [Action] {
        guard !hasEnded, var current = attempt, current.step == .webhook else { return [] }
        switch outcome {
        case .answered(let answer):
            current.identity.take(answer)
            if answer.user != nil { current.isAuthenticated = true }
            attempt = current
            return askHub(at: moment)
        case .refused(let message, let code):
            let refusal = ClientRefusal(.refused, message: message)
            return end(
                code ?? .refusedByApplication, message ?? "the application refused", .webhook, telling: refusal)
        case .failed(.allow):
            return askHub(at: moment)
        case .failed(.refuse):
            guard admitted != nil else {
                return end(.backendUnavailable, "the application could not be asked", .webhookFailed)
            }
            // It may be tried again, until the time for it is over.
            attempt = nil
            return [.refuseAuthentication(ClientRefusal(.backendFailed))]
        }
    }

    /// Only the first reply to each registration counts, and only refusals where nobody waits.
    mutating func hubReplied(_ reply: HubReply, at moment: Moment) -> [Action] {
        guard !hasEnded else { return [] }
        switch reply {
        case .admitted:
            return attempt?.step == .hub ? finish(at: moment) : []
        case .rejected(let code, let reason):
            let why: RefusalReason =
                switch code {
                case .tooManyForUser: .userLimit
                case .tooManyConnections: .connectionLimit
                default: .other
                }
            return end(code, reason, why, telling: ClientRefusal(.refused, message: reason))
        case .refused:
            return attempt?.step == .hub ? hubIsAway(at: moment) : []
        case .published, .joined, .history, .presence, .backend:
            return []
        }
    }

    /// The hub could not be asked, or did not answer in time.
    mutating func hubIsAway(at moment: Moment) -> [Action] {
        guard !hasEnded, attempt?.step == .hub else { return [] }
        switch rules.whenHubAway {
        case .admit: return finish(at: moment)
        case .refuse: return end(.tooManyConnections, "the limits cannot be checked at the moment", .hubAway)
        }
    }

    /// May be called at any time; too early does no harm.
    mutating func timeElapsed(_ moment: Moment) -> [Action] {
        guard !hasEnded else { return [] }
        let now = moment.now
        if let due = admitted?.end, now >= due { return end(.tokenExpired, "the token has expired", .tokenExpired) }
        if let due = authenticationDeadline, now >= due {
            return end(.unauthenticated, "not authenticated in time", .authenticationTimeout)
        }
        if let due = hubDeadline, now >= due { return hubIsAway(at: moment) }
        if let due = admitted?.warningDue, now >= due, let expiresAt = admitted?.expiresAt {
            admitted?.warningDue = nil
            return [.warnOfEnd(in: max(.zero, Self.duration(from: moment.wallTime, to: expiresAt)))]
        }
        return []
    }
}

// MARK: - Steps

extension AdmissionStateMachine {
    private mutating func askWebhook(token: String?, at moment: Moment) -> [Action] {
        guard rules.asksWebhook else { return askHub(at: moment) }
        attempt?.step = .webhook
        return [.askWebhook(user: attempt?.identity.user, token: token)]
    }

    private mutating func askHub(at moment: Moment) -> [Action] {
        guard let current = attempt else { return [] }
        let identity = current.identity
        guard let admitted else {
            attempt?.step = .hub
            return register(identity, identifies: false, at: moment)
        }
        guard current.isAuthenticated else { return refuse(.unauthenticated, "the token is not accepted", .token) }
        // A refresh is of the same user.
        if admitted.isAuthenticated, admitted.user != identity.user {
            attempt = nil
            return [.refuseAuthentication(ClientRefusal(.forbidden))]
        }
        guard admitted.user != identity.user || admitted.info != identity.info else { return finish(at: moment) }
        attempt?.step = .hub
        return register(identity, identifies: true, at: moment)
    }

    private mutating func register(_ identity: ClientIdentity, identifies: Bool, at moment: Moment) -> [Action] {
        // A user that stays the same cannot come to be one too many.
        let waits = rules.waitsForHub && (!identifies || admitted?.user != identity.user)
        let action = Action.register(
            user: identity.user, info: identity.info, identifies: identifies, wantsReply: waits)
        guard waits else { return [action] + finish(at: moment) }
        hubDeadline = moment.now + rules.hubTimeout
        return [action]
    }

    private mutating func finish(at moment: Moment) -> [Action] {
        guard let current = attempt else { return [] }
        attempt = nil
        hubDeadline = nil
        let identity = current.identity
        let former = admitted
        admitted = Admitted(user: identity.user, info: identity.info, isAuthenticated: current.isAuthenticated)
        if current.isAuthenticated {
            authenticationDeadline = nil
            reckonEnd(identity.expiresAt, moment)
        }
        guard let former else { return [.admit(identity, isAuthenticated: current.isAuthenticated)] }
        return [.authenticated(identity, isRefresh: former.isAuthenticated)]
    }

    private mutating func reckonEnd(_ expiresAt: Double?, _ moment: Moment) {
        guard let expiresAt else { return }
        let left = Self.duration(from: moment.wallTime, to: expiresAt)
        guard left < Self.horizon else { return }
        admitted?.expiresAt = expiresAt
        admitted?.end = moment.now + max(.zero, left + rules.leeway)
        admitted?.warningDue = moment.now + left - min(Self.warning, left / 10)
    }

    /// Bounded on both sides, since the application may name any end.
    private static func duration(from now: Double, to end: Double) -> Duration {
        .seconds(min(max(end - now, -horizon.inSeconds), horizon.inSeconds))
    }

    /// An `auth` with a token that is not good is answered before the connection ends.
    private mutating func refuse(_ code: CloseCode, _ reason: String, _ why: RefusalReason) -> [Action] {
        end(code, reason, why, telling: ClientRefusal(.invalidToken))
    }

    private mutating func end(
        _ code: CloseCode, _ reason: String, _ why: RefusalReason, telling refusal: ClientRefusal? = nil
    ) -> [Action] {
        let isAwaited = admitted != nil && (attempt != nil || why == .token)
        hasEnded = true
        attempt = nil
        let rejection = Action.reject(code, reason: reason, why)
        guard isAwaited else { return [rejection] }
        return [.refuseAuthentication(refusal ?? ClientRefusal(.unavailable)), rejection]
    }
}

/// What the check of a token came to.
enum TokenResult: Equatable {
    case good(ClientIdentity)
    case expired
    case bad
}

extension ClientIdentity {
    /// The application knows better than the token whom it names, and adds to what the token allows.
    fileprivate mutating func take(_ answer: WebhookAnswer) {
        user = answer.user ?? user
        info = answer.info ?? info
        expiresAt = answer.expiresAt ?? expiresAt
        rooms += answer.rooms
        grants += answer.grants
        data = answer.data.map { String(buffer: $0) }
    }
}
