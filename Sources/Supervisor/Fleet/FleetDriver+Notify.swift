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

    /// `4 workers, 120 clients; 2 of 3 programs; worker 3 failed: …`: one line.
    func statusText() -> String {
        let snapshot = machine.snapshot(now: now())
        let programs = programs.statuses()
        var parts = [snapshot.servesClients ? workersText(snapshot) : "no workers"]
        if !programs.isEmpty {
            let running = programs.count { [.ready, .finished].contains($0.state) }
            let count = running == programs.count ? "\(running)" : "\(running) of \(programs.count)"
            parts.append("\(count) \(programs.count == 1 ? "program" : "programs")")
        }
        if let operation = snapshot.operation { parts.append("\(operation) in progress") }
        parts += snapshot.problems + ProgramsDriver.problems(programs)
        return LogText.escaped(String(parts.joined(separator: "; ").prefix(500)))
    }

    private func workersText(_ snapshot: FleetSnapshot) -> String {
        let serving = snapshot.processes.filter { $0.slot.role == .worker && $0.state == .ready }.count
        let clients = children.values.reduce(0) { $0 &+ ($1.slot.role == .worker ? $1.counters.clients : 0) }
        let count = serving == snapshot.workersWanted ? "\(serving)" : "\(serving) of \(snapshot.workersWanted)"
        return "\(count) \(snapshot.workersWanted == 1 ? "worker" : "workers"), "
            + "\(clients) \(clients == 1 ? "client" : "clients")"
    }
}
