import ControlClient
import Model
import Wire

/// Turns what was seen into findings with advice. Pure: every fact is an argument.
enum Diagnosis {
    /// Share of the descriptors in use from which on it is a problem.
    static let descriptorShare = 0.8
    /// Descriptors below which a busy service will run out: a client takes one.
    static let fewDescriptors = 4096
    /// Restarts of a slot from which on they are mentioned.
    static let manyRestarts = 3

    /// Programs that are named in one sentence.
    static let shownPrograms = 10

    /// The health of the service and of its processes.
    ///
    /// - Parameter lastWords: log lines of warning and above, by process name, oldest first.
    static func service(_ status: ServiceStatus, lastWords: [String: [String]]) -> [Check] {
        var checks = [Check.ok("wsd \(status.version) answers on \(status.controlSocket) (pid \(status.pid)).")]
        if status.version != WsdVersion.current {
            checks.append(
                .note(
                    "This wsctl is \(WsdVersion.current), the service runs \(status.version).",
                    "Restart the service after an update: systemctl restart wsd, or wsctl stop and wsd."))
        }
        let troubled = status.processes.filter { [.failed, .backoff].contains($0.state) }
        checks += troubled.map {
            trouble($0, lastWords: lastWords[$0.name] ?? [], countsKills: status.memory != nil)
        }
        for problem in status.problems where !troubled.contains(where: { $0.isNamed(in: problem) }) {
            // A sentence that names a command is advice itself.
            let advice = problem.contains("`wsctl ") ? nil : Self.look(at: problem, status.programs ?? [])
            checks.append(.problem(problem, advice))
        }
        if status.health == .ok, troubled.isEmpty {
            let count = status.processes.count
            checks.append(.ok(count == 1 ? "The supervisor runs." : "All \(count) processes run."))
            if let programs = status.programs, !programs.isEmpty { checks.append(.ok(Self.programs(programs))) }
        } else if status.health != .degraded {
            checks.append(.note("The service is \(status.health.rawValue)."))
        } else if troubled.isEmpty, status.problems.isEmpty {
            checks.append(.problem("The service says that it is degraded.", "Look with `wsctl logs --level warning`."))
        }
        checks += status.processes.compactMap(restarts)
        checks += hub(status)
        checks += losses(status)
        return checks
    }

    private static func look(at problem: String, _ programs: [ProgramStatus]) -> String {
        let program = programs.first { $0.problems.contains(problem) }?.name
        return "Look with `wsctl logs \(program ?? "--level warning")`."
    }

    private static func programs(_ programs: [ProgramStatus]) -> String {
        let others = programs.filter { ![.ready, .finished].contains($0.state) }
        let running = programs.count - others.count
        let head =
            "\(running) of \(Humanized.counted(programs.count, "program")) \(running == 1 ? "is" : "are") ready or finished"
        let rest = others.prefix(shownPrograms).map { "\($0.name) is \($0.state.rawValue)" }
        guard !rest.isEmpty else { return head + "." }
        return "\(head); \(rest.joined(separator: ", "))\(others.count > rest.count ? ", …" : "")."
    }

    private static func trouble(_ process: ProcessStatus, lastWords: [String], countsKills: Bool) -> Check {
        let why = process.lastExit ?? "ended"
        let hint =
            why.contains("SIGKILL") && !countsKills
            ? " If nobody killed it, the kernel did, for want of memory: see `journalctl -k` or `dmesg`." : ""
        let logs = process.worker.map { "wsctl logs --worker \($0)" } ?? "wsctl logs --source \(process.name)"
        guard process.state == .failed else {
            let next = process.retryIn.map { "; it is started again \(Humanized.wait($0))" } ?? ""
            return .problem("\(process.name) \(why)\(next).", "See why with `\(logs)`.\(hint)", evidence: lastWords)
        }
        let revive = process.worker.map { "wsctl restart worker:\($0)" } ?? "wsctl restart"
        return .problem(
            "\(process.name) has been given up after too many unstable starts; the last time it \(why).",
            "See why with `\(logs)`, put it right, and revive it with `\(revive)`.\(hint)", evidence: lastWords)
    }

    private static func restarts(_ process: ProcessStatus) -> Check? {
        // Reloads count as restarts, too; they leave no reason behind.
        guard process.state == .ready, process.restarts >= manyRestarts, let last = process.lastExit else { return nil }
        return .note(
            "\(process.name) has been started anew \(process.restarts) times; the last time unplanned, it \(last).",
            process.worker.map { "See why with `wsctl logs --worker \($0) --level warning`." })
    }

    private static func hub(_ status: ServiceStatus) -> [Check] {
        let apart = status.processes.filter {
            $0.worker != nil && $0.state == .ready && ($0.uptime ?? 0) > 5 && $0.counters?.hubLinks == 0
        }
        guard !apart.isEmpty else { return [] }
        let names = apart.map(\.name).joined(separator: ", ")
        return [
            .problem(
                "Without a link to the hub: \(names). Messages do not reach other workers.",
                "It is retried for ever. Look with `wsctl logs --source hub`.")
        ]
    }

    private static func losses(_ status: ServiceStatus) -> [Check] {
        var checks: [Check] = []
        let totals = status.totals
        let pauses = status.processes.reduce(0) { $0 &+ ($1.counters?.acceptPauses ?? 0) }
        if pauses > 0 {
            checks.append(
                .problem(
                    "Accepting paused \(Humanized.counted(pauses, "time")) because no descriptor was free.",
                    "Raise the limit: LimitNOFILE= in the unit, or ulimit -Hn before wsd starts."))
        }
        if totals.slowClientsClosed > 0 {
            checks.append(
                .note(
                    "\(Humanized.counted(totals.slowClientsClosed, "client")) closed for reading too slowly.",
                    "Expected on bad networks; websocket.outboundQueue is the bound."))
        }
        if totals.logLinesDropped > 0 {
            checks.append(
                .note(
                    "\(Humanized.counted(totals.logLinesDropped, "log line")) dropped: more came than could be taken.",
                    "A higher log.level writes less."))
        }
        return checks
    }
}
