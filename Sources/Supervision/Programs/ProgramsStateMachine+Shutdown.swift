package import Model

// The end of the service: dependants first, and what does not end in time is killed.

extension ProgramsStateMachine {
    /// Ends with `allStopped`. What is wanted stays as it is for the next start.
    package mutating func stopAllRequested(now: MonotonicTime) -> [ProgramAction] {
        switch phase {
        case .idle, .running: break
        case .stopping, .ended: return []
        }
        var actions = noteTime(now)
        phase = .stopping
        for index in programs.indices { actions += callOff(index, because: "the service stops") }
        return actions + settle(now: now)
    }

    /// SIGKILL to everything that is left. Nothing happens when the service is not stopping.
    package mutating func hurryRequested(now: MonotonicTime) -> [ProgramAction] {
        guard case .stopping = phase else { return [] }
        var actions = noteTime(now)
        for index in programs.indices {
            programs[index].isEnding = true
            for place in programs[index].places.indices {
                actions += programs[index].places[place].kill(now: now)
            }
        }
        return actions + settle(now: now)
    }

    /// A program ends when nothing lives any more of those that depend on it.
    mutating func endInTurn(now: MonotonicTime) -> [ProgramAction] {
        var actions: [ProgramAction] = []
        var isSomethingEnding = false
        for index in programs.indices where !programs[index].isEnding {
            let name = programs[index].name
            let isNeeded = programs.contains {
                $0.isHolding && $0.configuration.dependsOn.contains(name) && $0.name != name
            }
            guard !isNeeded else { continue }
            actions += beginEnd(index, now: now)
        }
        isSomethingEnding = programs.contains { $0.isEnding && $0.isHolding }
        if !isSomethingEnding {
            // A circle cannot be configured; if there were one, it would end at once.
            for index in programs.indices where !programs[index].isEnding { actions += beginEnd(index, now: now) }
        }
        guard !programs.contains(where: \.isHolding) else { return actions }
        phase = .ended
        for index in programs.indices where programs[index].watched != nil || !programs[index].sockets.isEmpty {
            if programs[index].watched != nil { actions.append(.watch(program: programs[index].name, nil)) }
            if !programs[index].sockets.isEmpty { actions.append(.closeSockets(program: programs[index].name)) }
            programs[index].watched = nil
            programs[index].sockets = []
        }
        return actions + [.allStopped]
    }

    private mutating func beginEnd(_ index: Int, now: MonotonicTime) -> [ProgramAction] {
        programs[index].isEnding = true
        return programs[index].clear(now: now)
    }
}
