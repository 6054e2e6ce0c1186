internal import Model

// Operations' ends, in sentences.

extension FleetStateMachine {
    func startResult() -> OperationResult {
        guard policy.servesClients else { return .succeeded("There are no workers to start.") }
        let missing = ([hub] + workers).filter { !$0.isServing }.map(\.id)
        if missing.isEmpty { return .succeeded("The hub and \(workersSentence(workers.count)) are ready.") }
        return .failed("Not ready: \(list(missing)).")
    }

    func rollingResult(_ running: RunningOperation) -> OperationResult {
        guard policy.servesClients else { return .succeeded("The configuration is in force.") }
        if running.isReload, running.done.isEmpty { return .succeeded("The configuration is in force.") }
        let draining = departing.count { $0.isDraining }
        let rest = draining == 0 ? "" : " Old processes still draining: \(draining)."
        return .succeeded("Restarted: \(running.done.isEmpty ? "nothing" : list(running.done)).\(rest)")
    }

    func togetherResult(_ running: RunningOperation) -> OperationResult {
        guard running.failures.isEmpty else {
            let inForce = running.isReload ? "The new configuration is in force, but: " : ""
            return .failed("\(inForce)\(running.failures.joined(separator: "; ")).")
        }
        switch running.operation {
        case .scale: return .succeeded("\(workersSentence(workers.count)).")
        case .start, .reload, .restart, .recycle, .stop: return rollingResult(running)
        }
    }

    /// The failure is the first slot's that did not come up; the slots done stay done.
    func abortion(_ running: RunningOperation) -> OperationResult {
        var sentences = ["Aborted: \(running.failures.joined(separator: "; "))."]
        if running.failures.first?.hasPrefix("worker") ?? false {
            sentences.append("What served before goes on serving.")
        }
        if !running.done.isEmpty { sentences.append("Done before: \(list(running.done)).") }
        if !running.pending.isEmpty { sentences.append("Not reached: \(list(running.pending)).") }
        return .failed(sentences.joined(separator: " "))
    }

    func workersSentence(_ count: Int) -> String {
        count == 1 ? "1 worker" : "\(count) workers"
    }

    func list(_ slots: [SlotID]) -> String {
        slots.map(\.description).joined(separator: ", ")
    }
}
