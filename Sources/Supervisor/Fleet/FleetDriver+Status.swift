internal import ConfigurationFile
import LinuxSystem
import Model
import Supervision
import Wire

extension FleetDriver {
    func status() -> ServiceStatus {
        let now = now()
        var snapshot = machine.snapshot(now: now)
        if let problem = log.problem {
            snapshot.problems.append(problem)
            if snapshot.health == .ok { snapshot.health = .degraded }
        }
        return ServiceStatus(
            version: WsdVersion.current, pid: pid, mode: configuration.configuration.mode,
            health: ServiceStatus.Health(snapshot.health), problems: snapshot.problems,
            uptime: (now - setup.startedAt).inSeconds, addresses: setup.addresses, controlSocket: setup.controlSocket,
            configurationFile: configuration.file, operation: snapshot.operation?.description,
            underSystemd: setup.underSystemd, workersWanted: snapshot.workersWanted,
            processes: processes(snapshot, now: now),
            totals: totals(snapshot, now: now))
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
