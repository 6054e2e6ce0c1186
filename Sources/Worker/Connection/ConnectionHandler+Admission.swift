import Model
import Realtime
import Wire

extension ConnectionHandler: AdmissionConnection {
    func admitted(_ identity: ClientIdentity, isAuthenticated: Bool) {
        guard core.phase == .admitting else { return }
        core.admit(as: isAuthenticated ? identity : nil, now: engine.now)
        engine.realtime.registrationHolds(serial)
        wait = .nothing
        if isAuthenticated { identify(identity) }
        greet()
        if let time = core.firstLook(limits: engine.limits) { engine.look(at: self, at: time) }
        if engine.trace.isActive { engine.traceIdentity(self, .connected) }
        for room in identity.rooms { engine.subscribe(self, to: room) }
        goOn()
    }

    func authenticated(_ identity: ClientIdentity, isRefresh: Bool) {
        guard case .identity(let request) = wait else { return }
        endWait()
        engine.realtime.registrationHolds(serial)
        if let refusal = identify(identity) {
            engine.refuse(refusal, request: request, to: self)
            return goOn()
        }
        core.identity = ConnectionCore.Identity(identity)
        greet()
        if let request {
            let (user, expiresIn) = (core.session.user, core.session.expiresIn(now: engine.turnTime))
            send { $0.sendReply(request, .authenticated(user: user, expiresIn: expiresIn)) }
        }
        if engine.trace.isActive { engine.traceIdentity(self, .authenticated) }
        for room in identity.rooms { engine.subscribe(self, to: room) }
        goOn()
    }

    func authenticationRefused(_ refusal: ClientRefusal) {
        guard case .identity(let request) = wait else { return }
        endWait()
        engine.refuse(refusal, request: request, to: self)
        goOn()
    }

    func identityExpiring(in time: Duration) {
        send { core in core.sendEvent { V1Dialect.writeExpiring(time, into: &$0) } }
    }

    func rejected(_ code: CloseCode, reason: String) {
        close(code, reason: reason)
    }

    /// From now on the identity decides what the client may do.
    @discardableResult
    private func identify(_ identity: ClientIdentity) -> ClientRefusal? {
        engine.policy.identify(
            &core.session, as: identity, wallTime: engine.wallTime(), now: engine.turnTime)
    }

    private func greet() {
        send { $0.sendGreeting(limits: engine.limits, now: engine.turnTime) }
    }
}
