import Model

/// What must hold within one program.
enum ProgramFaults {
    struct Fault {
        /// The key at fault.
        var leaf: String
        /// A sentence that begins with the key.
        var message: String
    }

    static func of(_ program: ProgramConfiguration) -> [Fault] {
        var faults: [Fault] = []
        func check(_ holds: Bool, _ leaf: String, _ rest: String) {
            if !holds { faults.append(Fault(leaf: leaf, message: "\(leaf) \(rest)")) }
        }
        let time = ValueFormat<Duration>.duration(.zero ... .seconds(24 * 60 * 60)).text
        let isRunnable = program.command.first.map { !$0.isEmpty } ?? false
        check(isRunnable, "command", "is empty; it must name the program to run")
        check(
            program.backoff.maxDelay >= program.backoff.initialDelay, "restartMaxDelay",
            "(\(time(program.backoff.maxDelay))) must be at least restartDelay (\(time(program.backoff.initialDelay)))")
        if case .after(let duration) = program.ready {
            check(
                duration < program.readyTimeout, "ready",
                "(\(time(duration))) must be less than readyTimeout (\(time(program.readyTimeout))), or no process would ever "
                    + "be ready")
        }
        check(!program.dependsOn.contains(program.name), "dependsOn", "names the program itself")
        check(!program.restartsWith.contains(program.name), "restartsWith", "names the program itself")
        if let twice = firstTwice(program.environment.map { String($0.prefix { $0 != "=" }) }) {
            check(false, "environment", "sets \(ShownText.plain(twice)) twice")
        }
        if let twice = firstTwice(program.limits.map(\.resource)) { check(false, "limits", "holds \(twice) twice") }
        if let twice = firstTwice(program.listen) { check(false, "listen", "holds \(twice) twice") }
        for case .tcp(_, port: 0) in program.listen {
            check(false, "listen", "holds port 0; nobody would know where to connect")
        }
        return faults
    }

    /// A dependency that leads back to where it started: names in order, the first one also last.
    static func circle(_ programs: [ProgramConfiguration]) -> [String]? {
        let needs = Dictionary(programs.map { ($0.name, $0.dependsOn) }, uniquingKeysWith: { first, _ in first })
        var isDone: Set<String> = []
        for program in programs {
            // Names on the way down, each with what of it is still to be looked at.
            var way = [(name: program.name, rest: needs[program.name] ?? [])]
            while let last = way.last {
                guard let next = last.rest.first, !isDone.contains(last.name) else {
                    isDone.insert(last.name)
                    way.removeLast()
                    continue
                }
                way[way.count - 1].rest.removeFirst()
                if let start = way.firstIndex(where: { $0.name == next }) {
                    // A program that names itself is told about on its own.
                    if start == way.count - 1 { continue }
                    return way[start...].map(\.name) + [next]
                }
                if !isDone.contains(next), let rest = needs[next] { way.append((next, rest)) }
            }
        }
        return nil
    }

    private static func firstTwice<Value: Hashable>(_ values: [Value]) -> Value? {
        var seen: Set<Value> = []
        return values.first { !seen.insert($0).inserted }
    }
}
