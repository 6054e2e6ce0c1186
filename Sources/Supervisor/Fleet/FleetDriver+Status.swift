internal import ConfigurationFile
import LinuxSystem
import Model
import Supervision
import Wire

extension FleetDriver {
    func status() -> ServiceStatus {
        let now = now()
        var snapshot = machine.snapshot(now: now)
        let problems = [log.problem, self.programs.memoryProblem].compactMap(\.self) + childProblems
        let isDegraded = !problems.isEmpty || self.programs.isDegraded
        let programs = programs.statuses()
        if isDegraded, snapshot.health == .ok { snapshot.health = .degraded }
        if snapshot.health == .ok, !hasSaidReady { snapshot.health = .starting }
        snapshot.problems += problems + ProgramsDriver.problems(programs)
        if let warning = certificateWarning { snapshot.problems.append(warning) }
        var status = ServiceStatus(
            version: WsdVersion.current, pid: pid, mode: configuration.configuration.mode,
            health: ServiceStatus.Health(snapshot.health), problems: snapshot.problems,
            uptime: (now - setup.startedAt).inSeconds, addresses: addresses, controlSocket: setup.controlSocket,
            configurationFile: configuration.file, operation: snapshot.operation?.description,
            underSystemd: setup.underSystemd, workersWanted: snapshot.workersWanted,
            processes: processes(snapshot, now: now),
            totals: totals(snapshot, now: now))
        status.managesOnly = snapshot.servesClients ? nil : true
        status.programs = programs.isEmpty ? nil : programs
        status.memory = snapshot.memory.map {
            ServiceMemory($0.reading, events: $0.events, strainedAgo: $0.strainedAgo?.inSeconds)
        }
        return status
    }

    /// What processes that run say of themselves.
    private var childProblems: [String] {
        var problems: [String] = []
        if children.values.contains(where: { $0.slot.role == .hub && $0.counters.storageFailing }) {
            problems.append(
                "Histories cannot be stored: messages to these rooms are refused. See why: wsctl logs --source hub")
        }
        if children.values.contains(where: \.counters.tlsStale) {
            problems.append(
                "The new TLS certificate or key cannot be used; the former is served. See why: wsctl logs --level warning"
            )
        }
        for route in configuration.configuration.routes {
            let held = children.values.reduce(0) { $0 &+ ($1.counters.routes[route.path]?.held ?? 0) }
            guard held > 0 else { continue }
            problems.append(
                "The application behind \(route.path) (\(route.upstream)) accepts no connections; requests that wait for it: \(held)."
            )
        }
        let paused = children.values.filter { $0.counters.acceptPaused }.map(\.slot).sorted()
        if !paused.isEmpty {
            problems.append(
                "\(paused.map(\.description).joined(separator: ", ")): no descriptor is free, new connections wait. "
                    + "Raise LimitNOFILE= in the unit, or ulimit -n.")
        }
        return problems
    }

    /// Where clients connect, as they would write it.
    private var addresses: [String] {
        setup.listeners.map { Banner.url($0, isSecure: configuration.configuration.tls.isOn) }
    }

    /// Of the worker whose certificate ends first; they differ only while a new one is taken up.
    private var certificateWarning: String? {
        let ends = children.values.map(\.counters.tlsNotAfter).filter { $0 > 0 }
        return ends.min().flatMap { TLSExpiry.warning(notBefore: 0, notAfter: $0, now: Int(Clocks.wallSeconds())) }
    }

    func sample() -> StatsSample {
        let now = now()
        let snapshot = machine.snapshot(now: now)
        return StatsSample(
            time: Clocks.wallSeconds(), totals: totals(snapshot, now: now), processes: processes(snapshot, now: now))
    }

    func configurationEntries() -> [ConfigurationEntry] {
        configuration.entries.map {
            ConfigurationEntry(
                key: $0.key, value: $0.secret && !$0.value.isEmpty ? "********" : $0.value, source: $0.source,
                reloadable: $0.reloadable)
        }
    }

    /// Worker processes and empty slots by state, for the metrics: every state is there, be it with 0.
    func workersInState() -> [ProcessStatus.State: Int] {
        var counts: [ProcessStatus.State: Int] = [
            .starting: 0, .ready: 0, .draining: 0, .stopping: 0, .backoff: 0, .failed: 0,
        ]
        for process in machine.snapshot(now: now()).processes where process.slot.role == .worker {
            counts[ProcessStatus.State(process.state), default: 0] += 1
        }
        return counts
    }

    private func processes(_ snapshot: FleetSnapshot, now: MonotonicTime) -> [ProcessStatus] {
        var own = ProcessStatus(
            name: LogSource.supervisorName, state: machine.isStopping ? .stopping : .ready, pid: pid)
        own.version = WsdVersion.current
        own.uptime = (now - setup.startedAt).inSeconds
        own.cpu = ownUsage.rate(at: now).map { $0 * 100 }
        own.memory = ownResident ?? system.usage(of: pid)?.resident
        return [own] + snapshot.processes.map { process($0, now: now) }
    }

    private func process(_ snapshot: ProcessSnapshot, now: MonotonicTime) -> ProcessStatus {
        var status = ProcessStatus(
            name: snapshot.slot.description, worker: snapshot.slot.role == .worker ? snapshot.slot.number : nil,
            state: ProcessStatus.State(snapshot.state), pid: snapshot.pid, restarts: snapshot.restarts)
        status.version = snapshot.version
        status.uptime = snapshot.uptime?.inSeconds
        status.lastExit = snapshot.lastExit
        status.retryIn = snapshot.retryIn?.inSeconds
        status.memory = snapshot.memory
        status.memoryKills = snapshot.memoryKills > 0 ? snapshot.memoryKills : nil
        guard let child = snapshot.instance.flatMap({ children[$0] }) else { return status }
        status.memory = snapshot.memory ?? child.usage?.resident ?? system.usage(of: child.pid)?.resident
        status.cpu = child.cpu.rate(at: now).map { $0 * 100 }
        status.messagesInPerSecond = child.messagesIn.rate(at: now)
        status.messagesOutPerSecond = child.messagesOut.rate(at: now)
        status.counters = child.counters
        return status
    }

    /// Over all processes, the ended ones included.
    private func totals(_ snapshot: FleetSnapshot, now: MonotonicTime) -> ServiceTotals {
        var (workers, hubs) = (endedWorkers, endedHubs)
        var (received, sent, users) = (0.0, 0.0, 0)
        for child in children.values {
            switch child.slot.role {
            case .hub: hubs.add(child.counters)
            case .worker:
                workers.add(child.counters)
                users = max(users, child.counters.users)
                received += child.messagesIn.rate(at: now) ?? 0
                sent += child.messagesOut.rate(at: now) ?? 0
            }
        }
        var totals = ServiceTotals(workers: workers, hub: hubs, usersOfAWorker: users)
        (totals.messagesInPerSecond, totals.messagesOutPerSecond) = (received, sent)
        totals.restarts = snapshot.restarts
        totals.logLinesDropped &+= log.droppedInAll
        totals.traces = traces.count
        totals.traceEventsDropped &+= traceEventsDropped
        return totals
    }
}

extension ServiceStatus.Health {
    init(_ health: FleetSnapshot.Health) {
        switch health {
        case .ok: self = .ok
        case .degraded: self = .degraded
        case .starting: self = .starting
        case .stopping: self = .stopping
        }
    }
}

extension ProcessStatus.State {
    init(_ state: ProcessSnapshot.State) {
        switch state {
        case .starting: self = .starting
        case .ready: self = .ready
        case .draining: self = .draining
        case .stopping: self = .stopping
        case .backoff: self = .backoff
        case .failed: self = .failed
        case .stopped: self = .stopped
        }
    }
}
