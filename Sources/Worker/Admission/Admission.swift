import Authentication
import Logging
import Model
import NIOCore
import WebSocketProtocol
import Webhooks
import Wire

/// Decides who may connect and as whom: a thin driver around one ``AdmissionStateMachine`` for each connection.
/// Confined to the event loop. The engine owns one.
///
/// Obligations of the engine: ``begin(_:)`` after each accepted handshake (but of the echo), ``authenticate(token:serial:)``
/// for each `auth`, ``hubReplied(_:serial:)`` for each reply to what ``Environment/register`` sent, ``tick()`` with its own,
/// ``connectionGone(_:)`` once. It tells the hub itself that a client it was made to register is gone.
final class Admission {
    struct Environment {
        var now: () -> MonotonicTime
        /// Seconds since 1970.
        var wallTime: () -> Double
        /// Sends `connect` or `identify` for a client (its serial). `wantsReply`: the decision is waited for. `false`: the
        /// hub is away and no more can be held for it.
        var register: (_ client: UInt64, _ request: HubRequest, _ wantsReply: Bool) -> Bool
        /// Checks a token at a wall time; `nil`: no key is configured. Returns on any thread.
        var check: (@Sendable (String, Double) async -> Result<ClientIdentity, TokenFailure>)?
        /// Asks the connect webhook; `nil`: there is none.
        var askWebhook: ((WebhookConnect, @escaping (WebhookOutcome) -> Void) -> Void)?
        /// What the engine keeps of an admitted client anyway; `nil`: it keeps nothing, so that it is kept here.
        var recall: ((_ client: UInt64) -> (request: AdmissionRequest, identity: ClientIdentity?)?)?
        /// Tokens are never in it.
        var logger: Logger

        /// What the configured verifier and webhooks do.
        init(
            now: @escaping () -> MonotonicTime, wallTime: @escaping () -> Double, verifier: TokenVerifier?,
            webhooks: WebhookCaller?, logger: Logger, register: @escaping (UInt64, HubRequest, Bool) -> Bool
        ) {
            self.now = now
            self.wallTime = wallTime
            self.register = register
            self.logger = logger
            if let verifier { check = { await verifier.verify($0, now: $1) } }
            if let webhooks, webhooks.isOn(.connect) { askWebhook = { webhooks.call(.connect($0), completion: $1) } }
        }
    }

    private final class Entry {
        var machine: AdmissionStateMachine
        let request: AdmissionRequest
        /// When the wheel looks at it.
        var look: MonotonicTime?

        init(_ machine: AdmissionStateMachine, _ request: AdmissionRequest) {
            self.machine = machine
            self.request = request
        }
    }

    /// Refused connections by reason, of the gate, too.
    var refusals = RefusalCounts()
    private(set) var gate: GatePolicy
    /// What the test page is told of its attempts; `nil`: there is no test page.
    let handshakes: HandshakeNotes?
    private let environment: Environment
    private let rules: AdmissionStateMachine.Rules
    private let auth: AuthConfiguration
    private let eventLoop: any EventLoop
    private let executor: EventLoopExecutor
    private var entries: [UInt64: Entry] = [:]
    private var wheel: IdleWheel<UInt64>
    private var logLimiter = LogLimiter()

    init(configuration: WsdConfiguration, eventLoop: any EventLoop, environment: Environment) {
        self.environment = environment
        self.eventLoop = eventLoop
        auth = configuration.auth
        executor = EventLoopExecutor(eventLoop)
        gate = GatePolicy(configuration)
        handshakes = configuration.testPageEnabled ? HandshakeNotes(now: environment.now) : nil
        wheel = IdleWheel(now: environment.now())
        let limits = configuration.limits
        rules = AdmissionStateMachine.Rules(
            requiresAuthentication: auth.required, checksTokens: environment.check != nil,
            asksWebhook: environment.askWebhook != nil, waitsForHub: limits.needHub,
            whenHubAway: limits.whenHubAway, hubTimeout: limits.admissionTimeout,
            authenticationTimeout: auth.timeout, leeway: auth.leeway)
    }

    /// Connections that have begun and neither were refused nor have gone.
    var count: Int { entries.count }

    /// What a handshake says of who the client is.
    func credentials(_ head: RequestHead) -> HandshakeCredentials {
        HandshakeCredentials(head, auth: auth, keepsFields: rules.asksWebhook)
    }

    /// What becomes of a connection with this request head. Counts the connect of an address that is let through.
    func decide(_ head: RequestHead, peer: SocketAddress?, isSecure: Bool = false) -> UpgradeDecision {
        let (decision, reason) = gate.decide(head, peer: peer, isSecure: isSecure, now: environment.now())
        if let reason { refusals[reason] += 1 }
        switch decision {
        case .webSocket: handshakes?.take(head, status: 101, reason: nil)
        case .refuse(let refusal): handshakes?.take(head, status: refusal.status, reason: refusal.sentence)
        // A live connection's answer is the control API's, a route's the upstream's, a request's that of the HTTP side.
        case .live, .route, .http: break
        }
        return decision
    }
}

// MARK: - From the engine

extension Admission {
    func begin(_ request: AdmissionRequest) {
        let serial = request.client.serial
        let token = request.credentials.token
        var kept = request
        kept.credentials.token = nil
        entries[serial] = Entry(AdmissionStateMachine(rules: rules, now: environment.now()), kept)
        feed(serial) { $0.begin(token: token, at: $1) }
    }

    /// One at a time for each connection: more are refused.
    func authenticate(token: String, serial: UInt64) {
        recall(serial)
        feed(serial) { $0.authenticate(token: token, at: $1) }
    }

    func hubReplied(_ reply: HubReply, serial: UInt64) {
        recall(serial)
        feed(serial) { $0.hubReplied(reply, at: $1) }
    }

    func connectionGone(_ serial: UInt64) {
        entries[serial] = nil
    }

    func tick() {
        let now = environment.now()
        gate.prune(now: now)
        for serial in wheel.advance(to: now) {
            entries[serial]?.look = nil
            feed(serial) { $0.timeElapsed($1) }
        }
    }
}

// MARK: - Steps

extension Admission {
    /// Lets the machine of a connection take something in, and carries out what comes of it.
    private func feed(
        _ serial: UInt64, _ input: (inout AdmissionStateMachine, AdmissionStateMachine.Moment) -> [AdmissionAction]
    ) {
        guard let entry = entries[serial] else { return }
        let moment = AdmissionStateMachine.Moment(now: environment.now(), wallTime: environment.wallTime())
        let actions = input(&entry.machine, moment)
        if entry.machine.hasEnded || isKeptElsewhere(entry.machine) {
            entries[serial] = nil
        } else {
            enterWheel(serial, entry)
        }
        for action in actions { carryOut(action, serial, entry) }
    }

    /// Nothing is left to be done for somebody whom the engine can recall. What a webhook is told of the handshake it
    /// cannot.
    private func isKeptElsewhere(_ machine: AdmissionStateMachine) -> Bool {
        machine.isSettled && environment.recall != nil && !rules.asksWebhook
    }

    private func recall(_ serial: UInt64) {
        guard entries[serial] == nil, let (request, identity) = environment.recall?(serial) else { return }
        entries[serial] = Entry(AdmissionStateMachine(rules: rules, admitted: identity), request)
    }

    private func enterWheel(_ serial: UInt64, _ entry: Entry) {
        guard let due = entry.machine.nextDeadline, entry.look.map({ due < $0 }) ?? true else { return }
        entry.look = due
        wheel.enter(serial, at: due)
    }

    private func carryOut(_ action: AdmissionAction, _ serial: UInt64, _ entry: Entry) {
        let connection = entry.request.connection
        switch action {
        case .check(let token):
            check(token, serial)
        case .askWebhook(let user, let token):
            askWebhook(user, token, serial, entry)
        case .register(let user, let info, let identifies, let wantsReply):
            var registration = ClientRegistration(
                session: entry.request.session, user: user, info: info, addressKey: entry.request.addressKey,
                origin: entry.request.credentials.origin ?? "")
            registration.mayReturn = entry.request.dialect == V1Dialect.subprotocol
            let request = identifies ? HubRequest.identify(registration) : .connect(registration)
            guard !environment.register(serial, request, wantsReply) else { return }
            feed(serial) { $0.hubIsAway(at: $1) }
        case .admit(let identity, let isAuthenticated):
            connection.admitted(identity, isAuthenticated: isAuthenticated)
        case .authenticated(let identity, let isRefresh):
            connection.authenticated(identity, isRefresh: isRefresh)
        case .refuseAuthentication(let refusal):
            connection.authenticationRefused(refusal)
        case .warnOfEnd(let time):
            connection.identityExpiring(in: time)
        case .reject(let code, let reason, let why):
            refusals[why] += 1
            log(why, code, entry.request)
            connection.rejected(code, reason: reason)
        }
    }

    private func check(_ token: String, _ serial: UInt64) {
        guard let check = environment.check else { return }
        let (wallTime, loop) = (environment.wallTime(), eventLoop)
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        Task(executorPreference: executor) {
            let result = await check(token, wallTime)
            // Where it returned is not for it to say.
            loop.execute { bound.value.checked(result, serial) }
        }
    }

    private func checked(_ result: Result<ClientIdentity, TokenFailure>, _ serial: UInt64) {
        // The connection may have gone meanwhile.
        guard let entry = entries[serial] else { return }
        switch result {
        case .success(let identity):
            feed(serial) { $0.tokenChecked(.good(identity), at: $1) }
        case .failure(let failure):
            environment.logger.debug(
                "A token was not accepted",
                metadata: ["client.id": "\(entry.request.client)", "reason": "\(failure)"])
            feed(serial) { $0.tokenChecked(failure == .expired ? .expired : .bad, at: $1) }
        }
    }

    private func askWebhook(_ user: UserName?, _ token: String?, _ serial: UInt64, _ entry: Entry) {
        guard let ask = environment.askWebhook else { return }
        let request = entry.request
        var connect = WebhookConnect(
            client: request.client, dialect: request.dialect, address: request.address, path: request.path)
        connect.user = user
        connect.token = token
        connect.origin = request.credentials.origin
        connect.userAgent = request.credentials.userAgent
        connect.query = request.credentials.query
        connect.cookie = request.credentials.cookie
        connect.authorization = request.credentials.authorization
        connect.certificate = request.credentials.certificate
        ask(connect) { outcome in
            self.feed(serial) { $0.webhookAnswered(outcome, at: $1) }
        }
    }

    private func log(_ why: RefusalReason, _ code: CloseCode, _ request: AdmissionRequest) {
        let (isAdmitted, suppressed) = logLimiter.admit(now: environment.now())
        guard isAdmitted else { return }
        var metadata: Logger.Metadata = [
            "client.id": "\(request.client)", "client.address": "\(request.address)", "reason": "\(why.rawValue)",
            "close.code": "\(code.rawValue)",
        ]
        if suppressed > 0 { metadata["suppressed"] = "\(suppressed)" }
        environment.logger.info("Connection refused", metadata: metadata)
    }
}

typealias AdmissionAction = AdmissionStateMachine.Action

extension LimitsConfiguration {
    /// Whether a limit is set that only the hub's registry can count.
    var needHub: Bool {
        connectionsPerAddress > 0 || connectionsPerUser > 0 || connectionsPerOrigin > 0 || connections > 0
            || connectRate != nil
    }
}
