package import Model

// What an operator may ask for. One operation at a time on each program; a stop or a deletion pre-empts the others.

extension ProgramsStateMachine {
    /// `wsctl start -- …`: a program that is not known yet.
    package mutating func addRequested(_ definition: ProgramDefinition, now: MonotonicTime) -> ProgramResponse {
        let configuration = definition.configuration
        let name = configuration.name
        guard case .running = phase else { return .refused(.stopping) }
        if let known = programs.first(where: { $0.name == name }) {
            if known.isForgotten, let running = known.operation {
                return .refused(.busy(program: name, running.operation))
            }
            return .refused(.exists(name))
        }
        if let sentence = impossibility(configuration) { return .refused(.impossible(sentence)) }
        var actions = noteTime(now)
        var taken = Set(programs.map(\.number))
        let number =
            definition.number.flatMap { $0 > 0 && !taken.contains($0) ? $0 : nil } ?? Self.freeNumber(&taken)
        add(Program(definition, number: number, cores: cores))
        actions.append(.event(.added(name)))
        if definition.origin == .runTime { remembers = true }
        let id = newOperation()
        guard definition.isWanted else {
            let sentence = "\(name) is known now. Start it with `wsctl start \(name)`."
            return .accepted(id, actions + [.operationFinished(id, .succeeded(sentence))] + settle(now: now))
        }
        let numbers = Array(1...Program.count(configuration, cores: cores))
        actions += begin(.start, id, name, .settling(numbers), now: now)
        return .accepted(id, actions + settle(now: now))
    }

    private func impossibility(_ configuration: ProgramConfiguration) -> String? {
        let name = configuration.name
        guard ProgramConfiguration.isName(name) else {
            return
                "“\(LastWords.shortened(name))” cannot be the name of a program: letters, digits, “.”, “_” and “-” only, "
                + "at most 64, not digits alone, and no word that means something else (`all`, `workers`, …)."
        }
        guard !configuration.command.isEmpty else { return "\(name) has no command to run." }
        for (key, others) in [
            ("dependsOn", configuration.dependsOn), ("restartsWith", configuration.restartsWith),
        ] {
            if others.contains(name) { return "\(name) names itself in \(key)." }
            let unknown = others.first { other in !programs.contains { $0.name == other && !$0.isForgotten } }
            if let unknown { return "\(name) names “\(unknown)” in \(key), but there is no such program." }
        }
        guard programs.count < ProgramLimits.programs else {
            return "There are \(programs.count) programs already, which is the limit."
        }
        return nil
    }

    /// Starts what is stopped, has finished or has failed, and what it depends on.
    package mutating func startRequested(_ program: String, now: MonotonicTime) -> ProgramResponse {
        request(program, .start, now: now) { machine, index, id in
            let wasReady = machine.programs[index].isWanted && machine.programs[index].places.allSatisfy(\.isReady)
            machine.setWanted(index, true)
            let places = machine.programs[index].places
            let again = places.filter { $0.startsAnew }.map(\.id.number)
            for place in places.indices { machine.programs[index].places[place].failure = nil }
            let numbers = Array(1...machine.programs[index].count)
            var actions = machine.begin(.start, id, program, .settling(numbers), now: now)
            actions += machine.programs[index].clear(again, now: now)
            if wasReady {
                let count = Self.processes(machine.programs[index].count)
                machine.programs[index].operation?.idleSentence = "\(program) runs already (\(count))."
            }
            return actions
        }
    }

    /// Pre-empts everything but another stop.
    package mutating func stopRequested(_ program: String, now: MonotonicTime) -> ProgramResponse {
        request(program, .stop, now: now) { machine, index, id in
            let wasStopped = !machine.programs[index].isWanted && !machine.programs[index].isHolding
            machine.setWanted(index, false)
            machine.programs[index].causes = []
            var actions = machine.callOff(index, because: "stop was asked for")
            actions += machine.begin(.stop, id, program, .emptying, now: now)
            if wasStopped { machine.programs[index].operation?.idleSentence = "\(program) is stopped already." }
            return actions + machine.programs[index].clear(now: now)
        }
    }

    /// Stop, then start; what is stopped is started.
    package mutating func restartRequested(_ target: ProgramTarget, now: MonotonicTime) -> ProgramResponse {
        if let refusal = refusal(target) { return .refused(refusal) }
        return request(target.program, .restart(number: target.number), now: now) { machine, index, id in
            machine.setWanted(index, true)
            machine.programs[index].causes = []
            let actions = machine.startDependencies(of: target.program, id, now: now)
            return actions + machine.beginRestart(index, id: id, number: target.number, now: now)
        }
    }

    /// One process after the other.
    package mutating func reloadRequested(_ program: String, now: MonotonicTime) -> ProgramResponse {
        if let index = index(program), !programs[index].isWanted, !programs[index].isForgotten, case .running = phase {
            return .refused(.notRunning(program))
        }
        return request(program, .reload, now: now) { machine, index, id in
            machine.programs[index].causes = []
            let actions = machine.startDependencies(of: program, id, now: now)
            return actions + machine.beginReload(index, id: id, now: now)
        }
    }

    package mutating func scaleRequested(_ program: String, to count: Int, now: MonotonicTime) -> ProgramResponse {
        guard (1...ProgramConfiguration.maxInstances).contains(count) else {
            let range = "choose 1 to \(ProgramConfiguration.maxInstances)"
            let stop = count == 0 ? ", or `wsctl stop \(program)`" : ""
            return .refused(.impossible("\(count) processes are not possible: \(range)\(stop)."))
        }
        return request(program, .scale(to: count), now: now) { machine, index, id in
            let before = machine.programs[index].count
            machine.programs[index].count = count
            machine.programs[index].configuration.instances = count
            if machine.programs[index].origin == .runTime, count != before { machine.remembers = true }
            machine.programs[index].grow()
            let new = before < count ? Array(before + 1...count) : []
            let stage: RunningProgramOperation.Stage = new.isEmpty ? .emptying : .settling(new)
            guard machine.programs[index].isWanted else {
                machine.programs[index].shrink()
                machine.programs[index].operation = RunningProgramOperation(
                    id: id, operation: .scale(to: count), stage: .emptying,
                    idleSentence: "\(program) is stopped; \(Self.processes(count)) from its next start on.")
                return []
            }
            let actions = machine.begin(.scale(to: count), id, program, stage, now: now)
            let leaving = count < before ? Array(count + 1...before) : []
            return actions + machine.programs[index].clear(leaving, now: now)
        }
    }

    /// Stops and forgets a program that was started at run time. Pre-empts everything but another deletion.
    package mutating func deleteRequested(_ program: String, now: MonotonicTime) -> ProgramResponse {
        if case .running = phase, let index = index(program), !programs[index].isForgotten {
            switch programs[index].origin {
            case .file: return .refused(.inConfiguration(program))
            case .runTime: break
            }
            let dependants = programs.filter { $0.configuration.dependsOn.contains(program) && !$0.isForgotten }
            if !dependants.isEmpty { return .refused(.needed(program, by: dependants.map(\.name))) }
        }
        return request(program, .delete, now: now) { machine, index, id in
            var actions = machine.callOff(index, because: "delete was asked for")
            actions += machine.forget(index, id, now: now)
            return actions
        }
    }

    /// To the main processes; finishes at once.
    package mutating func signalRequested(
        _ target: ProgramTarget, _ signal: Int32, now: MonotonicTime
    ) -> ProgramResponse {
        if let refusal = refusal(target) { return .refused(refusal) }
        guard case .running = phase else { return .refused(.stopping) }
        guard let index = index(target.program) else { return .refused(.unknown(target.program)) }
        let actions = noteTime(now)
        let processes = programs[index].places.filter { target.number == nil || $0.id.number == target.number }
            .flatMap { place in place.processes + [place.departing].compactMap { $0 } }
            .filter(\.canBeSignalled)
        guard !processes.isEmpty else { return .refused(.notRunning(target.program)) }
        let id = newOperation()
        let sentence =
            "\(ProcessExit.name(ofSignal: signal)) sent to \(Self.processes(processes.count)) of \(target.program)."
        return .accepted(
            id,
            actions + processes.map { .signal($0.instance, signal) } + [.operationFinished(id, .succeeded(sentence))]
                + settle(now: now))
    }

    /// Counts of restarts start anew, and what has failed is started again if it is wanted; finishes at once.
    package mutating func resetRequested(_ program: String, now: MonotonicTime) -> ProgramResponse {
        guard case .running = phase else { return .refused(.stopping) }
        guard let index = index(program), !programs[index].isForgotten else { return .refused(.unknown(program)) }
        let actions = noteTime(now)
        for place in programs[index].places.indices { programs[index].places[place].reset() }
        let id = newOperation()
        let finished = ProgramAction.operationFinished(id, .succeeded("The counts of \(program) start anew."))
        return .accepted(id, actions + [finished] + settle(now: now))
    }

    // MARK: Helpers

    private func refusal(_ target: ProgramTarget) -> ProgramRefusal? {
        guard case .running = phase, let number = target.number, let index = index(target.program) else { return nil }
        guard (1...programs[index].count).contains(number) else {
            return .noSuchProcess(ProgramProcessID(program: target.program, number: number))
        }
        return programs[index].isWanted ? nil : .notRunning(target.program)
    }

    private mutating func request(
        _ name: String, _ operation: ProgramOperation, now: MonotonicTime,
        _ begin: (inout ProgramsStateMachine, Int, ProgramOperationID) -> [ProgramAction]
    ) -> ProgramResponse {
        guard case .running = phase else { return .refused(.stopping) }
        guard let index = index(name) else { return .refused(.unknown(name)) }
        if let running = programs[index].operation, !operation.preempts(running.operation) {
            return .refused(.busy(program: name, running.operation))
        }
        // It goes already, because the configuration says so no longer.
        if programs[index].isForgotten { return .refused(.unknown(name)) }
        var actions = noteTime(now)
        let id = newOperation()
        actions += begin(&self, index, id)
        return .accepted(id, actions + settle(now: now))
    }

    /// The operation is the one that runs; what it needs is started with it.
    private mutating func begin(
        _ operation: ProgramOperation, _ id: ProgramOperationID, _ name: String,
        _ stage: RunningProgramOperation.Stage, now: MonotonicTime
    ) -> [ProgramAction] {
        guard let index = index(name) else { return [] }
        programs[index].operation = RunningProgramOperation(id: id, operation: operation, stage: stage)
        switch stage {
        case .settling: return startDependencies(of: name, id, now: now)
        case .rolling, .emptying: return []
        }
    }

    private mutating func startDependencies(
        of name: String, _ id: ProgramOperationID, now: MonotonicTime
    ) -> [ProgramAction] {
        let (started, actions) = wantDependencies(of: name, now: now)
        return started.map { .operationProgress(id, "\($0) is started, too: \(name) depends on it") } + actions
    }

    /// It ends and is known no longer.
    mutating func forget(_ index: Int, _ id: ProgramOperationID?, now: MonotonicTime) -> [ProgramAction] {
        if programs[index].origin == .runTime { remembers = true }
        programs[index].isForgotten = true
        programs[index].isWanted = false
        programs[index].pending = nil
        programs[index].operation = RunningProgramOperation(id: id, operation: .delete, stage: .emptying)
        return programs[index].clear(now: now)
    }
}

extension ProgramOperation {
    fileprivate func preempts(_ running: ProgramOperation) -> Bool {
        switch (self, running) {
        case (.stop, .start), (.stop, .restart), (.stop, .reload), (.stop, .scale): true
        case (.delete, .start), (.delete, .restart), (.delete, .reload), (.delete, .scale), (.delete, .stop): true
        case (.stop, .stop), (.stop, .delete), (.delete, .delete): false
        case (.start, _), (.restart, _), (.reload, _), (.scale, _): false
        }
    }
}

extension ProgramPlace {
    /// A start asked for does not leave it as it is.
    fileprivate var startsAnew: Bool {
        switch state {
        case .backoff, .failed, .finished, .ending: true
        case .empty, .starting, .ready, .replacing: false
        }
    }
}

extension ProgramProcess {
    fileprivate var canBeSignalled: Bool {
        switch end {
        case nil, .asked: true
        case .killed, .swept: false
        }
    }
}
