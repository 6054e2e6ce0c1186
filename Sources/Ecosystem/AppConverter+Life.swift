import Model

/// How many processes there are, when they are started again, and how they are stopped.
extension AppConverter {
    mutating func convertProcesses() {
        let mode = take("exec_mode")
        let setting = take("instances")
        let count = setting.flatMap { number(of: $0.value) } ?? 1
        let modeWord = mode?.value.scalar ?? ""
        // PM2 takes the cluster by itself where node has a number of instances.
        let isCluster = modeWord.hasPrefix("cluster") || (mode == nil && setting != nil && isNode)
        if let (autostart, flag) = takeFlag("autostart") {
            if !flag { set("autostart", .bare("false")) }
            remark(autostart, .taken, becomes: "autostart: \(flag)")
        }
        if let setting { convertInstances(setting, count) }
        if let variable = take("increment_var") { convertIncrement(variable, count: count) }
        if isCluster, count > 1, increment == nil {
            sharesPort = true
            let port = variables.first { $0.name == "PORT" }.map(\.value) ?? "PORT"
            remark(
                ImportRemark(
                    mode?.written ?? "exec_mode", modeWord, .toDo,
                    "node's cluster is not used here, so that a second process cannot listen on the same port: add "
                        + "`listen: [\":\(port)\"]` and let the app listen on descriptor 3, server.listen({ fd: 3 }); "
                        + "a reload then has no gap"))
        } else if let mode {
            remark(mode, .notNeeded, "every program is started as a process of its own")
        }
    }

    /// `nil`: neither a number nor `max`, which the remark on it says.
    private func number(of value: EcosystemValue) -> Int? {
        let cores = max(1, host.cores)
        if value.scalar == "max" { return cores }
        guard let number = value.integer else { return nil }
        return number == 0 ? cores : number < 0 ? max(1, cores + number) : number
    }

    private mutating func convertInstances(_ setting: Setting, _ count: Int) {
        let most = ProgramConfiguration.maxInstances
        if setting.value.scalar == "max" || setting.value.integer == 0 {
            set("instances", .text("max"))
            remark(setting, .taken, becomes: "instances: max")
        } else if let number = setting.value.integer {
            let allowed = min(count, most)
            if allowed != 1 { set("instances", .bare(String(allowed))) }
            if count > most {
                remark(setting, .differs, becomes: "instances: \(allowed)", "a program has \(most) processes at most")
            } else if number < 0 {
                remark(
                    setting, .differs, becomes: "instances: \(allowed)",
                    "that many on this machine's \(host.cores) cores; it stays so on another one")
            } else {
                remark(setting, .taken, becomes: "instances: \(allowed)")
            }
        } else {
            remark(setting, .toDo, "is neither a number nor max; one process")
        }
    }

    private mutating func convertIncrement(_ setting: Setting, count: Int) {
        guard let name = setting.value.scalar, !name.isEmpty, count > 1 else {
            remark(setting, .notNeeded, "there is one process")
            return
        }
        let count = min(count, ProgramConfiguration.maxInstances)
        increment = (name, count)
        remark(
            setting, .differs, becomes: "\(count) programs",
            "processes of a program have the same environment, so that each became a program with \(name) of its own")
    }

    // MARK: - Restarts

    mutating func convertRestarts() {
        if let (setting, flag) = takeFlag("autorestart") {
            if !flag { set("restart", .text("never")) }
            remark(setting, .taken, becomes: "restart: \(flag ? "always" : "never")")
        }
        if let setting = take("stop_exit_codes") { convertExitCodes(setting) }
        if let setting = take("min_uptime") {
            if let milliseconds = Self.milliseconds(setting.value) {
                setTime("stableAfter", milliseconds, 1...86_400_000, setting)
            } else {
                remark(setting, .toDo, "is no time such as 5000, 10s or 1m; left out")
            }
        }
        convertMaxRestarts()
        convertDelays()
    }

    private mutating func convertExitCodes(_ setting: Setting) {
        let texts = setting.value.scalars ?? []
        let codes = texts.compactMap { Int($0) }.filter { (0...255).contains($0) }
        guard codes.count == texts.count, !texts.isEmpty else {
            if setting.value != .list([]) { remark(setting, .toDo, "exit codes are numbers from 0 to 255; left out") }
            return
        }
        set("stopExitCodes", .numbers(codes))
        remark(setting, .taken, becomes: "stopExitCodes: [\(codes.map(String.init).joined(separator: ", "))]")
    }

    private mutating func convertMaxRestarts() {
        guard let (setting, number) = takeNumber("max_restarts") else { return }
        guard number >= 1 else {
            set("restart", .text("never"))
            remark(setting, .taken, becomes: "restart: never")
            return
        }
        let most = String(Int(min(number, 1_000_000)))
        set("maxUnstable", .bare(most))
        remark(
            setting, .differs, becomes: "maxUnstable: \(most)",
            "ends in a row count, whenever they come; PM2 counts in the first min_uptime × max_restarts only")
    }

    private mutating func convertDelays() {
        let constant = takeNumber("restart_delay")
        if let (setting, number) = takeNumber("exp_backoff_restart_delay"), number > 0 {
            setTime("restartDelay", number, 1...3_600_000, setting, tell: false)
            set("restartMaxDelay", .bare(Self.time(max(number, 15_000), 1...86_400_000)))
            set("restartFactor", .bare("1.5"))
            remark(
                setting, .taken,
                becomes: "restartDelay: \(Self.time(number, 1...3_600_000)), restartMaxDelay, restartFactor: 1.5")
            if let constant { remark(constant.setting, .notNeeded, "exp_backoff_restart_delay goes before it") }
        } else if let (setting, number) = constant {
            guard number > 0 else {
                remark(
                    setting, .notNeeded,
                    "the first restart comes after 100 ms, and at once where the process was stable")
                return
            }
            let delay = Self.time(number, 1...3_600_000)
            for key in ["restartDelay", "restartMaxDelay"] { set(key, .bare(delay)) }
            set("restartFactor", .bare("1"))
            remark(
                setting, .differs, becomes: "restartDelay: \(delay), restartMaxDelay: \(delay), restartFactor: 1",
                "a process that was stable (stableAfter) is started again at once")
        }
    }

    // MARK: - Stop

    mutating func convertStop() {
        // Apps of PM2 listen for this one.
        set("stopSignal", .text("SIGINT"))
        remark(
            ImportRemark(
                "PM2_KILL_SIGNAL", "", .differs, becomes: "stopSignal: SIGINT",
                "what PM2 sends, which the app may know; take it out for wsd's own SIGTERM"))
        if let (setting, number) = takeNumber("kill_timeout") {
            if number > 0 {
                setTime("stopTimeout", number, 0...3_600_000, setting)
            } else {
                remark(setting, .notNeeded, "PM2 takes 0 for its 1.6 s; there are 10 s here")
            }
        }
        if let (setting, flag) = takeFlag("shutdown_with_message") {
            if flag {
                remark(
                    setting, .toDo,
                    "no messages go to programs: let the app end on SIGINT, process.on(\"SIGINT\", …)")
            } else {
                remark(setting, .taken)
            }
        }
        if let (setting, flag) = takeFlag("treekill") {
            if flag {
                remark(
                    setting, .notNeeded,
                    "the main process is asked to end; what it leaves behind is killed")
            } else {
                remark(
                    setting, .toDo,
                    "what a program leaves behind is always killed: run what is to outlive it as another program")
            }
        }
    }

    // MARK: - Times

    /// Milliseconds: a number, or text with `h`, `m` or `s`.
    static func milliseconds(_ value: EcosystemValue) -> Double? {
        if let number = value.number { return number >= 0 ? number : nil }
        guard let text = value.scalar, let unit = text.last,
            let factor = ["s": 1000.0, "m": 60_000, "h": 3_600_000][unit],
            let number = Double(text.dropLast()), number.isFinite, number >= 0
        else { return nil }
        return number * factor
    }

    /// As it is written in wsd.yaml, held within bounds (milliseconds).
    static func time(_ milliseconds: Double, _ bounds: ClosedRange<Int>) -> String {
        let whole = Int(min(max(milliseconds.rounded(), Double(bounds.lowerBound)), Double(bounds.upperBound)))
        for (unit, factor) in [("h", 3_600_000), ("m", 60_000), ("s", 1000)] where whole % factor == 0 && whole > 0 {
            return "\(whole / factor)\(unit)"
        }
        return whole == 0 ? "0" : "\(whole)ms"
    }

    mutating func setTime(
        _ key: String, _ milliseconds: Double, _ bounds: ClosedRange<Int>, _ setting: Setting, tell: Bool = true
    ) {
        let text = Self.time(milliseconds, bounds)
        set(key, .bare(text))
        guard tell else { return }
        let isWithin = milliseconds >= Double(bounds.lowerBound) && milliseconds <= Double(bounds.upperBound)
        let most = "it is \(Self.time(0, bounds)) to \(Self.time(.greatestFiniteMagnitude, bounds)) here"
        remark(setting, isWithin ? .taken : .differs, becomes: "\(key): \(text)", isWithin ? "" : most)
    }
}
