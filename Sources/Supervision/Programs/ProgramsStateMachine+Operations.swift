internal import Model

// The steps of the operations that run.

extension ProgramsStateMachine {
    /// Begins what is pending, or takes the operation one step further.
    mutating func advance(_ index: Int, now: MonotonicTime) -> [ProgramAction] {
        let told = tellStart(index)
        guard let running = programs[index].operation else { return beginPending(index, now: now) }
        switch running.stage {
        case .settling(let numbers): return told + settling(index, running, numbers, now: now)
        case .rolling(let pending, let current): return told + rolling(index, running, pending, current, now: now)
        case .emptying: return told + emptying(index, running, now: now)
        }
    }

    private mutating func tellStart(_ index: Int) -> [ProgramAction] {
        guard let running = programs[index].operation, !running.isTold else { return [] }
        programs[index].operation?.isTold = true
        return [.event(.operationStarted(programs[index].name, running.operation))]
    }

    private mutating func beginPending(_ index: Int, now: MonotonicTime) -> [ProgramAction] {
        guard let pending = programs[index].pending else { return [] }
        programs[index].pending = nil
        guard programs[index].isWanted else { return [] }
        switch pending {
        case .restart(let causes):
            programs[index].causes = causes
            return beginRestart(index, id: nil, number: nil, now: now) + advance(index, now: now)
        case .reload:
            return beginReload(index, id: nil, now: now) + advance(index, now: now)
        }
    }

    mutating func beginRestart(
        _ index: Int, id: ProgramOperationID?, number: Int?, now: MonotonicTime
    ) -> [ProgramAction] {
        let numbers = number.map { [$0] } ?? Array(1...programs[index].count)
        programs[index].operation = RunningProgramOperation(
            id: id, operation: .restart(number: number), stage: .settling(numbers))
        return programs[index].clear(numbers, now: now)
    }

    mutating func beginReload(_ index: Int, id: ProgramOperationID?, now: MonotonicTime) -> [ProgramAction] {
        let program = programs[index]
        let numbers = Array(1...program.count)
        // Sockets elsewhere cannot be bound as long as an old process may hold them: all end first.
        let moves = program.configuration.listen != program.sockets && program.isHolding
        programs[index].operation = RunningProgramOperation(
            id: id, operation: .reload, stage: moves ? .settling(numbers) : .rolling(pending: numbers, current: nil))
        return moves ? programs[index].clear(now: now) : []
    }

    // MARK: Settling

    private mutating func settling(
        _ index: Int, _ running: RunningProgramOperation, _ numbers: [Int], now: MonotonicTime
    ) -> [ProgramAction] {
        let program = programs[index]
        var actions: [ProgramAction] = []
        var isComplete = true
        for number in numbers where number <= program.count {
            // A place that is still to be made.
            guard number <= program.places.count else {
                isComplete = false
                continue
            }
            let place = program.places[number - 1]
            if let failure = failureSentence(place, program, now: now) {
                return actions + finish(index, .failed(failure))
            }
            if place.isFinished || (running.wantsProof ? place.isProven(now: now) : place.isReady) {
                actions += report(index, place)
            } else {
                isComplete = false
            }
        }
        guard isComplete else { return actions }
        return actions + finish(index, .succeeded(successSentence(programs[index], running, numbers)))
    }

    /// Why a place will not have a ready process soon; `nil`: it may.
    private func failureSentence(_ place: ProgramPlace, _ program: Program, now: MonotonicTime) -> String? {
        if let failure = place.failure { return "\(place.id) \(failure); \(place.outlook(now: now))." }
        switch place.state {
        case .failed(let why, let reason), .ending(_, .failed(let why, let reason)):
            return "\(place.id) \(reason); it is given up \(why)."
        case .empty:
            guard let obstacle = obstacle(of: program), obstacle.isLasting else { return nil }
            return "\(program.name) \(obstacle.sentence); it is started as soon as that is ready."
        case .starting, .ready, .replacing, .ending, .backoff, .finished:
            return nil
        }
    }

    private func successSentence(_ program: Program, _ running: RunningProgramOperation, _ numbers: [Int]) -> String {
        if let sentence = running.idleSentence { return sentence }
        let places = numbers.filter { $0 <= program.places.count }.map { program.places[$0 - 1] }
        if let place = places.first, places.allSatisfy(\.isFinished) {
            return "\(program.name) has finished (\(place.lastExit ?? "as it may"))."
        }
        return switch running.operation {
        case .restart(let number?): "\(program.name):\(number) is ready."
        case .scale: "\(program.name) has \(Self.processes(program.count))."
        case .reload: "\(program.name) is reloaded (\(Self.processes(program.count)))."
        case .start, .stop, .restart(nil), .delete: "\(program.name) is ready (\(Self.processes(program.count)))."
        }
    }

    static func processes(_ count: Int) -> String { count == 1 ? "1 process" : "\(count) processes" }

    private mutating func report(_ index: Int, _ place: ProgramPlace) -> [ProgramAction] {
        guard let running = programs[index].operation, !running.reported.contains(place.id.number) else { return [] }
        programs[index].operation?.reported.append(place.id.number)
        guard let id = running.id, running.idleSentence == nil else { return [] }
        let pid = place.processes.last?.pid.map { " (pid \($0))" } ?? ""
        let text = place.isFinished ? "has finished" : "is ready\(pid)"
        return [.operationProgress(id, "\(place.id) \(text)")]
    }

    // MARK: Rolling

    private mutating func rolling(
        _ index: Int, _ running: RunningProgramOperation, _ pending: [Int], _ current: Int?, now: MonotonicTime
    ) -> [ProgramAction] {
        let program = programs[index]
        let pending = pending.filter { $0 <= program.count }
        if let current, current <= program.count {
            guard current <= program.places.count else { return [] }
            let place = program.places[current - 1]
            if let failure = failureSentence(place, program, now: now) {
                let rest = pending.isEmpty ? "" : " The others were not touched."
                return finish(index, .failed("\(failure) The reload is aborted.\(rest)"))
            }
            switch place.state {
            case .ready: guard place.isProven(now: now) else { return [] }
            case .finished: break
            case .empty, .starting, .replacing, .ending, .backoff, .failed: return []
            }
            programs[index].operation?.stage = .rolling(pending: pending, current: nil)
            let actions = report(index, place)
            return actions + rolling(index, running, pending, nil, now: now)
        }
        guard let next = pending.first else {
            // What was replaced is waited for: then nothing of the past is left.
            guard !program.places.contains(where: { $0.departing != nil }) else { return [] }
            return finish(index, .succeeded("\(program.name) is reloaded (\(Self.processes(program.count)))."))
        }
        guard next <= program.places.count else { return [] }
        // What was replaced there before is still ending.
        guard program.places[next - 1].departing == nil else { return [] }
        programs[index].operation?.stage = .rolling(pending: Array(pending.dropFirst()), current: next)
        return replace(index, next, running, now: now)
    }

    private mutating func replace(
        _ index: Int, _ number: Int, _ running: RunningProgramOperation, now: MonotonicTime
    ) -> [ProgramAction] {
        let program = programs[index]
        let place = program.places[number - 1]
        let listen = program.configuration.listen
        let overlaps = place.canOverlap && !listen.isEmpty && listen == program.sockets
        var actions: [ProgramAction] = []
        if let id = running.id {
            let text = overlaps ? "gets a successor" : place.isHolding ? "is restarted" : "is started"
            actions.append(.operationProgress(id, "\(place.id) \(text)"))
        }
        programs[index].places[number - 1].failure = nil
        guard overlaps else { return actions + programs[index].places[number - 1].clear(now: now) }
        let instance = newInstance(place.id)
        return actions
            + programs[index].places[number - 1].replace(
                with: instance, program.configuration, counts: false, now: now)
    }

    // MARK: Emptying

    private mutating func emptying(
        _ index: Int, _ running: RunningProgramOperation, now: MonotonicTime
    ) -> [ProgramAction] {
        let program = programs[index]
        let leaving = program.isWanted ? program.places.dropFirst(program.count) : program.places[...]
        guard !leaving.contains(where: \.isHolding) else { return [] }
        let sentence =
            switch running.operation {
            case .scale(let count): "\(program.name) has \(Self.processes(count))."
            case .delete: "\(program.name) is stopped and forgotten."
            case .stop, .start, .restart, .reload: "\(program.name) is stopped."
            }
        return finish(index, .succeeded(running.idleSentence ?? sentence))
    }

    // MARK: Ends

    mutating func finish(_ index: Int, _ result: OperationResult) -> [ProgramAction] {
        let told = tellStart(index)
        guard let running = programs[index].operation else { return [] }
        programs[index].operation = nil
        let event = ProgramAction.event(.operationFinished(programs[index].name, running.operation, result))
        return told + (running.id.map { [.operationFinished($0, result)] } ?? []) + [event]
    }

    /// Something else is to be done, and does not wait.
    mutating func callOff(_ index: Int, because reason: String) -> [ProgramAction] {
        programs[index].pending = nil
        return finish(index, .failed("\(programs[index].name): called off: \(reason)."))
    }
}
