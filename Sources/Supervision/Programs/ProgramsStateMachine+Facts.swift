package import Model

// What the driver reports.

extension ProgramsStateMachine {
    /// Its command runs: it has been executed.
    package mutating func spawned(_ instance: InstanceID, pid: Int32, now: MonotonicTime) -> [ProgramAction] {
        fact(instance, now) { place, _ in place.spawned(instance, pid: pid, now: now) }
    }

    /// It could not be spawned, or its command not be executed: an unstable end. Nothing of it lives; neither `exited` nor
    /// `treeGone` need follow.
    package mutating func spawnFailed(
        _ instance: InstanceID, reason: String, now: MonotonicTime
    ) -> [ProgramAction] {
        let id = places[instance]
        places[instance] = nil
        return fact(instance, at: id, now) { place, random in
            place.spawnFailed(instance, reason: reason, now: now, random: &random)
        }
    }

    /// The main process has ended.
    package mutating func exited(_ instance: InstanceID, _ exit: ProcessExit, now: MonotonicTime) -> [ProgramAction] {
        if let id = places[instance], place(id)?.process(instance) == nil {
            // Nobody waits for it any more, but what it left behind has to go.
            return noteTime(now) + [.sweepTree(instance)]
        }
        return fact(instance, now) { place, random in place.exited(instance, exit, now: now, random: &random) }
    }

    /// Nothing is left of a process that has `exited`: only now may its place be filled again.
    package mutating func treeGone(_ instance: InstanceID, now: MonotonicTime) -> [ProgramAction] {
        guard let id = places[instance] else { return noteTime(now) }
        let actions = fact(instance, now) { place, _ in place.treeGone(instance, now: now) }
        // It came before the end of the main process, and means nothing then.
        if place(id)?.process(instance) == nil { places[instance] = nil }
        return actions
    }

    /// - Parameter failure: in words; `nil`: success.
    package mutating func probed(_ instance: InstanceID, failure: String?, now: MonotonicTime) -> [ProgramAction] {
        fact(instance, now) { place, random in
            place.probed(instance, failure: failure, now: now, random: &random)
        }
    }

    /// READY=1, or the text of its readiness was in its output.
    package mutating func saidReady(_ instance: InstanceID, now: MonotonicTime) -> [ProgramAction] {
        fact(instance, now) { place, _ in place.saidReady(instance, now: now) }
    }

    package mutating func saidStatus(_ instance: InstanceID, _ text: String, now: MonotonicTime) -> [ProgramAction] {
        let actions = noteTime(now)
        change(instance) { $0.saidStatus(instance, text) }
        return actions
    }

    /// The latest line of its standard error: part of the reason when it ends badly.
    package mutating func lastLine(_ instance: InstanceID, _ line: String) {
        change(instance) { $0.lastLine(instance, line) }
    }

    /// Resident bytes of a process and its descendants; about once a second.
    package mutating func measured(_ instance: InstanceID, memory: Int, now: MonotonicTime) -> [ProgramAction] {
        let actions = noteTime(now)
        guard let id = places[instance], let index = index(id.program), let place = place(id) else { return actions }
        var verdict = ProgramPlace.MemoryVerdict.fine
        change(instance) { verdict = $0.measured(instance, memory: memory, now: now) }
        switch verdict {
        case .fine: return actions
        case .exceeded(let isStable):
            return actions + recycle(place.id, instance, at: index, isStable: isStable, now: now) + settle(now: now)
        }
    }

    /// Something of what is watched has changed, and has been quiet since.
    package mutating func filesChanged(_ program: String, _ path: String, now: MonotonicTime) -> [ProgramAction] {
        restartByItself(program, .filesChanged(program, path: path), now: now)
    }

    /// A time of its `cron` has come.
    package mutating func cronDue(_ program: String, now: MonotonicTime) -> [ProgramAction] {
        restartByItself(program, .cron(program), now: now)
    }

    package mutating func timePassed(now: MonotonicTime) -> [ProgramAction] {
        var actions = noteTime(now)
        for program in programs.indices {
            for place in programs[program].places.indices {
                actions += programs[program].places[place].timePassed(now: now, random: &random)
            }
        }
        return actions + settle(now: now)
    }

    // MARK: Helpers

    private func place(_ id: ProgramProcessID) -> ProgramPlace? {
        guard let program = index(id.program), programs[program].places.indices.contains(id.number - 1) else {
            return nil
        }
        return programs[program].places[id.number - 1]
    }

    private mutating func change(_ instance: InstanceID, _ body: (inout ProgramPlace) -> Void) {
        guard let id = places[instance], let program = index(id.program),
            programs[program].places.indices.contains(id.number - 1)
        else { return }
        body(&programs[program].places[id.number - 1])
    }

    private mutating func fact(
        _ instance: InstanceID, _ now: MonotonicTime,
        _ body: (inout ProgramPlace, inout SplitMix64) -> [ProgramAction]
    ) -> [ProgramAction] {
        fact(instance, at: places[instance], now, body)
    }

    private mutating func fact(
        _ instance: InstanceID, at id: ProgramProcessID?, _ now: MonotonicTime,
        _ body: (inout ProgramPlace, inout SplitMix64) -> [ProgramAction]
    ) -> [ProgramAction] {
        var actions = noteTime(now)
        guard let id, let program = index(id.program), programs[program].places.indices.contains(id.number - 1) else {
            return actions
        }
        actions += body(&programs[program].places[id.number - 1], &random)
        return actions + settle(now: now)
    }

    /// A gap since the last input means that the supervisor itself did not run: nobody answers for that time.
    mutating func noteTime(_ now: MonotonicTime) -> [ProgramAction] {
        let last = lastInputAt ?? now
        lastInputAt = max(last, now)
        let lateness = now - last
        guard lateness > FleetLimits.lateness else { return [] }
        for program in programs.indices {
            for place in programs[program].places.indices { programs[program].places[place].excuse(lateness) }
        }
        return []
    }

    /// In tenths, rounded up: what is above a limit does not look like it.
    private func mebibytes(_ bytes: Int) -> String {
        let tenths = (bytes &* 10 &+ 1_048_575) / 1_048_576
        return tenths % 10 == 0 ? "\(tenths / 10) MiB" : "\(tenths / 10).\(tenths % 10) MiB"
    }

    /// Above `maxMemory`: a successor takes over where it can; otherwise it ends, and the restart policy decides.
    private mutating func recycle(
        _ id: ProgramProcessID, _ instance: InstanceID, at index: Int, isStable: Bool, now: MonotonicTime
    ) -> [ProgramAction] {
        let program = programs[index]
        guard case .running = phase, let process = program.places[id.number - 1].process(instance) else { return [] }
        let place = program.places[id.number - 1]
        let event = ProgramAction.event(.memoryExceeded(id, process))
        guard isStable, !program.configuration.listen.isEmpty, program.configuration.listen == program.sockets else {
            let limit = process.configuration.maxMemory
            let reason = "used \(mebibytes(process.memory ?? 0)) of memory, more than maxMemory (\(mebibytes(limit)))"
            return [event] + programs[index].places[id.number - 1].replaceUnwell(instance, reason: reason, now: now)
        }
        guard place.canOverlap, now >= place.recycleNotBefore ?? now else { return [] }
        programs[index].places[id.number - 1].recycleNotBefore = now + FleetLimits.recycleInterval
        let successor = newInstance(id)
        return [event]
            + programs[index].places[id.number - 1].replace(
                with: successor, program.configuration, counts: true, now: now)
    }

    /// Not one that somebody has stopped.
    private mutating func restartByItself(
        _ name: String, _ event: ProgramEvent, now: MonotonicTime
    ) -> [ProgramAction] {
        let actions = noteTime(now)
        guard case .running = phase, let index = index(name), programs[index].isWanted else { return actions }
        switch programs[index].pending {
        case .reload: return actions
        case .restart, nil: programs[index].pending = .restart(causes: [])
        }
        return actions + [.event(event)] + settle(now: now)
    }
}
