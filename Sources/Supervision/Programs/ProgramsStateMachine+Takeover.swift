package import Model

extension ProgramsStateMachine {
    /// Once, instead of ``start(_:now:)``, where another driver goes on with this machine: what the one before it had been asked
    /// for, and may not have done, is asked for again. Questions to processes are put anew, and nobody answers for the time between.
    package mutating func takenOver(now: MonotonicTime) -> [ProgramAction] {
        switch phase {
        case .running: break
        case .idle, .stopping, .ended: return []
        }
        lastInputAt = max(lastInputAt ?? now, now)
        var actions: [ProgramAction] = []
        for index in programs.indices {
            for place in programs[index].places.indices {
                programs[index].places[place].changeProcesses { process in
                    if case .asked = process.probing { process.probing = .due(now) }
                    switch process.end {
                    case nil, .asked: break
                    case .killed: actions.append(.killTree(process.instance))
                    case .swept: actions.append(.sweepTree(process.instance))
                    }
                }
            }
            if let watched = programs[index].watched {
                actions.append(.watch(program: programs[index].name, watched))
            }
        }
        // What even SIGKILL has not ended in time is no place's any more.
        for (instance, id) in places.sorted(by: { $0.key < $1.key }) where !isHeld(instance, at: id) {
            actions.append(.sweepTree(instance))
        }
        return actions + settle(now: now)
    }

    private func isHeld(_ instance: InstanceID, at id: ProgramProcessID) -> Bool {
        guard let index = index(id.program) else { return false }
        return programs[index].places.contains { $0.process(instance) != nil }
    }
}

extension ProgramPlace {
    /// All of them, the departing one, too.
    fileprivate mutating func changeProcesses(_ change: (inout ProgramProcess) -> Void) {
        switch state {
        case .starting(var process):
            change(&process)
            state = .starting(process)
        case .ready(var process):
            change(&process)
            state = .ready(process)
        case .replacing(var old, var successor):
            change(&old)
            change(&successor)
            state = .replacing(old: old, successor: successor)
        case .ending(var process, let then):
            change(&process)
            state = .ending(process, then)
        case .empty, .backoff, .failed, .finished: break
        }
        guard var leaving = departing else { return }
        change(&leaving)
        departing = leaving
    }
}
