package import Model

// The view from outside.

extension ProgramsStateMachine {
    /// By number.
    package func snapshots(now: MonotonicTime) -> [ProgramSnapshot] {
        programs.map { snapshot($0, now: now) }
    }

    /// Some program is kept from running as it is to, or has not shown yet that it does so again.
    package func isDegraded(now: MonotonicTime) -> Bool {
        programs.contains { $0.places.contains { $0.isStruggling(now: now) } }
    }

    private func snapshot(_ program: Program, now: MonotonicTime) -> ProgramSnapshot {
        let isRunning: Bool =
            switch phase {
            case .running: program.isWanted
            case .idle, .stopping, .ended: false
            }
        let processes = program.places.flatMap { rows($0, isWanted: isRunning, now: now) }
        return ProgramSnapshot(
            definition: program.definition, number: program.number,
            state: processes.map(\.state).min { $0.rank < $1.rank } ?? .stopped,
            operation: program.operation?.operation, wanted: isRunning ? program.count : 0,
            processes: processes, problems: problems(program, isWanted: isRunning, now: now)
        )
    }

    // MARK: Problems

    private func problems(_ program: Program, isWanted: Bool, now: MonotonicTime) -> [String] {
        var sentences: [String] = []
        if isWanted, program.places.contains(where: \.isEmpty), let obstacle = obstacle(of: program) {
            sentences.append("\(program.name) \(obstacle.sentence).")
        }
        sentences += program.places.compactMap { problem($0, program, now: now) }
        let isOutdated = program.places.contains { place in
            place.isReady && place.processes.contains { !$0.configuration.launches(like: program.configuration) }
        }
        if isOutdated, program.operation == nil, program.pending == nil {
            sentences.append(
                "\(program.name) runs with its former settings: its reload was aborted. "
                    + "Try again with `wsctl reload \(program.name)`.")
        }
        return sentences
    }

    private func problem(_ place: ProgramPlace, _ program: Program, now: MonotonicTime) -> String? {
        switch place.state {
        case .backoff(let until, let reason):
            return unstable(place, program, "\(reason); \(ProgramPlace.retry(in: until - now))")
        case .failed(let why, let reason):
            return "\(place.id) is given up \(why); the last time it \(reason). "
                + "See why with `wsctl logs \(program.name)`; when the cause is gone: `wsctl start \(program.name)`."
        case .starting, .ready:
            guard place.isStruggling(now: now), let reason = place.lastExit else { return nil }
            return unstable(place, program, "\(reason); it has just been started again")
        case .empty, .replacing, .ending, .finished:
            return nil
        }
    }

    /// With the advice to look into it from the second unstable end on.
    private func unstable(_ place: ProgramPlace, _ program: Program, _ what: String) -> String {
        guard place.unstableEnds > 1 else { return "\(place.id) \(what)." }
        return "\(place.id) \(what) (unstable end \(place.unstableEnds) in a row; it is given up after "
            + "\(program.configuration.backoff.maxUnstable)). See why with `wsctl logs \(program.name)`."
    }

    // MARK: Processes

    private func rows(_ place: ProgramPlace, isWanted: Bool, now: MonotonicTime) -> [ProgramSnapshot.Process] {
        let departing = place.departing.map { [row(place, .stopping, $0, now: now)] } ?? []
        switch place.state {
        case .empty:
            return departing + [row(place, isWanted ? .waiting : .stopped, nil, now: now)]
        case .starting(let process):
            return departing + [row(place, .starting, process, now: now)]
        case .ready(let process):
            var ready = row(place, .ready, process, now: now)
            ready.isOnProbation = place.isOnProbation(now: now)
            return departing + [ready]
        case .replacing(let old, let successor):
            return departing + [row(place, .ready, old, now: now), row(place, .starting, successor, now: now)]
        case .ending(let process, _):
            return departing + [row(place, .stopping, process, now: now)]
        case .backoff(let until, _):
            var waiting = row(place, .backoff, nil, now: now)
            waiting.retryIn = max(until - now, .zero)
            return departing + [waiting]
        case .failed:
            return departing + [row(place, .failed, nil, now: now)]
        case .finished:
            return departing + [row(place, .finished, nil, now: now)]
        }
    }

    private func row(
        _ place: ProgramPlace, _ state: ProgramSnapshot.State, _ process: ProgramProcess?, now: MonotonicTime
    ) -> ProgramSnapshot.Process {
        var row = ProgramSnapshot.Process(number: place.id.number, state: state, restarts: place.restarts)
        row.instance = process?.instance
        row.pid = process?.pid
        row.uptime = process.map { max(now - $0.spawnedAt, .zero) }
        row.lastExit = place.lastExit
        row.memory = process?.memory
        row.statusText = process?.statusText
        return row
    }
}

extension ProgramSnapshot.State {
    /// What a program's state is taken from first.
    fileprivate var rank: Int {
        switch self {
        case .failed: 0
        case .backoff: 1
        case .waiting: 2
        case .starting: 3
        case .stopping: 4
        case .ready: 5
        case .finished: 6
        case .stopped: 7
        }
    }
}
