internal import ConfigurationFile
import HTTPTypes
import Model
import Supervision
import Wire

/// What an operator can ask the fleet to do.
enum OperationRequest: Sendable, Equatable {
    case reload
    /// `slot` `nil`: all.
    case restart(slot: SlotID?, immediately: Bool)
    case scale(Int)
    case stop(reason: String)
}

extension FleetDriver {
    /// Starts an operation. The stream ends with its last word.
    func begin(_ request: OperationRequest) throws(ControlFailure) -> AsyncStream<OperationProgress> {
        let (stream, continuation) = AsyncStream.makeStream(of: OperationProgress.self)
        let listener = FleetOperationListener(
            progress: { step in
                continuation.yield(step)
                if step.done { continuation.finish() }
            },
            abandoned: { continuation.finish() })
        try begin(request, listener)
        return stream
    }

    func begin(_ request: OperationRequest, _ listener: FleetOperationListener) throws(ControlFailure) {
        let response: OperationResponse
        switch request {
        case .reload: response = try requestReload()
        case .restart(let slot, let immediately):
            response = machine.restartRequested(slot: slot, immediately: immediately, now: now())
        case .scale(let workers): response = machine.scaleRequested(workers: workers, now: now())
        case .stop(let reason): response = machine.stopRequested(reason: reason, now: now())
        }
        switch response {
        case .refused(let refusal): throw ControlFailure(refusal)
        case .accepted(let id, let actions):
            operations[id, default: []].append(listener)
            perform(actions)
        }
    }

    /// The same for a signal: nobody listens, a refusal is logged.
    func beginUnattended(_ request: OperationRequest) {
        do {
            _ = try begin(request)
        } catch {
            // What is wrong with a configuration has been said already.
            guard error.error.code != "configuration" else { return }
            log.takeOwn(.error, "An operation asked for by a signal was not begun", ["error": error.error.message])
        }
    }

    /// SIGTERM or SIGINT: stops; a further one hurries, and a third SIGINT kills. A platform may send SIGTERM several times
    /// (Heroku): what comes within ``sameStop`` of the first is the same request, and it never kills.
    func stopSignalled(_ name: String) {
        guard machine.isStopping else {
            stopSignalledAt = now()
            return beginUnattended(.stop(reason: "signal \(name)"))
        }
        if name == "SIGTERM" {
            if hasHurried { return }
            if let stopSignalledAt, now() - stopSignalledAt < Self.sameStop { return }
        }
        hasHurried = true
        log.takeOwn(.warning, "Hurrying: another signal to stop came", ["signal": name])
        input { $0.hurryRequested(now: now()) }
        programs.hurry()
    }

    private func requestReload() throws(ControlFailure) -> OperationResponse {
        if let running = machine.snapshot(now: now()).operation { throw ControlFailure(OperationRefusal.busy(running)) }
        let loaded: LoadedConfiguration
        switch setup.load() {
        case .success(let success): loaded = success
        case .failure(let errors):
            log.takeOwn(
                .error, "The configuration was not reloaded: it has errors; the running one stays",
                ["errors": errors.description])
            events.take(
                .configuration(.refused), .error, "Configuration refused", ["errors": errors.description])
            throw ControlFailure(
                status: .unprocessableContent,
                error: ControlError(
                    code: "configuration",
                    message: "The configuration has errors; the running one stays.\n\(errors.description)"))
        }
        if let file = configuration.file, loaded.file == nil {
            // Falling back to the defaults would be a surprise to whoever mistyped a name.
            log.takeOwn(
                .error, "The configuration was not reloaded: its file is gone; the running one stays",
                ["configuration.file": file])
            events.take(.configuration(.refused), .error, "Configuration refused", ["errors": "\(file) is gone"])
            throw ControlFailure(
                status: .unprocessableContent,
                error: ControlError(
                    code: "configuration",
                    message: "\(file) is gone; the running configuration stays. "
                        + "Put the file back, or restart wsd to run without it."))
        }
        for warning in loaded.warnings { log.takeOwn(.warning, warning, [:]) }
        let old = configuration.configuration
        let fixed = ConfigurationLoader.differences(old, loaded.configuration).notReloadable
        if !fixed.isEmpty {
            log.takeOwn(
                .warning, "These keys take effect only when wsd itself is restarted",
                ["keys": fixed.joined(separator: ", ")])
        }
        let next = ConfigurationLoader.reloaded(configuration, to: loaded)
        let sparesWorkers = sparesWorkers(next.configuration)
        let response = sparesWorkers ? requestAdoption(of: next) : requestRollover(to: next)
        guard case .accepted(let id, let actions) = response else { return response }
        var remarks = loaded.warnings.map { "Warning: \($0)" }
        if !fixed.isEmpty {
            remarks.append("Not changed by a reload, only by a restart of wsd itself: \(fixed.joined(separator: ", "))")
        }
        if let programs = ProgramDifferences(old.programs, next.configuration.programs).sentence {
            remarks.append(programs)
        }
        if sparesWorkers, machine.servesClients {
            remarks.append("Nothing else differs: the workers go on with their clients.")
        }
        return .accepted(id, remarks.map { .operationProgress(id, .reload, $0) } + actions)
    }

    /// Whether every child runs with what it would be started with from now on. A reload without any difference is a wish for
    /// new workers.
    private func sparesWorkers(_ next: WsdConfiguration) -> Bool {
        let old = configuration.configuration
        return old != next && old.forChildren == next.forChildren && machine.revisionsInUse == [machine.revision]
    }

    private func requestRollover(to next: LoadedConfiguration) -> OperationResponse {
        lastRevision += 1
        configurations[lastRevision] = next
        let isHubConcerned = configuration.configuration.concernsHub != next.configuration.concernsHub
        let response = machine.reloadRequested(
            policy: FleetPolicy(next.configuration, cores: setup.cores), revision: lastRevision,
            restartHub: isHubConcerned, now: now())
        if case .refused = response { configurations[lastRevision] = nil }
        return response
    }

    private func requestAdoption(of next: LoadedConfiguration) -> OperationResponse {
        let response = machine.adoptionRequested(now: now())
        if case .accepted = response { configurations[machine.revision] = next }
        return response
    }

    /// The configuration of `revision` is the running one: what applies to living processes does so now.
    func adopt(_ revision: Int) {
        guard let next = configurations[revision] else { return }
        let levelChanged = next.configuration.log.level != configuration.configuration.log.level
        configuration = next
        log.configure(next.configuration.log)
        logOutput.setLevel(next.configuration.log.level)
        tellConfiguration()
        programs.configured(next.configuration.programs)
        guard levelChanged else { return }
        for child in children.values { child.send(.logLevel(next.configuration.log.level)) }
    }

    func progress(_ id: OperationID, _ progress: OperationProgress) {
        log.takeOwn(.debug, "Operation goes on", ["operation": progress.operation, "progress": progress.message])
        for listener in operations[id] ?? [] { listener.progress(progress) }
    }

    func finished(_ id: OperationID, _ operation: FleetOperation, _ result: OperationResult) {
        let succeeded = if case .succeeded = result { true } else { false }
        let last = OperationProgress(
            operation: operation.description, message: result.message, done: true, succeeded: succeeded)
        let listeners = operations.removeValue(forKey: id) ?? []
        // The programs end after the fleet: only then the service has stopped.
        if operation == .stop { return lastWords = (last, listeners) }
        for listener in listeners { listener.progress(last) }
    }
}

/// Who waits for an operation of the fleet.
struct FleetOperationListener {
    /// Each step; the last one is `done`.
    var progress: (OperationProgress) -> Void
    /// The service ends without a last word.
    var abandoned: () -> Void
}

extension ControlFailure {
    init(_ refusal: OperationRefusal) {
        switch refusal {
        case .busy: self = .busy(refusal.description)
        case .unknownSlot: self = .notFound(refusal.description)
        case .impossibleCount: self = .badRequest(refusal.description)
        case .notRunning: self = .unavailable(refusal.description)
        case .noWorkers: self = .conflict(refusal.description)
        }
    }
}

extension WsdConfiguration {
    /// Without what is the supervisor's own matter, and not for children to know.
    var forChildren: WsdConfiguration {
        var configuration = self
        configuration.programs = []
        configuration.onEvent = []
        return configuration
    }

    /// What the hub is started with and cannot change while it runs.
    fileprivate var concernsHub: HubConcerns {
        HubConcerns(
            hub: hub, rooms: rooms, history: history, limits: limits, roomEmptyURL: webhooks.roomEmpty.url,
            maxMessageSize: websocket.maxMessageSize, maxBody: api.maxBody)
    }
}

private struct HubConcerns: Equatable {
    var hub: HubConfiguration
    var rooms: RoomsConfiguration
    var history: HistoryConfiguration
    var limits: LimitsConfiguration
    var roomEmptyURL: String?
    var maxMessageSize: Int
    var maxBody: Int
}
