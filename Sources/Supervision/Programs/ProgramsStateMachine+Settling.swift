internal import Model

// What follows from the state of the programs, whatever led to it.

extension ProgramsStateMachine {
    /// Takes every step that is possible now. Called after each input that may have changed something.
    mutating func settle(now: MonotonicTime) -> [ProgramAction] {
        var actions: [ProgramAction] = []
        rounds: for _ in 0..<ProgramLimits.settleRounds {
            var step: [ProgramAction] = []
            switch phase {
            case .idle, .ended:
                break rounds
            case .running:
                for index in programs.indices { step += advance(index, now: now) }
                step += tellFollowers()
                // Last of all: what starts is to find the rest as it stays.
                if step.isEmpty { for index in programs.indices { step += fill(index, now: now) } }
            case .stopping:
                step += endInTurn(now: now)
            }
            for index in programs.indices { step += keepHouse(index) }
            step += dropForgotten()
            guard !step.isEmpty else { break }
            actions += step
        }
        if remembers { actions.append(.remember) }
        remembers = false
        if case .running = phase, !hasSettled, programs.allSatisfy({ isSettled($0, now: now) }) {
            hasSettled = true
            actions.append(.settled)
        }
        return actions
    }

    // MARK: Steps

    /// Fills what is empty, as soon as what the program depends on is there.
    private mutating func fill(_ index: Int, now: MonotonicTime) -> [ProgramAction] {
        guard programs[index].isWanted, !programs[index].isForgotten else { return [] }
        programs[index].grow()
        let empty = (0..<programs[index].count).filter { programs[index].places[$0].isEmpty }
        guard !empty.isEmpty, obstacle(of: programs[index]) == nil else { return [] }
        let configuration = programs[index].configuration
        var actions: [ProgramAction] = []
        if programs[index].sockets != configuration.listen {
            // The old sockets may stand where the new ones are to be bound.
            guard !programs[index].isHolding else { return [] }
            if !programs[index].sockets.isEmpty { actions.append(.closeSockets(program: configuration.name)) }
            programs[index].sockets = configuration.listen
        }
        for place in empty {
            let instance = newInstance(programs[index].places[place].id)
            actions += programs[index].places[place].fill(instance, configuration, now: now)
        }
        return actions
    }

    private mutating func keepHouse(_ index: Int) -> [ProgramAction] {
        programs[index].shrink()
        let program = programs[index]
        let isRunning: Bool =
            switch phase {
            case .running: program.isWanted
            case .idle, .stopping, .ended: false
            }
        var actions: [ProgramAction] = []
        if !isRunning, !program.sockets.isEmpty, !program.isHolding {
            programs[index].sockets = []
            actions.append(.closeSockets(program: program.name))
        }
        let configuration = program.configuration
        let isWatched = isRunning && (!configuration.watch.isEmpty || configuration.cron != nil)
        switch (program.watched, isWatched) {
        case (nil, false):
            break
        case (let old?, true):
            if old.watches(like: configuration) { break }
            fallthrough
        case (nil, true):
            programs[index].watched = configuration
            actions.append(.watch(program: program.name, configuration))
        case (_?, false):
            programs[index].watched = nil
            actions.append(.watch(program: program.name, nil))
        }
        return actions
    }

    private mutating func dropForgotten() -> [ProgramAction] {
        let gone = programs.filter { $0.isForgotten && $0.operation == nil && !$0.isHolding }.map(\.name)
        guard !gone.isEmpty else { return [] }
        programs.removeAll { gone.contains($0.name) }
        return gone.map { .event(.removed($0)) }
    }

    /// Those that restart with a program, once it is complete again.
    private mutating func tellFollowers() -> [ProgramAction] {
        var actions: [ProgramAction] = []
        for index in programs.indices {
            let program = programs[index]
            guard program.places.contains(where: \.isRenewed), program.isProvided, program.operation == nil,
                program.pending == nil
            else { continue }
            for place in program.places.indices { programs[index].places[place].isRenewed = false }
            programs[index].causes = []
            for follower in programs.indices where follower != index {
                let other = programs[follower]
                guard other.configuration.restartsWith.contains(program.name), other.isWanted,
                    !program.causes.contains(other.name), other.places.contains(where: \.isOlder)
                else { continue }
                switch other.pending {
                case .reload: continue
                case .restart(let causes): programs[follower].pending = .restart(causes: causes.union([program.name]))
                case nil: programs[follower].pending = .restart(causes: program.causes.union([program.name]))
                }
                actions.append(.event(.restartsWith(other.name, program.name)))
            }
        }
        return actions
    }

    // MARK: Dependencies

    /// Why a program cannot start now.
    struct Obstacle {
        /// `waits for db, which is stopped`.
        var sentence: String
        /// It does not go away by itself, or perhaps never.
        var isLasting: Bool
    }

    func obstacle(of program: Program) -> Obstacle? {
        var seen: Set<String> = [program.name]
        return obstacle(of: program, &seen)
    }

    private func obstacle(of program: Program, _ seen: inout Set<String>) -> Obstacle? {
        var first: Obstacle?
        for name in program.configuration.dependsOn {
            guard let found = obstacle(in: name, &seen) else { continue }
            // One that lasts is what a person wants to hear of.
            if found.isLasting { return found }
            first = first ?? found
        }
        return first
    }

    private func obstacle(in name: String, _ seen: inout Set<String>) -> Obstacle? {
        guard let other = programs.first(where: { $0.name == name && !$0.isForgotten }) else {
            return Obstacle(sentence: "waits for \(name), but there is no such program", isLasting: true)
        }
        if other.isProvided { return nil }
        if !other.isWanted { return Obstacle(sentence: "waits for \(name), which is stopped", isLasting: true) }
        if other.hasFailed { return Obstacle(sentence: "waits for \(name), which has failed", isLasting: true) }
        if let place = other.struggling {
            let exit = place.lastExit.map { " (\($0))" } ?? ""
            return Obstacle(sentence: "waits for \(name), which does not become ready\(exit)", isLasting: true)
        }
        guard seen.insert(name).inserted, let deeper = obstacle(of: other, &seen) else {
            return Obstacle(sentence: "waits for \(name), which is not ready yet", isLasting: false)
        }
        return Obstacle(
            sentence: "waits for \(name), which \(deeper.sentence)", isLasting: deeper.isLasting)
    }

    /// What a program needs is wanted with it. Programs that something is being done with are left alone.
    mutating func wantDependencies(of name: String, now: MonotonicTime) -> (started: [String], actions: [ProgramAction])
    {
        var started: [String] = []
        var actions: [ProgramAction] = []
        var seen: Set<String> = [name]
        var queue = index(name).map { programs[$0].configuration.dependsOn } ?? []
        while let next = queue.popLast() {
            guard seen.insert(next).inserted, let index = index(next), programs[index].operation == nil,
                !programs[index].isForgotten
            else { continue }
            queue += programs[index].configuration.dependsOn
            let failed = programs[index].places.filter(\.hasFailed).map(\.id.number)
            guard !programs[index].isWanted || !failed.isEmpty else { continue }
            started.append(next)
            setWanted(index, true)
            actions += programs[index].clear(failed, now: now)
        }
        return (started, actions)
    }

    mutating func setWanted(_ index: Int, _ isWanted: Bool) {
        guard programs[index].isWanted != isWanted else { return }
        programs[index].isWanted = isWanted
        if programs[index].origin == .runTime { remembers = true }
    }

    /// Nobody waits for it with the start of the service any more.
    private func isSettled(_ program: Program, now: MonotonicTime) -> Bool {
        guard program.isWanted, !program.isForgotten else { return true }
        let obstacle = obstacle(of: program)
        return program.places.count >= program.count
            && program.places.prefix(program.count).allSatisfy { place in
                place.isReady || place.isFinished || place.hasFailed
                    || place.unstableEnds >= ProgramLimits.patientAttempts || place.rests(beyond: now)
                    || (place.isEmpty && (obstacle?.isLasting ?? false))
            }
    }
}

extension ProgramPlace {
    /// Its next start is so far away that the start of the service does not wait for it.
    fileprivate func rests(beyond now: MonotonicTime) -> Bool {
        guard case .backoff(let until, _) = state else { return false }
        return until - now > ProgramLimits.patientDelay
    }

    /// What it holds, or gave up, was started before now.
    var isOlder: Bool {
        switch state {
        case .starting, .ready, .replacing, .failed: true
        case .empty, .ending, .backoff, .finished: false
        }
    }
}
