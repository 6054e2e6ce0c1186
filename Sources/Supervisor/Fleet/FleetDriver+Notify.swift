import LinuxSystem
import Model
import Supervision
import Wire

extension FleetDriver {
    func notify(_ notification: ServiceNotification) {
        switch notification {
        case .ready:
            lastStatusText = statusText()
            system.notify(["READY=1", "STATUS=\(statusText())"])
            setup.ready()
        case .reloading:
            system.notify(["RELOADING=1", ServiceManager.monotonic(now()), "STATUS=\(statusText())"])
        case .reloaded: system.notify(["READY=1", "STATUS=\(statusText())"])
        case .stopping: system.notify(["STOPPING=1", "STATUS=\(statusText())"])
        case .extendTimeout(let duration): system.notify([ServiceManager.extendTimeout(by: duration)])
        }
    }

    /// Tells the service manager how things stand, when that has changed. Once a second.
    func notifyStatus() {
        let text = statusText()
        guard text != lastStatusText else { return }
        lastStatusText = text
        system.notify(["STATUS=\(text)"])
    }

    /// `4 workers, 120 clients; worker 3 failed: …`: one line.
    func statusText() -> String {
        let snapshot = machine.snapshot(now: now())
        let serving = snapshot.processes.filter { $0.slot.role == .worker && $0.state == .ready }.count
        let clients = children.values.reduce(0) { $0 &+ ($1.slot.role == .worker ? $1.counters.clients : 0) }
        var text = serving == snapshot.workersWanted ? "\(serving)" : "\(serving) of \(snapshot.workersWanted)"
        text +=
            " \(snapshot.workersWanted == 1 ? "worker" : "workers"), \(clients) \(clients == 1 ? "client" : "clients")"
        if let operation = snapshot.operation { text += "; \(operation) in progress" }
        for problem in snapshot.problems { text += "; \(problem)" }
        return LogText.escaped(String(text.prefix(500)))
    }
}
