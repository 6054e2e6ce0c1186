import LinuxSystem
import Model
import NIOCore
import Supervision

/// What is noticed about programs from outside: probes, notifications, files and times. Each is made when it is first needed.
/// Confined to the event loop.
final class ProgramSenses {
    /// Bytes kept of a STATUS= text.
    static let maxStatus = 500

    private let eventLoop: any EventLoop
    private let prober: ProgramProber
    private var notifications: ProgramNotifications?
    private var watcher: ProgramWatcher?
    private var cron: ProgramCron?
    /// Whom each program's sightings are told.
    private var watched: [String: (ProgramSighting) -> Void] = [:]
    var said: (InstanceID, ProgramWord) -> Void = { _, _ in }
    /// Whether a message may be an instance's own.
    var trusts: (InstanceID, NotifyMessage) -> Bool = { _, _ in true }

    init(eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        prober = ProgramProber(eventLoop: eventLoop)
    }

    func probe(_ probe: ProgramProbe, timeout: Duration, answered: @escaping (_ failure: String?) -> Void) {
        prober.probe(probe, timeout: timeout, answered: answered)
    }

    /// Returns what `NOTIFY_SOCKET` is to be.
    func openNotifications(of instance: InstanceID) throws(SystemError) -> String {
        if let notifications { return try notifications.open(instance) }
        let new = try makeNotifications()
        notifications = new
        return try new.open(instance)
    }

    func adopt(_ socket: NotifySocket, of instance: InstanceID) throws(SystemError) {
        let listener = if let notifications { notifications } else { try makeNotifications() }
        notifications = listener
        try listener.adopt(socket, of: instance)
    }

    var notifySockets: [InstanceID: NotifySocket] { notifications?.sockets ?? [:] }

    func hold(_ isHeld: Bool) { notifications?.hold(isHeld) }

    /// They are held, and every word that was heard has been told.
    var isQuiet: Bool { notifications?.isQuiet ?? true }

    func closeNotifications(of instance: InstanceID) { notifications?.close(instance) }

    private func makeNotifications() throws(SystemError) -> ProgramNotifications {
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        return try ProgramNotifications(eventLoop: eventLoop) { instance, message in
            let senses = bound.value
            guard senses.trusts(instance, message) else { return }
            if let status = message.status {
                senses.said(instance, .status(LogText.escaped(String(status.prefix(Self.maxStatus)))))
            }
            if message.isReady { senses.said(instance, .ready) }
        }
    }

    /// - Parameter folder: where relative paths of a program start that names none.
    func watch(
        _ program: String, _ configuration: ProgramConfiguration?, folder: String,
        seen: @escaping (ProgramSighting) -> Void
    ) {
        watched[program] = configuration == nil ? nil : seen
        if watcher != nil || configuration?.watch.isEmpty == false {
            var own = configuration
            own?.folder = configuration?.folder ?? folder
            knownWatcher().watch(program, own)
        }
        if cron != nil || configuration?.cron != nil { knownCron().schedule(program, configuration?.cron) }
    }

    private func knownWatcher() -> ProgramWatcher {
        if let watcher { return watcher }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let new = ProgramWatcher(
            eventLoop: eventLoop, changed: { bound.value.watched[$0]?(.changed(path: $1)) },
            failed: { bound.value.watched[$0]?(.blind($1)) })
        watcher = new
        return new
    }

    private func knownCron() -> ProgramCron {
        if let cron { return cron }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let new = ProgramCron(eventLoop: eventLoop) { bound.value.watched[$0]?(.cronDue) }
        cron = new
        return new
    }

    func stop() {
        notifications?.stop()
        watcher?.stop()
        cron?.stop()
        watched = [:]
    }
}
