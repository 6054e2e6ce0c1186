package import Model

// What a reload of the service's configuration means for programs.

extension ProgramsStateMachine {
    /// The file's programs from now on. New ones start, missing ones end and are forgotten, and those whose processes were
    /// started with something else are reloaded. Those of run time stay; one whose name is now in the file becomes the file's.
    package mutating func configured(_ configurations: [ProgramConfiguration], now: MonotonicTime) -> [ProgramAction] {
        guard case .running = phase else { return [] }
        var actions = noteTime(now)
        let names = Set(configurations.map(\.name))
        for index in programs.indices where programs[index].origin == .file && !programs[index].isForgotten {
            guard !names.contains(programs[index].name) else { continue }
            actions += callOff(index, because: "it does not stand in the configuration any more")
            actions += forget(index, nil, now: now)
        }
        for configuration in configurations {
            guard let index = index(configuration.name) else {
                var taken = Set(programs.map(\.number))
                let definition = ProgramDefinition(
                    configuration: configuration, origin: .file, isWanted: configuration.autostart)
                add(Program(definition, number: Self.freeNumber(&taken), cores: cores))
                actions.append(.event(.added(configuration.name)))
                continue
            }
            actions += adopt(configuration, at: index, now: now)
        }
        return actions + settle(now: now)
    }

    private mutating func adopt(
        _ configuration: ProgramConfiguration, at index: Int, now: MonotonicTime
    ) -> [ProgramAction] {
        var actions: [ProgramAction] = []
        let filed = programs[index].filed
        if programs[index].isForgotten {
            // It is on its way out, and comes back.
            actions += callOff(index, because: "it stands in the configuration again")
            programs[index].isForgotten = false
            programs[index].isWanted = configuration.autostart
        } else if filed == configuration {
            return []
        }
        if programs[index].origin == .runTime { remembers = true }
        programs[index].origin = .file
        programs[index].filed = configuration
        if let filed, !filed.autostart, configuration.autostart { programs[index].isWanted = true }
        let before = programs[index].configuration
        var new = configuration
        if let filed, filed.instances == configuration.instances {
            // A number that was asked for at run time stays.
            new.instances = before.instances
        } else {
            programs[index].count = Program.count(configuration, cores: cores)
            programs[index].grow()
        }
        programs[index].configuration = new
        let count = programs[index].count
        let extra = count < programs[index].places.count ? Array(count + 1...programs[index].places.count) : []
        actions += programs[index].clear(extra, now: now)
        guard programs[index].isWanted else { return actions }
        if before.listen != new.listen {
            // What runs now could wait for ever: nothing starts until all processes with the old sockets have ended.
            actions += callOff(index, because: "it listens elsewhere according to the configuration")
        }
        if before.launches(like: new) {
            for place in programs[index].places.indices { programs[index].places[place].adopt(new, now: now) }
            // What has failed is tried again with what is new.
            if programs[index].hasFailed { programs[index].pending = .restart(causes: []) }
        } else {
            programs[index].pending = .reload
        }
        return actions
    }
}
